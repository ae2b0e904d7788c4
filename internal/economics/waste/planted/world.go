package planted

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/gist"
	"purser/proxy/price"
)

// Planted is one record, with what was reported of its answer and what was planted.
type Planted struct {
	Record   record.Record
	Evidence economics.Evidence
	Kind     string                   // of traffic: what happens in the story
	Waste    map[string]ledger.Amount // by class; none: all of it was justified
}

// Now is when workloads end.
const Now = 1_790_000_000 * ledger.Second

// Days is how long they last.
const Days = 4

// world is where stories happen.
type world struct {
	rand   *rand.Rand
	prices *price.Catalogue
	list   []*Planted
	serial uint64
}

// Make makes the workload of a seed; size 1 has some eight thousand records.
func Make(seed uint64, size int, prices *price.Catalogue) []*Planted {
	w := &world{rand: rand.New(rand.NewPCG(seed, 9)), prices: prices}
	for range size {
		w.people()
		w.popular()
		w.corrections()
		w.agents()
		w.applications()
		w.tasks()
	}
	w.unknown()
	slices.SortStableFunc(w.list, func(a, b *Planted) int { return cmp.Compare(a.Record.ID, b.Record.ID) })
	return w.list
}

// sometime is an instant of the workload, with room for what follows it.
func (w *world) sometime() ledger.Instant {
	return Now - Days*ledger.Day + ledger.Instant(w.rand.Int64N(int64((Days*24-30)*ledger.Hour)))
}

func (w *world) between(least, most int64) int64 { return least + w.rand.Int64N(most-least+1) }

func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

func seconds(n int64) ledger.Instant { return ledger.Instant(n) * ledger.Second }

// id is a new one of an instant.
func (w *world) id(at ledger.Instant) string {
	id := record.FirstID(at)
	w.serial++
	for i := range 8 {
		id[15-i] = byte(w.serial >> (8 * i))
	}
	return id.String()
}

// caller is who asks, and with what.
type caller struct {
	org, key, feature, agent string
	model                    string
	system                   string
	tokens                   int64 // that system has; 0: about a quarter of its bytes
}

// turn is one message.
type turn struct{ role, text string }

// request is one call of the story.
type request struct {
	caller
	at      ledger.Instant
	run     string
	turns   []turn
	cap     int64
	output  int64
	fresh   bool  // the client wants another answer than before
	beside  int64 // input tokens beside instructions and turns
	refined func(*record.Record)
}

func tokens(text string) int64 { return int64(len(text))/4 + 1 }

func (c *caller) instructions() int64 {
	if c.tokens > 0 {
		return c.tokens
	}
	return tokens(c.system)
}

// provider says whose model it is.
func provider(model string) string {
	if len(model) > 6 && model[:6] == "claude" {
		return "anthropic"
	}
	return "openai"
}

// rate is what a model costs.
func (w *world) rate(model string) *price.Rate {
	r, ok := w.prices.Find(provider(model), model, Now)
	if !ok {
		panic("planted: no price for " + model)
	}
	return r
}

// body is what the client sends.
func (q *request) body() []byte {
	messages := []map[string]string{}
	if q.system != "" {
		messages = append(messages, map[string]string{"role": "system", "content": q.system})
	}
	for _, t := range q.turns {
		messages = append(messages, map[string]string{"role": t.role, "content": t.text})
	}
	b, err := json.Marshal(map[string]any{"model": q.model, "max_completion_tokens": q.cap, "messages": messages})
	if err != nil {
		panic(err)
	}
	return b
}

var shape = gist.Shape{Before: []string{"tools"}, List: "messages", Content: "content", Roles: []string{"system"}}

