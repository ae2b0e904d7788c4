package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

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
	Retries  int64 // calls of them beyond the first

	Cost               ledger.Amount
	Presumed, Adjusted ledger.Amount // of Cost
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
	Item  string `json:"item,omitempty"`  // what is billed, where the row is of no model: the first few of the report's words for it

	Billed   ledger.Amount `json:"billed_nanousd"`
	Recorded ledger.Amount `json:"recorded_nanousd"`
	Drift    ledger.Amount `json:"drift_nanousd"`    // billed less recorded
	Relative *float64      `json:"relative"`         // of what was billed; null where nothing was
	Within   bool          `json:"within_rounding"`  // no more than the report's own rounding can be
	Requests int64         `json:"requests"`         // recorded
	Lines    int           `json:"lines"`            // of the report
	Causes   []Cause       `json:"causes,omitempty"` // likely ones, the largest first
	basis    tally         // of what was recorded
	retries  int64
	items    []string // of lines of no model, each once
}

// tally is what in the records speaks for a cause.
type tally struct {
	fullHold, estimated, untiered, presumed, adjusted ledger.Amount
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

// spot is what a row is of. What is of no model is one row, whatever it is: an adjustment of
// it has no model either, and has to be found in the same row again.
type spot struct{ day, model, key string }

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
			rows[s] = &Row{Day: s.day, Model: s.model, Key: s.key}
		}
		return rows[s]
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		s := spot{day: l.Day}
		if c.ByModel {
			s.model = Canonical(l.Model)
		}
		if c.ByKey {
			s.key = cmp.Or(o.Keys[l.Key], l.Key)
		}
		row := at(s)
		row.Billed += l.Amount
		row.Lines++
		if c.ByModel && s.model == "" && l.Item != "" && !slices.Contains(row.items, l.Item) && len(row.items) <= maxItems {
			row.items = append(row.items, l.Item)
		}
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
		row.Item = itemsText(row.items)
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
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Key, b.Key))
	})
	if sorted := slices.Sorted(slices.Values(r.Days)); len(sorted) > 0 {
		c.From, c.To = sorted[0], sorted[len(sorted)-1]
	}
	return c
}

// maxItems and maxItem bound what of a report's words a row repeats, and a note with it.
const maxItems, maxItem = 3, 60

// itemsText names what a row of no model is, so that a note may have it: short, and without
// control characters.
func itemsText(items []string) string {
	short := make([]string, 0, maxItems)
	for _, item := range items[:min(len(items), maxItems)] {
		item = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(item, "\uFFFD"))
		if len(item) > maxItem {
			item = strings.ToValidUTF8(item[:maxItem], "") + "…"
		}
		short = append(short, item)
	}
	text := strings.Join(short, ", ")
	if len(items) > maxItems {
		text += " and others"
	}
	return text
}

func (row *Row) count(x *Recorded) {
	row.Recorded += x.Cost
	row.Requests += x.Requests
	row.retries += x.Retries
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
