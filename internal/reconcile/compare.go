package reconcile

import (
	"cmp"
	"slices"
	"time"

	"purser/ledger"
)

// Recorded is what the usage records say of one day, model and key, and of calls whose
// charges rest on one thing. Amounts are nano-dollars.
type Recorded struct {
	Day      string // UTC, as 2026-11-26
	Model    string // as the provider named it, or else as it was asked for
	Key      string // the credential that the calls were sent with; "" where it is not known
	Basis    string // reported, reported_cost, estimated, full_hold
	Tier     string // as billed; "" where the provider did not say
	Requests int64

	Cost               ledger.Amount
	Presumed, Adjusted ledger.Amount // of Cost
	Overrun            ledger.Amount
}

// Options say how to compare.
type Options struct {
	// Keys are the credentials by the provider's ids of keys, projects or workspaces. Where
	// it is nil, keys are not told apart.
	Keys map[string]string
	// Complete says that no record is known to be missing.
	Complete bool
}

// Row is one day, and where the report tells them apart one model and one key of it.
type Row struct {
	Day   string `json:"day"`
	Model string `json:"model,omitempty"` // without the date of its version
	Key   string `json:"key,omitempty"`   // the credential, or what the report calls a key that has none
	Item  string `json:"item,omitempty"`  // what is billed, of lines that are of no model

	Billed   ledger.Amount `json:"billed_nanousd"`
	Recorded ledger.Amount `json:"recorded_nanousd"`
	Drift    ledger.Amount `json:"drift_nanousd"`    // billed less recorded
	Relative *float64      `json:"relative"`         // of what was billed; null where nothing was
	Within   bool          `json:"within_rounding"`  // no more than the report's own rounding can be
	Requests int64         `json:"requests"`         // recorded
	Lines    int           `json:"lines"`            // of the report
	Causes   []Cause       `json:"causes,omitempty"` // likely ones, the largest first
	basis    tally         // of what was recorded
}

// tally is what in the records speaks for a cause.
type tally struct {
	fullHold, estimated, untiered, presumed, adjusted, overrun ledger.Amount
}

// Comparison is the whole.
type Comparison struct {
	Provider string        `json:"provider"`
	From     string        `json:"from"` // the first day
	To       string        `json:"to"`   // the last
	Billed   ledger.Amount `json:"billed_nanousd"`
	Recorded ledger.Amount `json:"recorded_nanousd"`
	Drift    ledger.Amount `json:"drift_nanousd"`
	Relative *float64      `json:"relative"`
	ByModel  bool          `json:"by_model"` // the report tells models apart
	ByKey    bool          `json:"by_key"`
	Complete bool          `json:"complete"` // no record is known to be missing
	Rows     []Row         `json:"rows"`
	Left     []Left        `json:"left_out,omitempty"` // lines that are not compared
}

// spot is what a row is of.
type spot struct{ day, model, key, item string }

// Compare puts a report beside what was recorded on its days.
func Compare(r *Report, recorded []Recorded, o Options) *Comparison {
	c := &Comparison{Provider: r.Provider, Complete: o.Complete, Left: r.Left, ByKey: o.Keys != nil, Rows: []Row{}}
	for i := range r.Lines {
		c.ByModel = c.ByModel || r.Lines[i].Model != ""
	}
	days := map[string]bool{}
	for _, d := range r.Days {
		days[d] = false
	}
	rows := map[spot]*Row{}
	at := func(s spot) *Row {
		if rows[s] == nil {
			rows[s] = &Row{Day: s.day, Model: s.model, Key: s.key, Item: s.item}
		}
		return rows[s]
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		s := spot{day: l.Day}
		if c.ByModel {
			if s.model = Canonical(l.Model); s.model == "" {
				s.item = l.Item
			}
		}
		if c.ByKey {
			s.key = cmp.Or(o.Keys[l.Key], l.Key)
		}
		row := at(s)
		row.Billed += l.Amount
		row.Lines++
		days[l.Day] = true
	}
	for i := range recorded {
		x := &recorded[i]
		if _, ok := days[x.Day]; !ok {
			continue
		}
		s := spot{day: x.Day}
		if c.ByModel {
			s.model = Canonical(x.Model)
		}
		if c.ByKey {
			s.key = x.Key
		}
		at(s).count(x)
	}
	for _, row := range rows {
		row.Drift = row.Billed - row.Recorded
		row.Relative = ratio(row.Drift, row.Billed)
		row.judge(r.Places, days[row.Day], o.Complete)
		c.Billed += row.Billed
		c.Recorded += row.Recorded
		c.Rows = append(c.Rows, *row)
	}
	c.Drift = c.Billed - c.Recorded
	c.Relative = ratio(c.Drift, c.Billed)
	slices.SortFunc(c.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Key, b.Key))
	})
	if sorted := slices.Sorted(slices.Values(r.Days)); len(sorted) > 0 {
		c.From, c.To = sorted[0], sorted[len(sorted)-1]
	}
	return c
}

func (row *Row) count(x *Recorded) {
	row.Recorded += x.Cost
	row.Requests += x.Requests
	t := &row.basis
	switch x.Basis {
	case "full_hold":
		t.fullHold += x.Cost
	case "estimated":
		t.estimated += x.Cost
	case "reported":
		if x.Tier == "" || x.Tier == "auto" {
			t.untiered += x.Cost
		}
	}
	t.presumed += x.Presumed
	t.adjusted += x.Adjusted
	t.overrun += x.Overrun
}

func ratio(part, whole ledger.Amount) *float64 {
	if whole == 0 {
		return nil
	}
	f := float64(part) / float64(whole)
	return &f
}

// Span is the time that the days of a report are, in nanoseconds since the epoch: what
// was recorded is to be asked for it. The second is not in it any more.
func (r *Report) Span() (from, to ledger.Instant) {
	days := slices.Sorted(slices.Values(r.Days))
	if len(days) == 0 {
		return 0, 0
	}
	first, _ := time.Parse(time.DateOnly, days[0]) // they were read as days
	last, _ := time.Parse(time.DateOnly, days[len(days)-1])
	return ledger.Instant(first.UnixNano()), ledger.Instant(last.Add(24 * time.Hour).UnixNano())
}
