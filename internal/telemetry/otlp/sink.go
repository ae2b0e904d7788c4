package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"

	"purser/internal/record"
	"purser/proxy/trace"
)

const (
	// maxBatch is how many spans one export has, but for those of one request.
	maxBatch = 512
	// maxTries bounds the exports of one batch.
	maxTries = 3
)

// pace is how long the sink waits for what.
type pace struct {
	lag       time.Duration // a span for others
	probe     time.Duration // between two exports to a receiver that has failed
	rest      time.Duration // before the second export of a batch; twice that before the third
	lastWords time.Duration // a node that stops
}

var usual = pace{lag: time.Second, probe: 5 * time.Second, rest: time.Second, lastWords: 3 * time.Second}

// Identity is whose spans they are.
type Identity struct {
	Node, Version string
	Upstreams     map[string]string // base URLs, by name
}

// Sink takes what spans and metrics are made of. Its methods may be called at once, but
// for Close, which is the last.
type Sink struct {
	cfg     Config
	pace    pace
	sampler trace.Sampler
	queue   chan *event
	free    sync.Pool // of *event
	counts  counts

	maker   *maker
	meters  *meters // nil: no metrics are sent
	spans   *otlptrace.Exporter
	health  health                   // of exports of spans
	probe   time.Time                // no spans are made before, while exports fail
	metrics *sdkmetric.MeterProvider // with meters

	ending chan struct{}   // closed by Close
	work   context.Context // bounds exports; ended a little after ending
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
}

// Open starts what sends. It asks nothing of the receiver: one that is not there is no
// reason for a node not to start.
func Open(cfg Config, who Identity, log *slog.Logger) (*Sink, error) {
	return openAt(usual, cfg, who, log)
}

func openAt(p pace, cfg Config, who Identity, log *slog.Logger) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t, err := cfg.target()
	if err != nil {
		return nil, err
	}
	// The library tells a handler of the process what it cannot return.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Debug("telemetry", "error", shown(err)) }))
	s := &Sink{
		cfg: cfg, pace: p, sampler: trace.NewSampler(cfg.Sampling), queue: make(chan *event, cfg.Queue),
		health: health{what: "traces", log: log}, ending: make(chan struct{}), done: make(chan struct{}),
	}
	s.work, s.cancel = context.WithCancel(context.Background())
	s.free.New = func() any { return new(event) }
	if err := s.open(who, &t, log); err != nil {
		s.cancel()
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	go s.run()
	return s, nil
}

func (s *Sink) open(who Identity, t *target, log *slog.Logger) error {
	res, err := sdkresource.New(s.work, sdkresource.WithAttributes(attribute.String("service.name", "purser"),
		attribute.String("service.version", who.Version), attribute.String("service.instance.id", who.Node)), sdkresource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	servers := map[string]server{}
	for name, base := range who.Upstreams {
		host, port := address(base)
		servers[name] = server{host, port}
	}
	words := vocabulary{}
	words.established, words.latest = s.cfg.names()
	s.maker = newMaker(words, presets[s.cfg.Preset], servers, res, who.Version)
	if s.spans, err = dial(s.work, &s.cfg, t); err != nil {
		return err
	}
	if !s.cfg.Metrics || s.cfg.Preset != "" {
		return nil
	}
	e, err := dialMetrics(s.work, &s.cfg, t, &s.counts, &health{what: "metrics", log: log})
	if err != nil {
		return err
	}
	s.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithCardinalityLimit(maxSeries),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(e, sdkmetric.WithInterval(s.cfg.Interval), sdkmetric.WithTimeout(s.cfg.Timeout))))
	s.meters, err = newMeters(words, servers, s.metrics.Meter("purser", metric.WithInstrumentationVersion(who.Version)))
	return err
}

// maxSeries bounds the series of one instrument; the library puts more into one.
const maxSeries = 2000

// Samples implements proxy.Traces.
func (s *Sink) Samples(caller *trace.Context, id [16]byte) bool { return s.sampler.Samples(caller, id) }

