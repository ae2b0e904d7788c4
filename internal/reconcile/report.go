package reconcile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// Line is one line of a provider's report.
type Line struct {
	At     string // where it is in the report: "page 1, bucket 3, result 2" or "line 7"
	Day    string // UTC, as 2026-11-26
	Model  string // as the provider names it; "" where the line is of none, or does not say
	Key    string // the provider's id of the API key, project or workspace; "" where it does not say
	Item   string // what was billed, as the report says; "" where it does not say
	Amount ledger.Amount
}

// Left is a line that is not compared.
type Left struct {
	At, Why string
}

// Report is a provider's.
type Report struct {
	Provider string
	Lines    []Line
	Days     []string // that it is about, in order, with and without lines
	Left     []Left
	// Places is the most decimals of a dollar that its amounts have: 2 where it is rounded
	// to cents.
	Places int

	size ledger.Amount // of the amounts without their signs: sums of some of them do not overflow
}

// Bounds of a report: more is no report of days.
const (
	maxLines = 1_000_000
	maxDays  = 400
)

// add appends a line, with its amount read.
func (r *Report) add(l Line, amount, currency string, below int) error {
	if len(r.Lines) == maxLines {
		return fmt.Errorf("%s: there are more than %d lines; read a shorter time", l.At, maxLines)
	}
	if !strings.EqualFold(currency, "usd") {
		r.Left = append(r.Left, Left{l.At, fmt.Sprintf("its currency is %q, and records are in USD", currency)})
		return nil
	}
	var places int
	var err error
	if l.Amount, places, err = parseAmount(amount, below); err != nil {
		return fmt.Errorf("%s: the amount %q %w", l.At, amount, err)
	}
	if r.size += max(l.Amount, -l.Amount); r.size > ledger.MaxAmount {
		return fmt.Errorf("%s: the amounts until here sum to more than can be", l.At)
	}
	r.Places = max(r.Places, places)
	r.Lines = append(r.Lines, l)
	return nil
}

// day takes note of a day that the report is about.
func (r *Report) day(day string) error {
	if n := len(r.Days); n > 0 && r.Days[n-1] == day {
		return nil
	}
	if slices.Contains(r.Days, day) {
		return nil
	}
	if len(r.Days) == maxDays {
		return fmt.Errorf("it is about more than %d days; read a shorter time", maxDays)
	}
	r.Days = append(r.Days, day)
	return nil
}

// wholeDay is the day of a bucket, which has to be one.
func wholeDay(from, to time.Time) (string, error) {
	from, to = from.UTC(), to.UTC()
	if from != from.Truncate(24*time.Hour) || to.Sub(from) != 24*time.Hour {
		return "", fmt.Errorf("it is from %s to %s, which is no day in UTC; ask for buckets of a day (bucket_width=1d)", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return from.Format(time.DateOnly), nil
}

var dated = regexp.MustCompile(`-(20\d{2}-?[01]\d-?[0-3]\d)$`)

// Canonical is a model's name without the date of its version, which records and
// reports do not always have alike.
func Canonical(model string) string {
	model = strings.ToLower(strings.TrimSpace(model))
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		model = model[i+1:] // a path, as Vertex AI and Bedrock have
	}
	return dated.ReplaceAllString(model, "")
}
