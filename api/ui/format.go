package ui

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
)

// functions are what templates call. Those that make markup are parts, in
// templates/parts, so that what they show is escaped where it stands.
var functions = template.FuncMap{
	"money": money, "exact": exact, "count": count, "grouped": grouped, "grouped64": grouped64, "percent": percent, "share": share, "ratio": ratio,
	"latency": latency, "ago": ago, "moment": moment, "stamp": stamp, "duration": duration,
	"query": withQuery, "dict": dict, "list": func(v ...any) []any { return v }, "join": strings.Join, "words": words,
	"tokens": func(r admin.UsageRow) int64 { return tokensOf(&r) }, "failures": func(r admin.UsageRow) int64 { return failures(&r) }, "per": per, "millionths": millionths,
	"fillParts": fillParts, "barWidth": barWidth, "sparkPoints": sparkPoints,
	"add": func(a, b int) int { return a + b }, "add64": func(a, b int64) int64 { return a + b }, "amount": amount, "decimal": decimal, "wasteful": func(class string) string { return classes[class] }, "change": changeOf,
}

// nano is nano-dollars in a dollar.
const nano = 1_000_000_000

// money is nano-dollars for people: cents from a dollar on, else three digits that
// count. [exact] has all of them.
func money(n int64) string {
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "−", -abs
	}
	switch {
	case abs == 0:
		return "$0"
	case abs >= 10_000*nano:
		return sign + "$" + commas((abs+nano/2)/nano)
	case abs >= nano:
		cents := (abs + nano/200) / (nano / 100)
		return fmt.Sprintf("%s$%s.%02d", sign, commas(cents/100), cents%100)
	}
	step := uint64(1) // below which digits are rounded away: the third that counts
	for abs/step >= 1000 {
		step *= 10
	}
	rounded := (abs + step/2) / step * step
	if rounded >= nano {
		return sign + "$1.00"
	}
	digits := fmt.Sprintf("%09d", rounded)
	keep := 2 // digits behind the point
	if rounded != abs {
		keep = 12 - len(strconv.FormatUint(rounded, 10))
	}
	for keep < len(digits) && strings.Trim(digits[keep:], "0") != "" {
		keep++
	}
	return sign + "$0." + digits[:keep]
}

// exact is nano-dollars as dollars, to the last digit.
func exact(n int64) string {
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "−", -abs
	}
	return fmt.Sprintf("%s$%s.%09d", sign, commas(abs/nano), abs%nano)
}

func commas(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// grouped is a whole number with commas.
func grouped(n int64) string {
	if n < 0 {
		return "−" + commas(-uint64(n))
	}
	return commas(uint64(n))
}

// count is a whole number for people: 950, 12.3k, 4.56M.
func count(n int64) string {
	abs := math.Abs(float64(n))
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if abs < unit.size {
			continue
		}
		scale := unit.size
		if unit.name == "k" {
			scale = 1e3 // four digits are shown as they are
		}
		if n < 0 {
			return "−" + short(abs/scale) + unit.name
		}
		return short(abs/scale) + unit.name
	}
	return grouped(n)
}

// short is a number with three digits that count.
func short(f float64) string {
	digits := 0
	switch a := math.Abs(f); {
	case a < 10:
		digits = 2
	case a < 100:
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64)
}

// share is part of whole, from 0 to 1, 0 where there is no whole.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// per is an amount for each of n, rounded to the nearest nano-dollar.
func per(amount, n int64) int64 {
	if n == 0 {
		return 0
	}
	return (amount + n/2) / n
}

// change is how much more or less something is than before.
type change struct {
	Up   bool
	Text string
}

func changeOf(now, before int64) change {
	return change{now > before, percent(math.Abs(float64(now-before) / float64(before)))}
}

// decimal is a number that may not be known.
func decimal(f *float64) string {
	if f == nil {
		return "–"
	}
	if *f == math.Trunc(*f) && math.Abs(*f) < 1e9 {
		return grouped(int64(*f))
	}
	return short(*f)
}

// millionths is a number in millionths.
func millionths(n int64) string { return strconv.FormatFloat(float64(n)/1e6, 'g', 6, 64) }

// percent is a ratio as percent, with a digit behind the point below ten.
func percent(r float64) string {
	p := r * 100
	switch a := math.Abs(p); {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return "–"
	case p == 0:
		return "0%"
	case a < 0.1:
		return "<0.1%"
	case a < 9.95:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + "%"
}

// ratio is a ratio that may be missing, as percent.
func ratio(r *float64) string {
	if r == nil {
		return "–"
	}
	return percent(*r)
}

// latency is nanoseconds for people.
func latency(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d <= 0:
		return "–"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(d.Seconds()*1e3, 'f', 1, 64) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	}
	return duration(d)
}

// duration is how long something is, in its two largest units.
func duration(d time.Duration) string {
	d = d.Abs()
	for _, unit := range []struct {
		size, below time.Duration
		name, small string
	}{{24 * time.Hour, time.Hour, "d", "h"}, {time.Hour, time.Minute, "h", "m"}, {time.Minute, time.Second, "m", "s"}} {
		if d >= unit.size {
			whole, rest := d/unit.size, d%unit.size/unit.below
			if rest == 0 || whole >= 10 {
				return fmt.Sprintf("%d%s", whole, unit.name)
			}
			return fmt.Sprintf("%d%s %d%s", whole, unit.name, rest, unit.small)
		}
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

// ago is how long before now a moment is, as the API writes it, or how long until then.
func ago(now time.Time, at any) string {
	text, ok := at.(string)
	if p, is := at.(*string); is && p != nil {
		text, ok = *p, true
	}
	if !ok {
		return "–"
	}
	t, err := time.Parse(time.RFC3339, text)
	switch d := now.Sub(t); {
	case err != nil:
		return text
	case d < 0:
		return "in " + duration(d)
	case d < time.Second:
		return "now"
	default:
		return duration(d) + " ago"
	}
}

// moment is a moment, as the API writes it, to the second and in UTC.
func moment(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return stamp(t)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// withQuery is an address with other values in its query: name, value, name, value. An
// empty value takes the name away.
func withQuery(u *url.URL, pairs ...string) string {
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	out := url.URL{Path: u.Path, RawQuery: q.Encode()}
	return out.String()
}

// dict makes what a part is called with: name, value, name, value.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("a name has no value")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// words is a stable code as words: "loop_trip" is "loop trip".
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }

// grouped64 is grouped of a whole number of another type.
func grouped64(n any) string {
	switch n := n.(type) {
	case uint64:
		return commas(n)
	case int:
		return grouped(int64(n))
	}
	return fmt.Sprint(n)
}
