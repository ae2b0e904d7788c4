// Package telemetry is what the node tells a Prometheus server: counters and
// histograms fed by finished requests, and gauges read when they are asked for.
//
// It decides nothing and stores nothing. Observing a request takes no lock that
// a scrape holds for long, never fails and never waits. No prompt, secret or
// free dimension becomes a label: labels are outcomes, upstreams, meters and
// models, and of models at most maxModels, the rest are "other".
//
// All metrics are named in metrics.go and listed in docs/metrics.md, which a
// test compares.
package telemetry
