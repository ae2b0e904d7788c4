package form

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/ledger"
)

// Payment is what a customer paid as JSON has it.
type Payment struct {
	ID       string          `json:"id"`
	Revision int64           `json:"revision,omitempty"` // absent: 1
	Customer string          `json:"customer"`
	Plan     string          `json:"plan,omitempty"`
	Cohort   string          `json:"cohort,omitempty"`
	Period   string          `json:"period,omitempty"` // a month, 2026-03, UTC; or from and to
	From     string          `json:"from,omitempty"`   // RFC 3339, or a date, UTC
	To       string          `json:"to,omitempty"`     // the same, exclusive
	Amount   json.RawMessage `json:"amount"`           // dollars, a number or a string
	Currency string          `json:"currency,omitempty"`
}

var paymentColumns = []string{"id", "revision", "customer", "plan", "cohort", "period", "from", "to", "amount", "currency"}

// Read reads a payment that was told at an instant.
func (p *Payment) Read(now ledger.Instant) (economics.Payment, *Error) {
	amount, err := literal(p.Amount)
	if err != nil {
		return economics.Payment{}, bad("amount", "amount: %v", err)
	}
	out := economics.Payment{ID: p.ID, Revision: p.Revision, Customer: p.Customer, Plan: p.Plan, Cohort: p.Cohort, Taken: now}
	if out.Revision == 0 {
		out.Revision = 1
	}
	return out, p.complete(&out, amount)
}

func (p *Payment) complete(out *economics.Payment, amount string) *Error {
	var err error
	if out.Amount, err = Dollars(amount); err != nil {
		return bad("amount", "amount: %v", err)
	}
	if err := inDollars(p.Currency); err != nil {
		return bad("currency", "%v", err)
	}
	switch {
	case p.Period != "" && (p.From != "" || p.To != ""):
		return bad("period", "give period, or from and to")
	case p.Period != "":
		month, err := time.Parse("2006-01", p.Period)
		if err != nil {
			return bad("period", "period %.20q is not a month like 2026-03", p.Period)
		}
		out.From, out.To = ledger.Instant(month.UnixNano()), ledger.Instant(month.AddDate(0, 1, 0).UnixNano())
	default:
		for _, end := range []struct {
			name, text string
			to         *ledger.Instant
		}{{"from", p.From, &out.From}, {"to", p.To, &out.To}} {
			if *end.to, err = dateOrInstant(end.text); err != nil {
				return bad(end.name, "%s: %v", end.name, err)
			}
		}
	}
	if field, err := outcomes.CheckPayment(out); err != nil {
		return bad(field, "%v", err)
	}
	return nil
}

func dateOrInstant(s string) (ledger.Instant, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return Instant(t.Format(time.RFC3339))
	}
	return Instant(s)
}

// RevenueCSV reads payments line by line, as [CSV] does outcomes. The columns are id,
// customer and amount, and revision, plan, cohort, currency, and period or from and to.
func RevenueCSV(in io.Reader, now ledger.Instant, each func(line int, p economics.Payment, fault *Error) bool) error {
	known := func(name string) bool { return slices.Contains(paymentColumns, name) }
	return rows(in, known, []string{"id", "customer", "amount"}, func(line int, row map[string]string, fault *Error) bool {
		var p economics.Payment
		if fault == nil {
			p, fault = paymentCells(row, now)
		}
		return each(line, p, fault)
	})
}

func paymentCells(row map[string]string, now ledger.Instant) (economics.Payment, *Error) {
	in := Payment{ID: row["id"], Revision: 1, Customer: row["customer"], Plan: row["plan"], Cohort: row["cohort"], Period: row["period"], From: row["from"], To: row["to"], Currency: row["currency"]}
	if s := row["revision"]; s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return economics.Payment{}, bad("revision", "revision %.20q is not a whole number", s)
		}
		in.Revision = n
	}
	out := economics.Payment{ID: in.ID, Revision: in.Revision, Customer: in.Customer, Plan: in.Plan, Cohort: in.Cohort, Taken: now}
	return out, in.complete(&out, strings.TrimSpace(row["amount"]))
}