// send makes the record of a request that was answered in full. What came otherwise is
// changed afterwards.
func (w *world) send(kind string, q request) *Planted {
	if q.cap == 0 {
		q.cap = 4096
	}
	if q.output == 0 {
		q.output = w.between(60, 400)
	}
	p := &Planted{Kind: kind}
	r := &p.Record
	r.ID, r.At, r.Model, r.Served, r.Upstream = w.id(q.at), q.at, q.model, q.model, provider(q.model)
	r.Endpoint, r.Dialect, r.Status, r.Outcome, r.Basis = "/v1/chat/completions", "openai", 200, record.Completed, record.Reported
	d := &r.Dims.Values
	d[ledger.DimOrg], d[ledger.DimKey], d[ledger.DimFeature], d[ledger.DimAgent] = q.org, q.key, q.feature, q.agent
	d[ledger.DimRun], d[ledger.DimModel], d[ledger.DimProvider] = q.run, q.model, provider(q.model)
	r.Attempt, r.Attempts, r.Cache = 1, 1, record.CacheMiss
	r.OutputCap = q.cap
	r.Made = q.output * 4
	r.Delivered = r.Made
	r.FirstByte, r.Total = int64(ledger.Second), int64(seconds(2)+ledger.Instant(q.output)*10*1e6)
	r.Usage[price.InputText] = q.instructions() + q.beside
	for _, t := range q.turns {
		r.Usage[price.InputText] += tokens(t.text) + 3
	}
	r.Usage[price.OutputText], r.Usage[price.Requests] = q.output, 1
	body := q.body()
	tenant := "org:" + q.org
	g := gist.Read(&shape, body, tenant)
	if r.Prefix = g.Prefix; !q.fresh {
		r.Gist, r.Fingerprint = g.Asked, gist.Exact(tenant, r.Upstream, q.model, body)
	}
	if q.refined != nil {
		q.refined(r)
	}
	w.charge(p)
	w.list = append(w.list, p)
	return p
}

// charge prices a record by its usage.
func (w *world) charge(p *Planted) {
	rate := w.rate(p.Record.Model)
	p.Record.RateID = rate.ID
	p.price(rate.Cost(&p.Record.Usage, price.Standard))
	if w.chance(0.1) { // a provider whose word on the cost counts
		p.Record.Basis = record.ReportedCost
		p.Record.Cost += p.Record.Cost * ledger.Amount(w.between(-20, 80)) / 1000
		p.Record.Baseline = p.Record.Cost
	}
}

func (p *Planted) price(a ledger.Amount) {
	r := &p.Record
	r.Cost, r.Priced, r.List, r.Baseline, r.Hold = a, a, a, a, 2*a
}

// fail makes the call fail after it was sent: what it cost is not known, and the hold is.
func (p *Planted) fail(o record.Outcome) {
	r := &p.Record
	r.Outcome, r.Basis, r.Status, r.Made, r.Delivered = o, record.FullHold, 502, 0, 0
	r.Usage = price.Usage{}
	p.price(3 * r.Cost)
}

// wasted labels what of the cost was wasted.
func (p *Planted) wasted(class string, a ledger.Amount) {
	if p.Waste == nil {
		p.Waste = map[string]ledger.Amount{}
	}
	p.Waste[class] += a
}

// whole labels all of it.
func (p *Planted) whole(class string) { p.wasted(class, p.Record.Cost) }

// less is what the call would have cost less with another usage.
func (w *world) less(p *Planted, change func(*price.Usage)) ledger.Amount {
	u := p.Record.Usage
	change(&u)
	return p.charged(p.Record.Priced - w.rate(p.Record.Model).Cost(&u, price.Standard))
}

// charged is what an amount by the catalogue is in what was charged.
func (p *Planted) charged(a ledger.Amount) ledger.Amount {
	return ledger.Amount(float64(a) * float64(p.Record.Cost) / float64(p.Record.Priced))
}

// report has somebody say whether the answer was of use.
func (p *Planted) report(success bool) {
	if success {
		p.Evidence = economics.Evidence{Outcomes: 1, Successes: 1}
	} else {
		p.Evidence = economics.Evidence{Outcomes: 1, Failures: 1}
	}
}

func (w *world) run(agent string) string {
	w.serial++
	return fmt.Sprintf("%s-%d", agent, w.serial)
}
