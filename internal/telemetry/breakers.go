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
