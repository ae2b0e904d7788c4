package reconcile

import (
	"cmp"
	"slices"

	"purser/ledger"
)

// CauseKind is why a report and the records may differ.
type CauseKind string

// The kinds of cause.
const (
	Rounding    CauseKind = "rounding"        // the report is rounded
	NoUsage     CauseKind = "no_usage"        // calls whose usage is unknown were charged whole holds
	Estimated   CauseKind = "estimated"       // usage was counted from what passed through
	UnknownTier CauseKind = "unknown_tier"    // the provider did not say which tier it served
	Presumed    CauseKind = "presumed"        // what a lost node may have spent
	Retries     CauseKind = "retries"         // calls were tried again, and what came to nothing was charged nothing
	Outside     CauseKind = "outside"         // nothing of it went through the gateway
	NotReported CauseKind = "not_reported"    // the report has nothing of it
	MissingDay  CauseKind = "missing_day"     // the report has nothing of the day
	Incomplete  CauseKind = "records_missing" // nodes did not answer
	Prices      CauseKind = "prices"          // what is left: prices, discounts, taxes, free allowances
)

// Cause is a likely one.
type Cause struct {
	Kind CauseKind `json:"kind"`
	// Most is how much of the difference it can be, without a sign, nano-dollars; 0 where
	// nothing says.
	Most ledger.Amount `json:"at_most_nanousd,omitempty"`
	Why  string        `json:"why"`
}

// judge names the likely causes of a row's drift.
func (row *Row) judge(places int, dayThere, complete bool) {
	size := max(row.Drift, -row.Drift)
	rounding := halfUnit(places) * ledger.Amount(row.Lines)
	own := ledger.Amount(row.Lines+1) / 2 // lines are read to the nearest nano-dollar
	if row.Drift < 0 {
		own += ledger.Amount(row.Requests) // and records are rounded up to whole ones
	}
	row.Within = row.Drift == 0 || row.Lines > 0 && size <= rounding+own
	if row.Drift == 0 {
		return
	}
	add := func(kind CauseKind, most ledger.Amount, why string) {
		row.Causes = append(row.Causes, Cause{kind, min(most, size), why})
	}
	t, over := &row.basis, row.Drift < 0 // more was recorded than was billed
	if row.Lines > 0 && (rounding > 0 || row.Within) {
		add(Rounding, rounding+own, "each line of the report may be off by half of its last decimal, and each record is rounded up to a nano-dollar")
	}
	if !complete {
		add(Incomplete, 0, "records of nodes that did not answer are missing")
	}
	switch {
	case row.Lines == 0 && !dayThere:
		add(MissingDay, size, "the report has nothing of this day: it is late, or was asked for with a filter")
	case row.Lines == 0:
		add(NotReported, size, "the report has nothing of it: it is under another name, or the calls were not billed")
	case row.Item != "" && row.Recorded == 0:
		add(Outside, size, "it is billed apart from models; the records have what tools cost with the model that used them, so compare the day as a whole, or nothing of it went through the gateway")
	case row.Requests == 0 && row.Recorded == 0:
		add(Outside, size, "nothing of it is in the records: it was asked for without the gateway, with another key, or is billed under another name")
	}
	if over && t.fullHold > 0 {
		add(NoUsage, t.fullHold, "calls that failed, were tried again or broke off without usage were charged their whole hold; the provider may have billed less")
	}
	if over && t.presumed > 0 {
		add(Presumed, t.presumed, "what a lost node may have spent was charged")
	}
	if t.estimated > 0 {
		add(Estimated, t.estimated, "usage was counted from what passed through, not reported")
	}
	if over && t.untiered > 0 && row.Lines > 0 {
		add(UnknownTier, t.untiered, "the provider did not say which tier it served; the dearest that could apply was charged")
	}
	if !over && row.retries > 0 {
		add(Retries, 0, "calls were tried again; one whose upstream reported no usage may be charged nothing here, and be billed")
	}
	if row.Lines > 0 && row.Requests > 0 && !row.Within {
		add(Prices, size, "what remains: prices that differ from the catalogue's, discounts, free allowances, taxes, or calls without the gateway")
	}
	slices.SortStableFunc(row.Causes, func(a, b Cause) int {
		if (a.Kind == Prices) != (b.Kind == Prices) { // what is left comes last
			return cmp.Compare(btoi(a.Kind == Prices), btoi(b.Kind == Prices))
		}
		return cmp.Compare(b.Most, a.Most)
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// halfUnit is half of a report's last decimal; 0 for one that is finer than nano-dollars.
func halfUnit(places int) ledger.Amount {
	if places >= nanoDecimals {
		return 0
	}
	unit := ledger.NanoPerUSD
	for range places {
		unit /= 10
	}
	return ledger.Amount(unit / 2)
}
