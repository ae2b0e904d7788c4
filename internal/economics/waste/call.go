package waste

import (
	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
)

// call is what is looked at of one record.
type call struct {
	r     *record.Record
	id    record.ID
	terms Terms
	model key // that it was priced as, and where it went
	run   key // 0 for none
	task  key // 0 for none
	group key // whose runs are alike; 0 for none
	peers key // calls with the same beginning, of one task and model; 0 for none
}

func callOf(r *record.Record, p Prices) (c call) {
	c.r, c.terms = r, p.Terms(r)
	c.id, _ = record.ParseID(r.ID)
	d := &r.Dims.Values
	c.model = newKey.text(r.Upstream).text(d[ledger.DimModel])
	if c.terms.Rate != nil {
		c.model = newKey.text(c.terms.Rate.Provider).text(c.terms.Rate.Model)
	}
	scope := newKey.text(d[ledger.DimOrg])
	if d[ledger.DimOrg] == "" {
		scope = scope.text(d[ledger.DimKey])
	}
	if run := d[ledger.DimRun]; run != "" {
		c.run = scope.text(run)
	}
	agent, feature, prompt := d[ledger.DimAgent], d[ledger.DimFeature], d[ledger.DimPrompt]
	if agent != "" || feature != "" {
		c.group = newKey.text(agent).text(feature)
	}
	if agent != "" || feature != "" || prompt != "" || r.Route.Cluster != 0 {
		c.task = newKey.text(agent).text(feature).text(prompt).number(uint64(r.Route.Cluster))
	}
	if r.Prefix != 0 {
		c.peers = newKey.number(r.Prefix).number(uint64(c.model)).number(uint64(c.task))
	}
	return c
}

// end is when the answer was there.
func (c *call) end() ledger.Instant { return c.r.At + ledger.Instant(c.r.Total) }

// billed says whether its usage is known, so that a part of it can be priced.
func (c *call) billed() bool {
	if c.terms.Rate == nil {
		return false
	}
	switch c.r.Basis {
	case record.Reported, record.ReportedCost, record.Estimated:
		return true
	}
	return false
}

// cut says whether the answer ended at its cap.
func (c *call) cut() bool {
	return c.r.OutputCap > 0 && c.r.Gist != 0 && c.r.Usage.TotalOutput() >= c.r.OutputCap
}

// answered says whether there was an answer that would have done for whoever asks again.
func (c *call) answered() bool {
	switch c.r.Outcome {
	case record.Completed, record.CacheHit, record.Coalesced:
		return !c.undelivered() && !c.cut()
	}
	return false
}

// undelivered says whether nothing of an answer that was made reached the client.
func (c *call) undelivered() bool { return c.r.Made > 0 && c.r.Delivered == 0 }

// nobody says whether nobody got an answer to the call.
func (c *call) nobody() bool {
	switch c.r.Outcome {
	case record.UpstreamError, record.Truncated, record.Denied, record.Undecided, record.Refused:
		return true
	case record.Disconnected:
		return c.r.Delivered == 0
	}
	return c.undelivered()
}

// same is what calls have in common that ask the same thing of the same model: the
// fingerprint, or where there is none, all that is known of them. 0: nothing is known, or
// the client repeats on purpose.
func (c *call) same() key {
	switch {
	case c.r.Gist == 0:
		return 0
	case c.r.Fingerprint != 0:
		return newKey.number(c.r.Fingerprint)
	}
	return newKey.number(c.r.Gist).number(c.r.Prefix).number(uint64(c.model)).number(uint64(c.r.Usage.TotalInput()))
}

// worth is what was reported of a call: how good it was, 0 to 1; ok is false where nothing
// says so.
func worth(e *economics.Evidence) (good float64, ok bool) {
	switch {
	case e.Successes+e.Failures > 0:
		return float64(e.Successes) / float64(e.Successes+e.Failures), true
	case e.Judged > 0:
		return float64(e.Quality) / float64(e.Judged) / economics.Whole, true
	}
	return 0, false
}
