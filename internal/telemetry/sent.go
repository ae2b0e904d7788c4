package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Sent is what has become of spans and metrics for an OpenTelemetry receiver.
type Sent struct {
	Queued                     float64 // requests
	Told, Dropped              float64 // requests
	SpansSent, SpansFailed     float64
	TracesSent, TracesFailed   float64 // exports
	MetricsSent, MetricsFailed float64 // exports
}

var (
	descSentQueued   = prometheus.NewDesc("purser_telemetry_queued", "Requests whose spans are still to be made.", nil, nil)
	descSentRequests = prometheus.NewDesc("purser_telemetry_requests_total", "Requests that telemetry was told of.", nil, nil)
	descSentDropped  = prometheus.NewDesc("purser_telemetry_requests_dropped_total", "Of these: left out, because the queue was full or the receiver fails.", nil, nil)
	descSentSpans    = prometheus.NewDesc("purser_telemetry_spans_total", "Spans by what became of them.", []string{"outcome"}, nil)
	descSentExports  = prometheus.NewDesc("purser_telemetry_exports_total", "Exports to the OpenTelemetry receiver, tries among them.", []string{"signal", "outcome"}, nil)
)

// sent collects them, where there is a receiver.
type sent func() (Sent, bool)

// Describe implements prometheus.Collector.
func (sent) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSentQueued, descSentRequests, descSentDropped, descSentSpans, descSentExports} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s sent) Collect(ch chan<- prometheus.Metric) {
	t, ok := s()
	if !ok {
		return
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	ch <- prometheus.MustNewConstMetric(descSentQueued, prometheus.GaugeValue, t.Queued)
	count(descSentRequests, t.Told)
	count(descSentDropped, t.Dropped)
	count(descSentSpans, t.SpansSent, "sent")
	count(descSentSpans, t.SpansFailed, "failed")
	count(descSentExports, t.TracesSent, "traces", "sent")
	count(descSentExports, t.TracesFailed, "traces", "failed")
	count(descSentExports, t.MetricsSent, "metrics", "sent")
	count(descSentExports, t.MetricsFailed, "metrics", "failed")
}
