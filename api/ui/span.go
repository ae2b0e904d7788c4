package ui

import (
	"net/url"
	"time"
)

// span is the time that a page is about.
type span struct {
	Key      string // of a range that goes with the clock, "" for one between two moments
	Name     string // for people
	From, To time.Time
	Interval string // of the columns of its charts, as the API names it
}

// ranges are the spans that go with the clock, the shortest first.
var ranges = []struct {
	key, name string
	long      time.Duration // 0: since the month began
}{
	{"1h", "1 hour", time.Hour}, {"24h", "24 hours", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}, {"30d", "30 days", 30 * 24 * time.Hour}, {"month", "This month", 0},
}

const defaultRange = "24h"

// spanOf reads the time a page is about from its address: range, or from and to. Moments are
// RFC 3339, or a day or minute of UTC, as forms of browsers write them.
func spanOf(q url.Values, now time.Time) (span, error) {
	now = now.UTC()
	if from := q.Get("from"); from != "" {
		s := span{To: now}
		var err error
		if s.From, err = momentOf(from); err != nil {
			return s, err
		}
		if to := q.Get("to"); to != "" {
			if s.To, err = momentOf(to); err != nil {
				return s, err
			}
		}
		if !s.From.Before(s.To) {
			return s, invalid("The range ends before it begins: choose a later end.")
		}
		s.Name = s.From.Format("2006-01-02 15:04") + " to " + s.To.Format("2006-01-02 15:04") + " UTC"
		s.Interval = intervalOf(s.To.Sub(s.From))
		return s, nil
	}
	key := q.Get("range")
	if key == "" {
		key = defaultRange
	}
	for _, r := range ranges {
		if r.key != key {
			continue
		}
		s := span{Key: key, Name: r.name, From: now.Add(-r.long), To: now}
		if r.long == 0 {
			s.From = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		}
		s.Interval = intervalOf(max(s.To.Sub(s.From), r.long))
		s.From = begin(s.From, s.Interval)
		return s, nil
	}
	return span{}, invalid("There is no such range; the page offers those that there are.")
}

// momentOf reads a moment that a form or a link has.
func momentOf(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid("A moment is written like 2026-01-31, 2026-01-31T09:30 or 2026-01-31T09:30:00Z.")
}

// intervalOf is how long the columns of a chart are, so that there are at most some 200.
func intervalOf(long time.Duration) string {
	switch {
	case long <= 3*time.Hour:
		return "minute"
	case long <= 8*24*time.Hour:
		return "hour"
	case long <= 200*24*time.Hour:
		return "day"
	}
	return "month"
}

// begin is the beginning of the interval that a moment is in.
func begin(t time.Time, interval string) time.Time {
	switch interval {
	case "minute":
		return t.Truncate(time.Minute)
	case "hour":
		return t.Truncate(time.Hour)
	case "day":
		return t.Truncate(24 * time.Hour)
	}
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// after is the beginning of the next one.
func after(t time.Time, interval string) time.Time {
	switch interval {
	case "minute":
		return t.Add(time.Minute)
	case "hour":
		return t.Add(time.Hour)
	case "day":
		return t.Add(24 * time.Hour)
	}
	return t.AddDate(0, 1, 0)
}

// label names an interval for people.
func label(t time.Time, interval string) string {
	switch interval {
	case "minute":
		return t.Format("15:04")
	case "hour":
		return t.Format("Jan 2, 15:00")
	case "day":
		return t.Format("Mon, Jan 2")
	}
	return t.Format("January 2006")
}

// values are the span for the API.
func (s *span) values() url.Values {
	return url.Values{"from": {s.From.Format(time.RFC3339Nano)}, "to": {s.To.Format(time.RFC3339Nano)}}
}

// query are the pairs that a link to another page takes the span along with.
func (s *span) query() url.Values {
	if s.Key != "" {
		return url.Values{"range": {s.Key}}
	}
	return s.values()
}