// Ended implements proxy.Traces: it copies, and waits for nothing.
func (s *Sink) Ended(r *record.Record, c *trace.Course) {
	if !c.Sampled && s.meters == nil {
		return
	}
	e := s.free.Get().(*event)
	e.fill(r, c)
	s.counts.told.Add(1)
	select {
	case s.queue <- e:
	default:
		s.free.Put(e)
		s.counts.dropped.Add(1)
	}
}

// run owns the maker, the meters and the exporter of spans.
func (s *Sink) run() {
	defer close(s.done)
	tick := time.NewTicker(s.pace.lag)
	defer tick.Stop()
	for {
		select {
		case e := <-s.queue:
			s.take(e)
		case <-tick.C:
			s.export()
		case <-s.ending:
			return
		}
	}
}

// take makes the spans of a request, and sends them if there are enough.
func (s *Sink) take(e *event) {
	if s.meters != nil {
		s.meters.observe(e)
	}
	switch {
	case !e.course.Sampled:
	case s.health.failing && time.Now().Before(s.probe):
		s.counts.dropped.Add(1)
	default:
		s.maker.take(e)
	}
	s.free.Put(e)
	if len(s.maker.batch) >= maxBatch {
		s.export()
	}
}

// export sends the batch, and gives it up after a few tries. A receiver that has failed
// a whole batch is asked once in a while, until it takes one; no spans are made between.
func (s *Sink) export() {
	batch := s.maker.batch
	if len(batch) == 0 {
		return
	}
	tries := maxTries
	if s.health.failing {
		tries = 1
	}
	err := s.send()
	for try, wait := 1, s.pace.rest; err != nil && try < tries && s.pause(wait); try, wait = try+1, 2*wait {
		err = s.send()
	}
	if err == nil {
		s.counts.spansSent.Add(uint64(len(batch)))
	} else {
		s.counts.spansFailed.Add(uint64(len(batch)))
		s.maker.told = newTold(maxTold) // scopes were lost: they are told again, or trees have no root
	}
	s.health.tell(err)
	s.probe = time.Now().Add(s.pace.probe)
	clear(batch)
	s.maker.batch = batch[:0]
}

func (s *Sink) send() error {
	ctx, cancel := context.WithTimeout(s.work, s.cfg.Timeout)
	defer cancel()
	err := arrived(s.spans.ExportSpans(ctx, s.maker.batch))
	if err != nil {
		s.counts.tracesFailed.Add(1)
		return err
	}
	s.counts.tracesSent.Add(1)
	return nil
}

// pause waits, and says whether it was to the end.
func (s *Sink) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ending:
		return false
	}
}

// Close sends what is left, as far as a few seconds go, and ends everything.
func (s *Sink) Close() error {
	close(s.ending)
	last := time.AfterFunc(s.pace.lastWords, s.cancel)
	defer last.Stop()
	defer s.cancel()
	<-s.done
	for len(s.queue) > 0 {
		s.take(<-s.queue)
	}
	s.export()
	ctx, cancel := context.WithTimeout(s.work, s.pace.lastWords)
	defer cancel()
	if s.metrics != nil {
		// What could not be sent is counted and told; the rest of its errors are of our own ending it.
		if err := s.metrics.Shutdown(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("ending the metrics of telemetry: %s", shown(err))
		}
	}
	if err := s.spans.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("ending the spans of telemetry: %s", shown(err))
	}
	return nil
}

// Stats is what has become of requests, spans and exports since the start.
type Stats struct {
	Queued                     int
	Told, Dropped              uint64 // requests
	SpansSent, SpansFailed     uint64
	TracesSent, TracesFailed   uint64 // exports
	MetricsSent, MetricsFailed uint64
}

// Stats counts.
func (s *Sink) Stats() Stats {
	c := &s.counts
	return Stats{len(s.queue), c.told.Load(), c.dropped.Load(), c.spansSent.Load(), c.spansFailed.Load(), c.tracesSent.Load(), c.tracesFailed.Load(), c.metricsSent.Load(), c.metricsFailed.Load()}
}
