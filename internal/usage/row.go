package usage

import (
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// Row is what the records of one group add up to.
type Row struct {
	Values []string       // of TotalsQuery.By, in its order; nil of what is of no one group
	Start  ledger.Instant // of the interval; 0 of a query without intervals, and of a total

	// Requests counts requests, Records what they wrote: one for each upstream
	// call that may have been billed. A request whose records fall into several
	// groups counts in that of its last one. What is no request counts in neither,
	// and has no outcome: only its amounts are added.
	Requests, Records int64

	// Attempts is how many upstream calls those requests made, billed or not; Retries
	// those beyond the first of each.
	Attempts, Retries int64

	Usage    price.Usage
	Cost     ledger.Amount // nano-dollars, as are those below
	List     ledger.Amount // at list prices
	Priced   ledger.Amount // by the catalogue: differs from Cost by what providers reported otherwise
	Hold     ledger.Amount
	Overrun  ledger.Amount
	Baseline ledger.Amount                      // without any lever: Cost and what they saved
	Presumed ledger.Amount                      // of Cost: what a lost node may have spent
	Adjusted ledger.Amount                      // of Cost: corrections and adjustments
	Saved    [record.MaxLever + 1]ledger.Amount // by lever; 0 is one of a newer program
	Outcomes [record.MaxOutcome + 1]int64       // records by outcome; 0 is one of a newer program

	// Judged is how many requests have a reported quality, and Worth the sum of those,
	// in millionths.
	Judged, Worth int64

	// Semantic is how many requests were answered by an answer to another question, and
	// SemanticBound the largest upper bound of the error they were served under, in
	// millionths.
	Semantic, SemanticBound int64

	Total     Latency // of the records with a duration
	FirstByte Latency // of the records that sent a byte

	total, firstByte histogram
}

// SavedTotal is what all levers saved together.
func (r *Row) SavedTotal() ledger.Amount {
	var sum ledger.Amount
	for _, s := range r.Saved {
		sum += s
	}
	return sum
}

// Latency is three quantiles in nanoseconds, within 6 % of the true ones; zero
// when there was nothing to measure.
type Latency struct {
	P50, P90, P99 int64
}

// add counts a record, but not the request it is of; see countRequest.
func (r *Row) add(rec *record.Record) {
	for m, n := range rec.Usage {
		r.Usage[m] += n
	}
	r.Cost += rec.Cost
	r.List += rec.List
	r.Priced += rec.Priced
	r.Hold += rec.Hold
	r.Overrun += rec.Overrun
	r.Baseline += rec.Baseline
	for _, s := range rec.Savings {
		r.Saved[known(s.Lever, record.MaxLever)] += s.Amount
	}
	switch rec.Kind {
	case record.KindRequest:
	case record.KindPresumed:
		r.Presumed += rec.Cost
		return
	default:
		r.Adjusted += rec.Cost
		return
	}
	r.Records++
	r.Outcomes[known(rec.Outcome, record.MaxOutcome)]++
	if rec.Semantic.Verdict == record.SemanticServed {
		r.Semantic++
		r.SemanticBound = max(r.SemanticBound, rec.Semantic.Bound)
	}
	r.total.add(rec.Total)
	r.firstByte.add(rec.FirstByte)
}

// countRequest counts a request that made so many upstream calls.
func (r *Row) countRequest(calls int) {
	r.Requests++
	r.Attempts += int64(calls)
	r.Retries += int64(max(calls-1, 0))
}

// known is v, or 0 for a value that a newer program wrote.
func known[T ~uint8](v, most T) T {
	if v > most {
		return 0
	}
	return v
}

// merge adds o's counts to r.
func (r *Row) merge(o *Row) {
	r.Requests += o.Requests
	r.Records += o.Records
	r.Attempts += o.Attempts
	r.Retries += o.Retries
	for m, n := range o.Usage {
		r.Usage[m] += n
	}
	r.Cost += o.Cost
	r.List += o.List
	r.Priced += o.Priced
	r.Hold += o.Hold
	r.Overrun += o.Overrun
	r.Baseline += o.Baseline
	r.Presumed += o.Presumed
	r.Adjusted += o.Adjusted
	for i, s := range o.Saved {
		r.Saved[i] += s
	}
	for i, n := range o.Outcomes {
		r.Outcomes[i] += n
	}
	r.Judged += o.Judged
	r.Worth += o.Worth
	r.Semantic += o.Semantic
	r.SemanticBound = max(r.SemanticBound, o.SemanticBound)
	r.total.merge(&o.total)
	r.firstByte.merge(&o.firstByte)
}

func (r *Row) measure() {
	r.Total, r.FirstByte = r.total.latency(), r.firstByte.latency()
}
