package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
	"purser/proxy/route/learned"
)

// judged keeps what answers were worth, and judges canaries by it.
type judged struct {
	node     string // this one's id
	store    *store.Store
	kept     *outcomes.Store
	reports  *outcomes.Reports
	payments *outcomes.Payments
	records  *usage.Journal
	rules    *ruleBook
	learner  *learner
	others   *colleagues // nil: this node is alone
	log      *slog.Logger

	config    OutcomesConfig
	retention ledger.Instant // of records
	asking    chan struct{}  // bounds the questions about unit economics

	mu       sync.Mutex             // guards what follows
	trials   map[string]*trial      // of routers that have a canary, by their IDs
	verdicts map[canaryName]string  // that the directory does not have yet: why it goes back
	written  func(canaryName) error // writes one; set once, before anything runs
	decided  chan struct{}          // capacity 1: there is a verdict
}

// trial is what was heard of a canary on this node.
type trial struct {
	of             canaryName
	canary, others learned.Tally
}

func newJudged(n *Node) *judged {
	var note outcomes.Note
	if n.copies != nil {
		note = n.copies.Note
	}
	return &judged{
		node: n.cfg.Node.ID, store: n.store, kept: outcomes.Open(n.store, note), reports: outcomes.OpenReports(n.store, note), payments: outcomes.OpenPayments(n.store, note),
		records: n.usage, rules: &n.objects, learner: n.learner, log: n.log,
		config: n.cfg.Outcomes, retention: ledger.Instant(n.cfg.Usage.Retention), asking: make(chan struct{}, maxUnits),
		trials: map[string]*trial{}, verdicts: map[canaryName]string{}, decided: make(chan struct{}, 1),
	}
}

// flushAge is up to which age a record may not be on disk yet.
const flushAge = 10 * ledger.Second

// Report implements proxy.Outcomes: here, or on the node that has the record.
func (j *judged) Report(ctx context.Context, o proxy.Outcome) (kept int64, first bool, e *dialect.Error) {
	id, ok := record.ParseID(o.Request)
	if !ok {
		return 0, false, dialect.NewError(dialect.CodeInvalidValue, "request_id", "request_id is not the id of a request: answers have it in the header x-purser-request-id")
	}
	kept, first, known, err := j.take(ctx, id, o)
	if err == nil && !known && j.others != nil {
		kept, first, known, err = j.others.report(ctx, o)
	}
	switch {
	case err != nil:
		j.log.Warn("an outcome was not kept", "error", err)
		return 0, false, dialect.NewError(dialect.CodeStorage, "", "whether the outcome is kept is not certain; report it again")
	case !known:
		return 0, false, dialect.NewError(dialect.CodeUnknownRequest, "request_id", "no node that answers has a record of this request of this key or its organisation: a record is there when its answer has ended, and goes with the node that gave it")
	}
	return kept, first, nil
}

// take keeps an outcome of a request that this node has a record of. known is false
// where it has none that o's key may speak of.
func (j *judged) take(ctx context.Context, id record.ID, o proxy.Outcome) (kept int64, first, known bool, err error) {
	r, err := j.find(ctx, id, o.Request)
	if err != nil || r == nil || !speaksOf(&o, &r.Dims) {
		return 0, false, false, err
	}
	name, s := j.sided(r)
	if s != noSide { // before it is kept: what is read then has it not
		j.trialOf(ctx, name)
	}
	out, first, err := j.kept.Put(outcomes.Outcome{Request: id, At: o.At, Quality: o.Quality})
	if err != nil {
		return 0, false, true, err
	}
	if first && s != noSide {
		j.mu.Lock()
		if t := j.trials[name.router]; t != nil && t.of == name {
			j.weigh(t, s, out.Share())
		}
		j.mu.Unlock()
	}
	return out.Quality, first, true, nil
}

// worth is what the answer to a request was reported to be worth here, in millionths.
func (j *judged) worth(id record.ID) (int64, bool, error) {
	o, found, err := j.kept.Get(id)
	return o.Quality, found, err
}

// speaksOf says whether a key may say what an answer was worth: its own, or one of the
// organisation that it is bound to.
func speaksOf(o *proxy.Outcome, d *ledger.Dimensions) bool {
	return o.Key == d.Values[ledger.DimKey] || o.Org != "" && o.Org == d.Values[ledger.DimOrg]
}

// find gives the record of the last attempt of a request; nil where there is none.
func (j *judged) find(ctx context.Context, id record.ID, text string) (*record.Record, error) {
	list, err := j.records.Get(ctx, text)
	if err != nil || len(list) > 0 {
		return last(list), err
	}
	if age := now() - id.At(); age > flushAge || age < -flushAge {
		return nil, nil
	}
	if err := j.records.Flush(ctx); err != nil {
		return nil, err
	}
	list, err = j.records.Get(ctx, text)
	return last(list), err
}

