package main

import (
	"fmt"
	"math/rand/v2"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// world is who asks for what: services with features, which have agents, which have models
// that they mostly use; keys of the services by environment; customers of whom few ask
// much, and members who use tools inside.
type world struct {
	rng       *rand.Rand
	customers *rand.Zipf
	features  *rand.Zipf
	feature   []feature
	runs      []errand // under way
	count     int
}

type feature struct {
	name, agent, service, team, project string
	models                              []int
	steps                               int
}

type errand struct {
	name, session, customer, member string
	feature                         int
	left                            int
}

var models = []struct{ name, provider string }{
	{"gpt-5", "openai"}, {"gpt-5-mini", "openai"}, {"gpt-5-nano", "openai"}, {"o5", "openai"}, {"claude-opus-5", "anthropic"}, {"claude-sonnet-5", "anthropic"},
	{"claude-haiku-5", "anthropic"}, {"gemini-3-pro", "google"}, {"gemini-3-flash", "google"}, {"llama-5-70b", "groq"}, {"mistral-large-3", "mistral"}, {"text-embedding-4", "openai"},
}

var clients = []string{"OpenAI/Python 2.1", "OpenAI/JS 6.0", "Anthropic/Python 1.0", "Anthropic/JS 1.0", "claude-cli/2.1", "codex/1.9", "langchain/1.2", "curl/8.9"}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1))}
	w.customers = rand.NewZipf(w.rng, 1.1, 4, 1999)
	w.features = rand.NewZipf(w.rng, 1.2, 3, 39)
	for i := range 40 {
		f := feature{
			name: fmt.Sprintf("feature-%02d", i), agent: fmt.Sprintf("agent-%02d", i), service: fmt.Sprintf("service-%02d", i%16),
			team: fmt.Sprintf("team-%02d", i%8), project: fmt.Sprintf("project-%02d", i%16), steps: 1 + i%6,
		}
		for range 3 {
			f.models = append(f.models, w.rng.IntN(len(models)))
		}
		w.feature = append(w.feature, f)
	}
	for range 200 {
		w.runs = append(w.runs, w.errand())
	}
	return w
}

func (w *world) errand() errand {
	w.count++
	r := errand{name: fmt.Sprintf("run-%d", w.count), session: fmt.Sprintf("session-%d", w.count/3), feature: int(w.features.Uint64()), left: 1 + w.rng.IntN(20)}
	if w.rng.IntN(10) == 0 {
		r.member = fmt.Sprintf("member-%03d", w.rng.IntN(200))
	} else {
		r.customer = fmt.Sprintf("customer-%04d", w.customers.Uint64())
	}
	return r
}

// record makes the record of a request that arrives at an instant.
func (w *world) record(at ledger.Instant) *record.Record {
	i := w.rng.IntN(len(w.runs))
	u := &w.runs[i]
	f := &w.feature[u.feature]
	m := f.models[0]
	if w.rng.IntN(8) == 0 {
		m = f.models[1+w.rng.IntN(2)]
	}
	env := "production"
	if w.rng.IntN(20) == 0 {
		env = "staging"
	}
	r := &record.Record{
		ID: record.NewID(at), At: at, Endpoint: "/v1/chat/completions", Dialect: "openai", Upstream: models[m].provider, UpstreamID: fmt.Sprintf("chatcmpl-%016x", w.rng.Uint64()),
		Model: models[m].name, Served: models[m].name + "-2026-08-01", Stream: u.feature%2 == 0, Outcome: record.Completed, Status: 200, Basis: record.Reported, Bound: record.BoundVocabulary,
		RateID: models[m].provider + "/" + models[m].name, Prices: "5d41402abc4b2a76", Attempt: 1, Attempts: 1, Cache: record.CacheMiss,
		Step: fmt.Sprintf("step-%d", w.rng.IntN(f.steps)), Client: clients[u.feature%len(clients)], OutputCap: 4096, Fingerprint: w.rng.Uint64(),
		Admit: int64(w.rng.IntN(20_000)), Total: int64(200e6 + w.rng.ExpFloat64()*3e9),
	}
	r.FirstByte = r.Total / int64(2+w.rng.IntN(8))
	d := &r.Dims.Values
	d[ledger.DimOrg], d[ledger.DimTeam], d[ledger.DimProject], d[ledger.DimKey] = "acme", f.team, f.project, f.service+"-"+env
	d[ledger.DimFeature], d[ledger.DimAgent], d[ledger.DimRun], d[ledger.DimSession] = f.name, f.agent, u.name, u.session
	d[ledger.DimModel], d[ledger.DimProvider], d[ledger.DimEnv], d[ledger.DimCustomer], d[ledger.DimMember] = models[m].name, models[m].provider, env, u.customer, u.member
	r.Dims.Tags = []ledger.Tag{{Name: "release", Value: fmt.Sprint("r", int64(at)/int64(7*24*ledger.Hour)%8)}}
	r.Usage[price.InputText], r.Usage[price.OutputText] = int64(200+w.rng.ExpFloat64()*3000), int64(20+w.rng.ExpFloat64()*400)
	r.Cost = ledger.Amount(r.Usage[price.InputText]*1250 + r.Usage[price.OutputText]*10_000)
	switch w.rng.IntN(50) {
	case 0, 1:
		r.Outcome, r.Cache, r.Basis = record.CacheHit, record.CacheServed, record.NoCharge
		r.Savings = []record.Saving{{Lever: record.LeverExactCache, Amount: r.Cost}}
		r.Baseline, r.Cost = r.Cost, 0
	case 2:
		r.Outcome, r.Status, r.Code, r.Basis, r.Cost, r.Usage = record.UpstreamError, []int{429, 503, 500}[w.rng.IntN(3)], "upstream_unavailable", record.NoCharge, 0, price.Usage{}
		r.Attempts = 3
	default:
	}
	r.List, r.Priced, r.Hold = r.Cost, r.Cost, r.Cost*3
	r.Baseline = max(r.Baseline, r.Cost)
	for _, b := range [...]string{"org", "team", "customer", "key"} {
		r.Charges = append(r.Charges, record.Charge{Account: ledger.AccountKey{Budget: ledger.BudgetID(b), Start: at - at%(24*ledger.Hour)}, Incarnation: 1, Held: r.Hold, Spent: r.Cost})
	}
	if u.left--; u.left <= 0 {
		w.runs[i] = w.errand()
	}
	return r
}
