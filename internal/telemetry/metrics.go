package telemetry

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"purser/internal/record"
	"purser/proxy/price"
)

// maxModels bounds the values of the label "model": an operator's ceiling
// price can make any name a model.
const maxModels = 200

// maxRules bounds the pairs of the labels "policy" and "rule" in the same way: they
// are those that there were since the start.
const maxRules = 1000

// other stands for every value beyond such a bound.
const other = "other"

// limited are the values that a label has had, as many as it may have.
type limited struct {
	mu    sync.Mutex
	known map[string]bool
	most  int
}

// takes says whether the label may have the value.
func (l *limited) takes(value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[value] && len(l.known) < l.most {
		l.known[value] = true
	}
	return l.known[value]
}

// Gauges are read at each scrape.
type Gauges struct {
	Holds   func() float64 // holds that have not ended
	Ready   func() float64 // 1 when the node admits
	Applied func() float64 // index of the last applied log entry
	Gossip  func() float64 // members that gossip holds to be there
	Foreign func() float64 // packets, streams and members of other clusters, since the start

	Followers func() float64 // gateways that follow this member
	Alerts    func() float64 // that are still to be delivered

	Upstreams func() []UpstreamHealth // each configured one, once

	// Copies is how long the oldest usage record that this node's peer lacks has waited,
	// seconds, and how many wait.
	Copies func() (lag, unsent float64)

	// Breakers are those of budgets that are open and half open, and the accounts that
	// this node knows to be spent.
	Breakers func() (open, halfOpen, spent float64)
	// Loops is how many loops of runs and sessions were found, by kind.
	Loops func() map[string]float64
	// Shared is the semantic tier that nodes have in common; false where there is none.
	Shared func() (SharedTier, bool)
	// Budgets are the accounts of budgets of money, as many as are to be shown; false where
	// there are more.
	Budgets func() ([]BudgetAmount, bool)
	// Sent is what became of what was for an OpenTelemetry receiver; false where there is none.
	Sent func() (Sent, bool)
	// Caches are the counts of the exact cache; nil where it is off.
	Caches func() map[string]int64
	// Idempotency is what is done with clients' idempotency keys; false where they are off.
	Idempotency func() (Idempotency, bool)
	// Exports is how many exports that this node keeps up fail.
	Exports func() float64
}

// Metrics are the node's metrics.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	cost      *prometheus.CounterVec
	saved     *prometheus.CounterVec
	lost      *prometheus.CounterVec
	overrun   prometheus.Counter
	presumed  prometheus.Counter
	attempts  *prometheus.CounterVec
	admitWait prometheus.Histogram
	refill    prometheus.Histogram
	firstByte *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	found     *prometheus.CounterVec

	rulings  *prometheus.CounterVec
	prompts  promptCache
	semantic *prometheus.CounterVec

	models, rules limited
	entities      limited
}

