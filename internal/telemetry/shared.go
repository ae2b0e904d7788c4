package telemetry

import "github.com/prometheus/client_golang/prometheus"

// SharedTier is the semantic tier that nodes have in common, as this node sees it.
// The maps are by outcome, from a closed list.
type SharedTier struct {
	Ready         bool
	Queued        int // points that are still to be written
	LookupSeconds float64
	Lookups       map[string]uint64
	Points        map[string]uint64
	Purges        map[string]uint64
	Sweeps        map[string]uint64
	Alien         uint64 // points that came back and were not what was asked for
	Retries       uint64 // of writes
	Trips         uint64 // times that it ceased to be ready
}

var (
	descSharedReady   = prometheus.NewDesc("purser_semcache_shared_ready", "1 when the shared semantic tier is asked.", nil, nil)
	descSharedQueued  = prometheus.NewDesc("purser_semcache_shared_queued", "Points that are still to be written to the shared semantic tier.", nil, nil)
	descSharedSeconds = prometheus.NewDesc("purser_semcache_shared_lookup_seconds_total", "Time spent in lookups in the shared semantic tier.", nil, nil)
	descSharedLookups = prometheus.NewDesc("purser_semcache_shared_lookups_total", "Lookups in the shared semantic tier by how they ended.", []string{"outcome"}, nil)
	descSharedPoints  = prometheus.NewDesc("purser_semcache_shared_points_total", "Points for the shared semantic tier by what became of them.", []string{"outcome"}, nil)
	descSharedPurges  = prometheus.NewDesc("purser_semcache_shared_purges_total", "Purges of the shared semantic tier by how they ended.", []string{"outcome"}, nil)
	descSharedSweeps  = prometheus.NewDesc("purser_semcache_shared_sweeps_total", "Deletions of expired points by how they ended.", []string{"outcome"}, nil)
	descSharedAlien   = prometheus.NewDesc("purser_semcache_shared_alien_points_total", "Points of the shared semantic tier that were not what was asked for.", nil, nil)
	descSharedRetries = prometheus.NewDesc("purser_semcache_shared_write_retries_total", "Writes to the shared semantic tier that were tried again.", nil, nil)
	descSharedTrips   = prometheus.NewDesc("purser_semcache_shared_trips_total", "Times that the shared semantic tier ceased to be ready.", nil, nil)
)

// sharedTier collects the shared tier, where there is one.
type sharedTier func() (SharedTier, bool)

// Describe implements prometheus.Collector.
func (sharedTier) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSharedReady, descSharedQueued, descSharedSeconds, descSharedLookups, descSharedPoints, descSharedPurges, descSharedSweeps, descSharedAlien, descSharedRetries, descSharedTrips} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s sharedTier) Collect(ch chan<- prometheus.Metric) {
	t, ok := s()
	if !ok {
		return
	}
	ready := 0.0
	if t.Ready {
		ready = 1
	}
	ch <- prometheus.MustNewConstMetric(descSharedReady, prometheus.GaugeValue, ready)
	ch <- prometheus.MustNewConstMetric(descSharedQueued, prometheus.GaugeValue, float64(t.Queued))
	ch <- prometheus.MustNewConstMetric(descSharedSeconds, prometheus.CounterValue, t.LookupSeconds)
	ch <- prometheus.MustNewConstMetric(descSharedAlien, prometheus.CounterValue, float64(t.Alien))
	ch <- prometheus.MustNewConstMetric(descSharedRetries, prometheus.CounterValue, float64(t.Retries))
	ch <- prometheus.MustNewConstMetric(descSharedTrips, prometheus.CounterValue, float64(t.Trips))
	for desc, counts := range map[*prometheus.Desc]map[string]uint64{descSharedLookups: t.Lookups, descSharedPoints: t.Points, descSharedPurges: t.Purges, descSharedSweeps: t.Sweeps} {
		for outcome, n := range counts {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), outcome)
		}
	}
}