func last(list []record.Record) *record.Record {
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

// side is where an outcome counts when a canary is judged.
type side uint8

const (
	noSide    side = iota
	forCanary      // it is of the canary's answer
	forOthers      // it is of a request that the canary was not drawn for
)

// answered says whether a request had an answer of a model.
func answered(o record.Outcome) bool {
	switch o {
	case record.Completed, record.CacheHit, record.Coalesced, record.Disconnected, record.Truncated, record.CutShort:
		return true
	default:
		return false
	}
}

// answer is the router that a request was scored by, and the candidate that answered;
// "" where there is none as routes are now.
func (j *judged) answer(r *record.Record) (router, candidate string) {
	rules, err := j.rules.compiled()
	if err != nil || r.Route.Name == "" || !answered(r.Outcome) {
		return "", ""
	}
	to := rules.Route(r.Route.Name)
	if to == nil || to.Learner() == "" || rules.Router(to.Learner()) == nil {
		return "", ""
	}
	return to.Learner(), answerOf(to, r.Dims.Values[ledger.DimModel], r.Upstream)
}

// sided is the canary that an outcome of the request is to judge, and how.
func (j *judged) sided(r *record.Record) (canaryName, side) {
	router, candidate := j.answer(r)
	c := j.canary(router)
	switch {
	case candidate == "" || c == nil || c.RolledBack != "" || r.At < instantAt(c.Since):
		return canaryName{}, noSide
	case !r.Route.Canary:
		return nameCanary(router, c), forOthers
	case candidate == c.Candidate:
		return nameCanary(router, c), forCanary
	}
	return canaryName{}, noSide // it failed, and another answered
}

// canary is that of a router, as of now; nil where it has none.
func (j *judged) canary(router string) *learned.Canary {
	rules, err := j.rules.compiled()
	if err != nil {
		return nil
	}
	if r := rules.Router(router); r != nil {
		return r.Canary
	}
	return nil
}

// weigh counts an outcome and judges. It is called with mu held.
func (j *judged) weigh(t *trial, s side, quality float64) {
	if s == forCanary {
		t.canary.Add(quality)
	} else {
		t.others.Add(quality)
	}
	c := j.canary(t.of.router)
	if c == nil || nameCanary(t.of.router, c) != t.of || j.verdicts[t.of] != "" {
		return
	}
	reason, back := c.Judge(&t.canary, &t.others)
	if !back {
		return
	}
	j.learner.stopped.Store(t.of, struct{}{})
	j.verdicts[t.of] = reason
	select {
	case j.decided <- struct{}{}:
	default:
	}
}

// maxReplayed bounds the outcomes that are read to know a canary again.
const maxReplayed = 100_000

// trialOf has what was heard of a canary counted, once it is asked for.
func (j *judged) trialOf(ctx context.Context, name canaryName) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if t := j.trials[name.router]; t != nil && t.of == name {
		return
	}
	t := &trial{of: name}
	j.trials[name.router] = t
	n := 0
	for o, err := range j.kept.Since(ctx, instantAt(name.since)) {
		var list []record.Record
		if err == nil {
			list, err = j.records.Get(ctx, o.Request.String())
		}
		if err != nil {
			j.log.Warn("not all outcomes of a canary are known again", "router", name.router, "error", err)
			return
		}
		if r := last(list); r != nil {
			if of, s := j.sided(r); s != noSide && of == name {
				j.weigh(t, s, o.Share())
			}
		}
		if n++; n == maxReplayed {
			return
		}
	}
}

// judgeEvery is how soon a canary that was put is known, and a roll-back that could not
// be written is tried again.
const judgeEvery = time.Second

// watch counts what was heard of canaries before this node began, and writes that they
// go back. It returns when ctx is done.
func (j *judged) watch(ctx context.Context) {
	t := time.NewTicker(judgeEvery)
	defer t.Stop()
	for {
		j.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-j.decided:
		}
	}
}

func (j *judged) look(ctx context.Context) {
	rules, err := j.rules.compiled()
	if err != nil {
		return
	}
	live := map[canaryName]bool{}
	for id, r := range rules.Routers() {
		if r.Canary != nil && r.Canary.RolledBack == "" {
			name := nameCanary(id, r.Canary)
			live[name] = true
			j.trialOf(ctx, name)
		}
	}
	j.mu.Lock()
	var write []canaryName
	for id, t := range j.trials {
		if !live[t.of] {
			delete(j.trials, id)
		}
	}
	for name := range j.verdicts {
		if live[name] {
			write = append(write, name)
			continue
		}
		delete(j.verdicts, name)
		j.learner.stopped.Delete(name)
	}
	j.mu.Unlock()
	for _, name := range write {
		if err := j.written(name); err != nil && ctx.Err() == nil {
			j.log.Warn("a canary is rolled back on this node alone, and will be on all when that can be written", "router", name.router, "error", err)
		}
	}
}

// verdict is why a canary goes back.
func (j *judged) verdict(name canaryName) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.verdicts[name]
}

// heard adds up what was heard of a router's candidates, by cluster: of requests since
// it was trained, and of reports within [from, until).
func (j *judged) heard(ctx context.Context, router string, trained, from, until ledger.Instant) ([]learned.Heard, error) {
	type of struct {
		cluster   int64
		candidate string
	}
	sums := map[of]*learned.Tally{}
	var order []of
	for o, err := range j.kept.Since(ctx, trained) {
		if err != nil {
			return nil, err
		}
		if o.At < from || o.At >= until {
			continue
		}
		list, err := j.records.Get(ctx, o.Request.String())
		if err != nil {
			return nil, err
		}
		r := last(list)
		if r == nil || r.Route.Cluster <= 0 {
			continue
		}
		name, candidate := j.answer(r)
		if name != router || candidate == "" {
			continue
		}
		k := of{r.Route.Cluster, candidate}
		if sums[k] == nil {
			if len(sums) == learned.MaxClusters*learned.MaxCandidates {
				return nil, fmt.Errorf("there are outcomes of more than %d clusters and candidates", len(sums))
			}
			sums[k] = &learned.Tally{}
			order = append(order, k)
		}
		sums[k].Add(o.Share())
	}
	out := make([]learned.Heard, 0, len(order))
	for _, k := range order {
		out = append(out, learned.Heard{Cluster: k.cluster, Candidate: k.candidate, Tally: *sums[k]})
	}
	return out, nil
}
