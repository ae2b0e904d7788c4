package policy

import (
	"fmt"
	"strings"
	"time"

	"purser/ledger"
)

const (
	daySeconds  = 24 * 60 * 60
	daysOfAWeek = 7
)

// window is a Window that was read. Its hours are those that a clock on the wall
// shows: in the night in which clocks are put back, an hour comes twice and is in
// the window twice, or not at all.
type window struct {
	days     [daysOfAWeek]bool // by time.Weekday: those on which it begins
	from, to int               // seconds of the day; to is up to daySeconds, and below from where it ends on the day after
	zone     *time.Location
}

// holds says whether at is in the window.
func (w *window) holds(at ledger.Instant) bool {
	t := time.Unix(0, int64(at)).In(w.zone)
	hour, minute, second := t.Clock()
	of := hour*3600 + minute*60 + second
	today := t.Weekday()
	if w.from < w.to {
		return w.days[today] && of >= w.from && of < w.to
	}
	yesterday := (today + daysOfAWeek - 1) % daysOfAWeek
	return w.days[today] && of >= w.from || w.days[yesterday] && of < w.to
}

func newWindow(s *Window) (w window, err error) {
	if w.zone, err = newZone(s.Zone); err != nil {
		return w, err
	}
	for _, d := range s.Days {
		if err := w.addDays(d); err != nil {
			return w, err
		}
	}
	if len(s.Days) == 0 {
		w.days = [daysOfAWeek]bool{true, true, true, true, true, true, true}
	}
	if s.From == "" && s.To == "" {
		w.to = daySeconds
		return w, nil
	}
	if w.from, err = clock(s.From); err != nil {
		return w, fmt.Errorf("from: %w", err)
	}
	if w.to, err = clock(s.To); err != nil {
		return w, fmt.Errorf("to: %w", err)
	}
	if w.from == w.to || w.from == daySeconds {
		return w, fmt.Errorf("from %s to %s is no span of a day; leave both out for the whole day", s.From, s.To)
	}
	return w, nil
}

func newZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("zone %q is no time zone of the IANA database", name)
	}
	return zone, nil
}

var dayNames = [daysOfAWeek]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// addDays takes "mon" or "fri-mon".
func (w *window) addDays(s string) error {
	first, last, span := strings.Cut(s, "-")
	if !span {
		last = first
	}
	a, b := dayOf(first), dayOf(last)
	if a < 0 || b < 0 {
		return fmt.Errorf("days: %q is none of mon, tue, wed, thu, fri, sat, sun, nor a span of them such as mon-fri", s)
	}
	for d := a; ; d = (d + 1) % daysOfAWeek {
		w.days[d] = true
		if d == b {
			return nil
		}
	}
}

func dayOf(s string) int {
	for i, name := range dayNames {
		if strings.EqualFold(s, name) {
			return i
		}
	}
	return -1
}

// clock reads "hh:mm", at most "24:00", as seconds of the day.
func clock(s string) (int, error) {
	if len(s) == 5 && s[2] == ':' && digits(s[:2]) && digits(s[3:]) {
		hour, minute := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
		if of := hour*3600 + minute*60; minute < 60 && of <= daySeconds {
			return of, nil
		}
	}
	return 0, fmt.Errorf("%q is no time of the day such as 09:00 or 24:00", s)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
