package price

import (
	"fmt"

	"purser/ledger"
)

// parseDate reads "2006-01-02" as the first instant of that day, UTC.
func parseDate(s string) (ledger.Instant, error) {
	bad := fmt.Errorf("date %q is not of the form 2006-01-02", s)
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, bad
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 || y < 1970 || y > 2200 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, bad
	}
	return ledger.Instant(daysSinceEpoch(y, m, d)) * ledger.Day, nil
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, len(s) > 0
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts in years that begin in March, so that the leap day is
// the last of its year.
func daysSinceEpoch(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	const toEpoch = 719468 // days from 0000-03-01 to 1970-01-01
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - toEpoch
}

// span is a part of every day, in seconds of the day UTC, the end not
// included. It runs over midnight when until is at or before from. The zero
// span is the whole day.
type span struct{ from, until int32 }

const secondsPerDay = int32(ledger.Day / ledger.Second)

// parseSpan reads "16:30-00:30". The empty string is the whole day.
func parseSpan(s string) (span, error) {
	if s == "" {
		return span{}, nil
	}
	bad := fmt.Errorf("hours %q are not of the form 16:30-00:30", s)
	if len(s) != 11 || s[2] != ':' || s[5] != '-' || s[8] != ':' {
		return span{}, bad
	}
	var at [2]int32
	for i, part := range []string{s[:5], s[6:]} {
		h, ok1 := digits(part[:2])
		m, ok2 := digits(part[3:])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return span{}, bad
		}
		at[i] = int32(h*3600 + m*60)
	}
	if at[0] == at[1] {
		return span{}, bad
	}
	return span{at[0], at[1]}, nil
}

func (s span) has(t ledger.Instant) bool {
	if s == (span{}) {
		return true
	}
	of := t % ledger.Day
	if of < 0 {
		of += ledger.Day
	}
	sec := int32(of / ledger.Second)
	if s.from < s.until {
		return s.from <= sec && sec < s.until
	}
	return sec >= s.from || sec < s.until
}

// overlaps tells whether some second of the day is in both.
func (s span) overlaps(o span) bool {
	for _, cut := range [2]int32{s.from, o.from} {
		t := ledger.Instant(cut%secondsPerDay) * ledger.Second
		if s.has(t) && o.has(t) {
			return true
		}
	}
	return false
}

// dashedDate rewrites the first "-20250807" of a model's name that ends there,
// or before '-' or ':', as "-2025-08-07". It reports whether there was one.
// Providers and resellers write the same snapshot both ways.
func dashedDate(name string) (string, bool) {
	for i := 0; i+9 <= len(name); i++ {
		if name[i] != '-' || i+9 < len(name) && name[i+9] != '-' && name[i+9] != ':' {
			continue
		}
		d := name[i+1 : i+9]
		dashed := d[:4] + "-" + d[4:6] + "-" + d[6:]
		if _, err := parseDate(dashed); err == nil && d[:2] == "20" {
			return name[:i+1] + dashed + name[i+9:], true
		}
	}
	return name, false
}
