package ledger

import (
	"errors"
	"fmt"
	"sort"
)

// Windows are aligned to the wall clock of their zone: a boundary is a local
// reading (a midnight, a full hour), and it falls on the first instant at which
// the local clock has reached that reading.
//
// That one rule partitions time exactly, whatever the zone does. The first
// instant is a monotone function of the boundary, so windows can neither
// overlap nor leave a gap. A local hour that the clock skips has a window of no
// length, in which no instant lies. A local hour that the clock repeats belongs
// to the window it was in when it was first reached: the day of the change has
// 25 hours, and the hour window of the change has two.
//
// Equivalently, and that is how Bounds finds the window of an instant: it is
// the one whose boundaries enclose the latest local reading seen so far.

// Spans of local time, in seconds.
const (
	minuteSeconds = 60
	hourSeconds   = 60 * minuteSeconds
	daySeconds    = 24 * hourSeconds
)

// maxOffset bounds the offsets of a zone, in seconds. Real ones stay within 16
// hours; POSIX allows 24 and a bit.
const maxOffset = 26 * hourSeconds

// Bounds returns the window that t >= 0 lies in: start <= t < end. It is a pure
// function of its arguments; the start of a window is the start of its own
// bounds. A Total window is from 0 to MaxInstant.
//
// PerMinute windows ignore the zone: its offsets are whole minutes today, and
// the minute at which a clock is set back would otherwise last an hour.
func (w Window) Bounds(t Instant) (start, end Instant) {
	if w.Kind == Total || w.Kind > PerMonth || w.Kind == 0 {
		return 0, MaxInstant
	}
	zone := &w.Zone
	if w.Kind == PerMinute {
		zone = &Zone{}
	}
	from, to := w.Kind.boundaries(zone.latest(floorDiv(int64(t), int64(Second))))
	return toInstant(zone.first(from)), toInstant(zone.first(to))
}

// boundaries returns the last boundary at or before a local reading and the
// first one after it, all in local seconds.
func (k WindowKind) boundaries(local int64) (from, to int64) {
	day := floorDiv(local, daySeconds)
	switch k {
	case PerMinute:
		from = floorDiv(local, minuteSeconds) * minuteSeconds
		return from, from + minuteSeconds
	case PerHour:
		from = floorDiv(local, hourSeconds) * hourSeconds
		return from, from + hourSeconds
	case PerWeek:
		monday := floorDiv(day+3, 7)*7 - 3 // day 0 was a Thursday
		return monday * daySeconds, (monday + 7) * daySeconds
	case PerMonth:
		year, month := civilMonth(day)
		from = daysToMonth(year, month) * daySeconds
		if month++; month > 12 {
			year, month = year+1, 1
		}
		return from, daysToMonth(year, month) * daySeconds
	default:
		return day * daySeconds, (day + 1) * daySeconds
	}
}

// latest returns the latest local reading at or before t, both in seconds.
func (z *Zone) latest(t int64) int64 {
	next := z.after(t)
	best := t + z.offset(next-1)
	// Older readings were later only shortly after the clock was set back.
	for i := next - 1; i >= 0 && z.at(i) > t-2*maxOffset; i-- {
		best = max(best, z.at(i)-1+z.offset(i-1))
	}
	return best
}

// first returns the first instant whose local reading is at least `local`,
// both in seconds.
func (z *Zone) first(local int64) int64 {
	// Before local-maxOffset no offset allowed by maxOffset reaches it.
	i := z.after(local-maxOffset) - 1
	for ; ; i++ {
		t := local - z.offset(i)
		if i >= 0 {
			t = max(t, z.at(i))
		}
		if i+1 >= len(z.Transitions) || t < z.at(i+1) {
			return t
		}
	}
}

// after returns the index of the first transition later than t.
func (z *Zone) after(t int64) int {
	if len(z.Transitions) == 0 {
		return 0
	}
	return sort.Search(len(z.Transitions), func(i int) bool { return z.at(i) > t })
}

// at returns when transition i is, in seconds.
func (z *Zone) at(i int) int64 { return floorDiv(int64(z.Transitions[i].At), int64(Second)) }

// offset returns the offset from transition i on, -1 being before the first.
func (z *Zone) offset(i int) int64 {
	if i < 0 {
		return int64(z.Base)
	}
	return int64(z.Transitions[i].Offset)
}

func (w *Window) validate() error {
	if w.Kind < Total || w.Kind > PerMonth {
		return fmt.Errorf("unknown window %d", w.Kind)
	}
	return w.Zone.validate()
}

func (z *Zone) validate() error {
	if len(z.Name) > MaxZoneName {
		return fmt.Errorf("zone name longer than %d bytes", MaxZoneName)
	}
	if len(z.Transitions) > MaxTransitions {
		return fmt.Errorf("zone has more than %d transitions", MaxTransitions)
	}
	if z.Base < -maxOffset || z.Base > maxOffset {
		return errors.New("zone offset beyond 26 hours")
	}
	for i, x := range z.Transitions {
		switch {
		case x.Offset < -maxOffset || x.Offset > maxOffset:
			return errors.New("zone offset beyond 26 hours")
		case x.At%Second != 0:
			return errors.New("zone transition within a second")
		case i > 0 && x.At <= z.Transitions[i-1].At:
			return errors.New("zone transitions are not ascending")
		}
	}
	return nil
}

// sameAs reports whether v names the same window, or has the same boundaries.
func (w *Window) sameAs(v *Window) bool {
	if w.Kind == v.Kind && w.Zone.Name == v.Zone.Name && w.Zone.Name != "" {
		return true
	}
	if w.Kind != v.Kind || w.Zone.Base != v.Zone.Base || len(w.Zone.Transitions) != len(v.Zone.Transitions) {
		return false
	}
	for i, x := range w.Zone.Transitions {
		if x != v.Zone.Transitions[i] {
			return false
		}
	}
	return true
}

// toInstant converts seconds, which may lie beyond what an Instant can say.
func toInstant(seconds int64) Instant {
	const most = int64(MaxInstant / Second)
	switch {
	case seconds > most:
		return MaxInstant
	case seconds < -most:
		return -MaxInstant
	}
	return Instant(seconds) * Second
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civilMonth returns the year and month (1 to 12) of a day of the proleptic
// Gregorian calendar, day 0 being 1970-01-01. After Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years begin
// in March, so that the leap day is the last of its year.
func civilMonth(day int64) (year, month int64) {
	day += 719468 // days from 0000-03-01 to 1970-01-01
	era := floorDiv(day, 146097)
	dayOfEra := day - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	month = (5*dayOfYear+2)/153 + 3
	year = yearOfEra + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month
}

// daysToMonth is the inverse: the day on which a month begins.
func daysToMonth(year, month int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3) + 2) / 5
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}
