package telemetry

import "github.com/prometheus/client_golang/prometheus"

var (
	descBreakers = prometheus.NewDesc("purser_budget_breakers", "Circuit breakers of budgets that are not closed, by state.", []string{"state"}, nil)
	descSpent    = prometheus.NewDesc("purser_budgets_exhausted", "Accounts that had no room for a request on this node, in their present window.", nil, nil)
)

// budgetBreakers collects the circuit breakers of budgets.
type budgetBreakers func() (open, halfOpen, spent float64)

// Describe implements prometheus.Collector.
func (budgetBreakers) Describe(ch chan<- *prometheus.Desc) { ch <- descBreakers; ch <- descSpent }

// Collect implements prometheus.Collector.
func (b budgetBreakers) Collect(ch chan<- prometheus.Metric) {
	open, halfOpen, spent := b()
	ch <- prometheus.MustNewConstMetric(descBreakers, prometheus.GaugeValue, open, "open")
	ch <- prometheus.MustNewConstMetric(descBreakers, prometheus.GaugeValue, halfOpen, "half_open")
	ch <- prometheus.MustNewConstMetric(descSpent, prometheus.GaugeValue, spent)
}

var descLoops = prometheus.NewDesc("purser_loops_total", "Loops of runs and sessions that were found, by kind.", []string{"kind"}, nil)

// loops collects the loops that were found.
type loops func() map[string]float64

// Describe implements prometheus.Collector.
func (loops) Describe(ch chan<- *prometheus.Desc) { ch <- descLoops }

// Collect implements prometheus.Collector.
func (l loops) Collect(ch chan<- prometheus.Metric) {
	for kind, n := range l() {
		ch <- prometheus.MustNewConstMetric(descLoops, prometheus.CounterValue, n, kind)
	}
}