// latencyBuckets reach from a cache hit to a long answer, in seconds.
var latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// New registers every metric.
func New(g Gauges) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), models: limited{known: map[string]bool{}, most: maxModels}, rules: limited{known: map[string]bool{}, most: maxRules}, entities: limited{known: map[string]bool{}, most: maxEntities}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	single := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	m.requests = counter("purser_requests_total", "Requests by how they ended.", "endpoint", "outcome", "code")
	m.tokens = counter("purser_tokens_total", "Tokens and tool calls as the provider reported them, by meter.", "upstream", "model", "meter")
	m.prompts = newPromptCache(counter)
	m.cost = counter("purser_cost_usd_total", "Cost charged to budgets, in dollars.", "upstream", "model")
	m.saved = counter("purser_saved_usd_total", "What a lever saved, in dollars, of requests that it saved something of.", "lever")
	m.lost = counter("purser_lever_loss_usd_total", "What a lever cost beyond what it saved, in dollars, of requests that it made dearer.", "lever")
	m.rulings = counter("purser_policy_rulings_total", "What rules of policies did to requests, or in shadow would have done.", "policy", "rule", "effect", "mode")
	m.semantic = counter("purser_semantic_cache_total", "Requests that the semantic cache was asked about, by what it said and why it gave nothing.", "verdict", "reason")
	m.overrun = single("purser_overrun_usd_total", "Cost beyond the hold of its call, in dollars.")
	m.presumed = single("purser_full_hold_usd_total", "Cost charged as the whole hold, because the call's usage is unknown, in dollars.")
	m.attempts = counter("purser_upstream_calls_total", "Upstream calls of finished requests.", "upstream")
	m.found = counter("purser_redaction_findings_total", "Values that redactions found, by what became of them.", "entity", "action")
	alone := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets})
		m.registry.MustRegister(h)
		return h
	}
	m.admitWait = alone("purser_admission_wait_seconds", "Time a request waited for allowance, for those that did.")
	m.refill = alone("purser_exchange_seconds", "Time of an exchange with the ledger, wherever it is led, for those answered.")
	m.firstByte = histogram("purser_first_byte_seconds", "Time from arrival to the first byte of the answer.", "upstream")
	m.duration = histogram("purser_request_duration_seconds", "Time from arrival to the end of the request.", "endpoint", "outcome")
	gauge("purser_holds", "Holds that have not ended.", g.Holds)
	gauge("purser_ready", "1 when the node admits requests.", g.Ready)
	gauge("purser_applied_entries", "Index of the last log entry applied to the ledger.", g.Applied)
	gauge("purser_alerts_open", "Alerts of the cluster that are still to be delivered.", g.Alerts)
	gauge("purser_exports_failing", "Exports that this node, leading, keeps up and could not write at the last try.", g.Exports)
	gauge("purser_usage_copy_lag_seconds", "How long the oldest usage record that this node's peer lacks has waited.", func() float64 { lag, _ := g.Copies(); return lag })
	gauge("purser_usage_copy_unsent", "Usage records that this node's peer lacks, approximately.", func() float64 { _, unsent := g.Copies(); return unsent })
	gauge("purser_followers", "Gateways that follow this member.", g.Followers)
	gauge("purser_gossip_alive", "Members that gossip holds to be alive or suspect, this node among them; 0 without gossip. A hint.", g.Gossip)
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "purser_gossip_foreign_total", Help: "Gossip that was turned away because it is of another cluster or none.",
	}, g.Foreign))
	m.registry.MustRegister(newUpstreams(g.Upstreams))
	m.registry.MustRegister(budgetBreakers(g.Breakers), loops(g.Loops), sharedTier(g.Shared), caches(g.Caches), idempotency(g.Idempotency), budgets(g.Budgets), sent(g.Sent))
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in the formats Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Exchanged counts one exchange with the ledger that was answered.
func (m *Metrics) Exchanged(took time.Duration) { m.refill.Observe(took.Seconds()) }

const nanoPerUSD = 1e9

// Observe counts one record.
func (m *Metrics) Observe(r *record.Record) {
	m.requests.WithLabelValues(r.Endpoint, r.Outcome.String(), r.Code).Inc()
	m.duration.WithLabelValues(r.Endpoint, r.Outcome.String()).Observe(time.Duration(r.Total).Seconds())
	if r.Admit > 0 {
		m.admitWait.Observe(time.Duration(r.Admit).Seconds())
	}
	for _, p := range r.Rulings {
		m.ruled(p)
	}
	if r.Semantic.Verdict != record.SemanticNone {
		m.semantic.WithLabelValues(r.Semantic.Verdict.String(), r.Semantic.Reason).Inc()
	}
	for _, s := range r.Savings {
		if s.Amount < 0 {
			m.lost.WithLabelValues(s.Lever.String()).Add(float64(-s.Amount) / nanoPerUSD)
			continue
		}
		m.saved.WithLabelValues(s.Lever.String()).Add(float64(s.Amount) / nanoPerUSD)
	}
	if r.Attempts == 0 {
		return
	}
	m.attempts.WithLabelValues(r.Upstream).Inc()
	if r.FirstByte > 0 {
		m.firstByte.WithLabelValues(r.Upstream).Observe(time.Duration(r.FirstByte).Seconds())
	}
	model := m.model(r.Model)
	for meter, n := range r.Usage {
		if n > 0 {
			m.tokens.WithLabelValues(r.Upstream, model, price.Meter(meter).String()).Add(float64(n))
		}
	}
	m.prompts.observe(r, model)
	if r.Cost > 0 {
		m.cost.WithLabelValues(r.Upstream, model).Add(float64(r.Cost) / nanoPerUSD)
	}
	if r.Overrun > 0 {
		m.overrun.Add(float64(r.Overrun) / nanoPerUSD)
	}
	if r.Basis == record.FullHold {
		m.presumed.Add(float64(r.Cost) / nanoPerUSD)
	}
}

// model bounds the label's values.
func (m *Metrics) model(name string) string {
	if m.models.takes(name) {
		return name
	}
	return other
}

// ruled counts what a rule of a policy did, or would have done.
func (m *Metrics) ruled(p record.Ruling) {
	mode := "enforce"
	if p.Shadow {
		mode = "shadow"
	}
	name, rule := p.Policy, p.Rule
	if !m.rules.takes(name + "/" + rule) {
		name, rule = other, other
	}
	m.rulings.WithLabelValues(name, rule, p.Effect.String(), mode).Inc()
}
