package lookalike

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"purser/api/admin"
)

// span is a run of buckets of one width.
type span struct {
	from, to time.Time
	width    time.Duration
	next     string // the page after it, "" for none
}

// widths are those of OpenAI, with how many are given unless asked, and at most.
var widths = map[string]struct {
	width       time.Duration
	usual, most int
}{"1m": {time.Minute, 60, 1440}, "1h": {time.Hour, 24, 168}, "1d": {24 * time.Hour, 7, 180}}

// spanOf reads start_time, end_time, bucket_width, limit and page. Buckets begin at
// whole days, hours or minutes, UTC.
func spanOf(q url.Values, now time.Time, allowed ...string) (span, error) {
	name := q.Get("bucket_width")
	if name == "" {
		name = "1d"
	}
	w, ok := widths[name]
	if !ok || !slices.Contains(allowed, name) {
		return span{}, admin.Invalid(fmt.Sprintf("bucket_width is one of %v", allowed))
	}
	start, err := second(q, "start_time", -1)
	if err != nil {
		return span{}, err
	}
	if start < 0 {
		return span{}, admin.Invalid("start_time is missing: seconds since 1970")
	}
	end, err := second(q, "end_time", now.Unix()+1)
	if err != nil {
		return span{}, err
	}
	limit, err := second(q, "limit", int64(w.usual))
	if err != nil {
		return span{}, err
	}
	if limit < 1 || limit > int64(w.most) {
		return span{}, admin.Invalid(fmt.Sprintf("limit is a number from 1 to %d for buckets of %s", w.most, name))
	}
	page, err := second(q, "page", start)
	if err != nil || page < start {
		return span{}, admin.Invalid("page is the next_page of an answer to the same question")
	}
	if end <= start {
		return span{}, admin.Invalid("end_time is not after start_time")
	}
	out := span{from: time.Unix(page, 0).UTC().Truncate(w.width), width: w.width}
	out.to = time.Unix(end, 0).UTC().Truncate(w.width)
	if out.to.Before(time.Unix(end, 0)) {
		out.to = out.to.Add(w.width)
	}
	if last := out.from.Add(time.Duration(limit) * w.width); out.to.After(last) {
		out.to, out.next = last, strconv.FormatInt(last.Unix(), 10)
	}
	return out, nil
}

// second reads a parameter that is a whole number.
func second(q url.Values, name string, usual int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return usual, nil
	}
	const most = 1 << 33 // the year 2242
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, admin.Invalid(fmt.Sprintf("%s %q is not a number of that kind", name, text))
	}
	return n, nil
}
