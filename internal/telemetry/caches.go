package telemetry

import "github.com/prometheus/client_golang/prometheus"

var (
	descCacheEvents  = prometheus.NewDesc("purser_cache_events_total", "What the exact cache of this node did, by event.", []string{"event"}, nil)
	descCacheBytes   = prometheus.NewDesc("purser_cache_bytes", "What the exact cache of this node has, on disk and in memory, approximately.", []string{"where"}, nil)
	descCacheEntries = prometheus.NewDesc("purser_cache_entries", "Answers that the exact cache of this node has on disk, approximately.", nil, nil)
)

// cacheLevels are the counts that go up and down; the others are events.
var cacheLevels = map[string]bool{"entries": true, "bytes": true, "memory_bytes": true, "tenants": true, "nodes": true}

// caches collects the counts of the exact cache, by the names that operators see; nil
// where there is none.
type caches func() map[string]int64

// Describe implements prometheus.Collector.
func (caches) Describe(ch chan<- *prometheus.Desc) {
	ch <- descCacheEvents
	ch <- descCacheBytes
	ch <- descCacheEntries
}

// Collect implements prometheus.Collector.
func (c caches) Collect(ch chan<- prometheus.Metric) {
	if c == nil {
		return
	}
	counts := c()
	if counts == nil {
		return
	}
	for name, n := range counts {
		if !cacheLevels[name] {
			ch <- prometheus.MustNewConstMetric(descCacheEvents, prometheus.CounterValue, float64(n), name)
		}
	}
	ch <- prometheus.MustNewConstMetric(descCacheBytes, prometheus.GaugeValue, float64(counts["bytes"]), "disk")
	ch <- prometheus.MustNewConstMetric(descCacheBytes, prometheus.GaugeValue, float64(counts["memory_bytes"]), "memory")
	ch <- prometheus.MustNewConstMetric(descCacheEntries, prometheus.GaugeValue, float64(counts["entries"]))
}
