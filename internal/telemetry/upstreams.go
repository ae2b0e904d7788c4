package telemetry

import "github.com/prometheus/client_golang/prometheus"

// UpstreamHealth is an upstream as live traffic shows it.
type UpstreamHealth struct {
	Name     string
	Resting  int // circuit breakers, of a credential and a model each, that are not closed
	InFlight int // calls whose answers have not ended
}

// upstreams reads the health of every upstream at each scrape.
type upstreams struct {
	read              func() []UpstreamHealth
	resting, inFlight *prometheus.Desc
}

func newUpstreams(read func() []UpstreamHealth) *upstreams {
	label := []string{"upstream"}
	return &upstreams{
		read:     read,
		resting:  prometheus.NewDesc("purser_upstream_breakers_open", "Circuit breakers, of a credential and a model each, that refuse calls or let single ones probe.", label, nil),
		inFlight: prometheus.NewDesc("purser_upstream_calls_in_flight", "Upstream calls whose answers have not ended.", label, nil),
	}
}

// Describe implements prometheus.Collector.
func (u *upstreams) Describe(to chan<- *prometheus.Desc) {
	to <- u.resting
	to <- u.inFlight
}

// Collect implements prometheus.Collector.
func (u *upstreams) Collect(to chan<- prometheus.Metric) {
	for _, h := range u.read() {
		to <- prometheus.MustNewConstMetric(u.resting, prometheus.GaugeValue, float64(h.Resting), h.Name)
		to <- prometheus.MustNewConstMetric(u.inFlight, prometheus.GaugeValue, float64(h.InFlight), h.Name)
	}
}
