package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Idempotency is what this node does with the idempotency keys of clients.
type Idempotency struct {
	Claims  map[string]int64 // what requests here came to, by outcome, from a closed list
	Keys    int64            // that this node is home of
	Bytes   int64            // of their answers
	Waiting int64            // ends of claims that other homes are still to hear of
}

var (
	descOnceClaims  = prometheus.NewDesc("purser_idempotency_claims_total", "Requests with an Idempotency-Key by what their claim came to.", []string{"outcome"}, nil)
	descOnceKeys    = prometheus.NewDesc("purser_idempotency_keys", "Idempotency keys that this node is home of.", nil, nil)
	descOnceBytes   = prometheus.NewDesc("purser_idempotency_bytes", "Answers that this node keeps for idempotency keys, in bytes.", nil, nil)
	descOnceWaiting = prometheus.NewDesc("purser_idempotency_reports_waiting", "Ends of claims that other nodes are still to hear of.", nil, nil)
)

// idempotency collects that; false where keys are off.
type idempotency func() (Idempotency, bool)

// Describe implements prometheus.Collector.
func (idempotency) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descOnceClaims, descOnceKeys, descOnceBytes, descOnceWaiting} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (i idempotency) Collect(ch chan<- prometheus.Metric) {
	if i == nil {
		return
	}
	t, ok := i()
	if !ok {
		return
	}
	for outcome, n := range t.Claims {
		ch <- prometheus.MustNewConstMetric(descOnceClaims, prometheus.CounterValue, float64(n), outcome)
	}
	ch <- prometheus.MustNewConstMetric(descOnceKeys, prometheus.GaugeValue, float64(t.Keys))
	ch <- prometheus.MustNewConstMetric(descOnceBytes, prometheus.GaugeValue, float64(t.Bytes))
	ch <- prometheus.MustNewConstMetric(descOnceWaiting, prometheus.GaugeValue, float64(t.Waiting))
}
