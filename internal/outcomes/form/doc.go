// Package form reads outcomes, and what customers paid, as other programs write them: JSON,
// CSV, Stripe's meter events and Langfuse's scores. It is pure: who reports, and what time it
// is, are told to it, and nothing is kept.
//
// Money is decimal text and becomes nano-dollars exactly, or is refused: no amount passes
// through a floating-point number.
//
// Sources: the meter event is that of Stripe's API (POST /v1/billing/meter_events, and the
// object billing.meter_event), its signature the scheme v1 of Stripe's webhooks
// (HMAC-SHA256 over timestamp, a full stop and the body); the score is the CreateScoreRequest
// of Langfuse's API (POST /api/public/scores).
package form

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"purser/internal/outcomes"
	"purser/ledger"
)

// Teller is who reports, by which way and when.
type Teller struct {
	Key, Org string
	Source   outcomes.Source
	Now      ledger.Instant
	Oldest   ledger.Instant // what is of an earlier time is not kept
}

// early is how far a reporter's clock may be ahead.
const early = 5 * ledger.Minute

// Error is input that is no outcome.
type Error struct {
	Item    int    // of many, from 0
	Field   string // of it, as the input names it
	Message string // in words for who wrote it
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func bad(field, format string, args ...any) *Error {
	return &Error{Field: field, Message: fmt.Sprintf(format, args...)}
}

// report completes a report with who tells it, and checks it.
func (t Teller) report(r *outcomes.Report) *Error {
	r.Key, r.Org, r.Source, r.Taken = t.Key, t.Org, t.Source, t.Now
	if r.At == 0 {
		r.At, r.Told = t.Now, false
	}
	if r.Count == 0 {
		r.Count = 1
	}
	if r.Told && r.At > t.Now+early {
		return bad("at", "at is in the future")
	}
	if field, err := r.Check(); err != nil {
		return bad(field, "%v", err)
	}
	switch r.Join.Kind { // what is of a time far ahead would be kept for good
	case outcomes.OfRequest:
		if r.Until() > t.Now+early {
			return bad("join", "join.request_id is of a request that is yet to come")
		}
	case outcomes.OfWhere:
		if r.Join.From > t.Now+outcomes.Ahead {
			return bad("join", "join.from is more than 7 days ahead")
		}
	}
	if r.Until() <= t.Oldest {
		return bad("join", "what it is of, %s, is older than records are kept here", r.Join.String())
	}
	return nil
}

// The amounts that are read.
const (
	maxWhole = 12 // digits before the point
	places   = 9
)

// Dollars reads an amount such as "-12.345" exactly: decimal, without an exponent, with at
// most nine decimals.
func Dollars(s string) (ledger.Amount, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, decimals, point := strings.Cut(digits, ".")
	if !numeric(whole) || point && !numeric(decimals) {
		return 0, fmt.Errorf("%.40q is not an amount such as 12.5", s)
	}
	if trimmed := strings.TrimRight(decimals, "0"); len(trimmed) > places {
		return 0, fmt.Errorf("%.40q has more than nine decimals", s)
	} else if decimals = trimmed; len(whole) > maxWhole {
		return 0, fmt.Errorf("%.40q is too large", s)
	}
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", places-len(decimals)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is too large", s)
	}
	if negative {
		n = -n
	}
	return ledger.Amount(n), nil
}

func numeric(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// inDollars refuses other currencies: converting takes a rate, which is the reporter's to
// choose.
func inDollars(currency string) error {
	if currency == "" || strings.EqualFold(currency, "usd") {
		return nil
	}
	return fmt.Errorf("amounts are in USD, not in %.10q: costs are, and what is converted at a rate nobody chose is no margin; convert it first", currency)
}

// Instant reads a time such as 2026-01-31T08:00:00Z.
func Instant(s string) (ledger.Instant, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return 0, fmt.Errorf("%.40q is not a time like 2026-01-31T08:00:00Z", s)
	}
	return ledger.Instant(t.UnixNano()), nil
}

// quality reads a quality within 0 to 1 in millionths.
func quality(s string) (int64, error) {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0, fmt.Errorf("quality is not within 0 to 1")
	}
	return int64(math.Round(q * outcomes.Whole)), nil
}

// dayOf is the day, UTC, of an instant.
func dayOf(at ledger.Instant) (from, to ledger.Instant) {
	const day = 24 * ledger.Hour
	from = at / day * day
	return from, from + day
}

// matches are dimensions with their values. A window that is not given is the day, UTC, of
// the outcome.
func matches(j *outcomes.Join, of map[string]string, at ledger.Instant) *Error {
	if j.Kind != 0 {
		return bad("join", "join has more than one of request_id, run, session, trace_id, dimensions")
	}
	j.Kind = outcomes.OfWhere
	for name, value := range of {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return bad("join", "join.dimensions: %.80q is no dimension and no tag:<name>", name)
		}
		j.Where = append(j.Where, outcomes.Match{Dim: ref, Value: value})
	}
	switch {
	case j.From == 0 && j.To == 0 && at == 0:
		return bad("join", "an outcome of dimensions needs at, whose day it is of then, or from and to")
	case j.From == 0 && j.To == 0:
		j.From, j.To = dayOf(at)
	}
	return nil
}
