package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"purser/proxy/trace"
)

// maxTold bounds the scopes that are remembered: about 100 bytes each.
const maxTold = 1 << 16

// maker makes spans of requests. One goroutine uses it.
type maker struct {
	words    vocabulary
	preset   preset
	servers  map[string]server // by upstream
	told     *told
	tracer   oteltrace.Tracer
	provider *sdktrace.TracerProvider
	ids      *givenIDs
	batch    []sdktrace.ReadOnlySpan // made and not exported
	list     []attribute.KeyValue
}

func newMaker(words vocabulary, p preset, servers map[string]server, res *sdkresource.Resource, version string) *maker {
	m := &maker{words: words, preset: p, servers: servers, told: newTold(maxTold), ids: &givenIDs{}}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxValue
	m.provider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithIDGenerator(m.ids),
		sdktrace.WithSpanProcessor(collect{&m.batch}), sdktrace.WithResource(res), sdktrace.WithRawSpanLimits(limits))
	m.tracer = m.provider.Tracer("purser", oteltrace.WithInstrumentationVersion(version))
	return m
}

// maxValue bounds a value, in characters: names and ids are far shorter.
const maxValue = 1024

// givenIDs gives the ids that follow from what a span stands for.
type givenIDs struct {
	trace oteltrace.TraceID
	span  oteltrace.SpanID
}

// NewIDs implements sdktrace.IDGenerator.
func (g *givenIDs) NewIDs(context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	return g.trace, g.span
}

// NewSpanID implements sdktrace.IDGenerator.
func (g *givenIDs) NewSpanID(context.Context, oteltrace.TraceID) oteltrace.SpanID { return g.span }

// collect puts spans that have ended into a list.
type collect struct{ list *[]sdktrace.ReadOnlySpan }

// OnStart implements sdktrace.SpanProcessor.
func (collect) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (c collect) OnEnd(s sdktrace.ReadOnlySpan) { *c.list = append(*c.list, s) }

// Shutdown implements sdktrace.SpanProcessor.
func (collect) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (collect) ForceFlush(context.Context) error { return nil }

// made is a span about to be made.
type made struct {
	name, fault  string
	kind         oteltrace.SpanKind
	span, parent [8]byte
	began, ended time.Time
}

// take makes the spans of a request: the scopes above it that have had none, its own,
// and one for each upstream call.
func (m *maker) take(e *event) {
	p := &e.course.Place
	arrived := time.Unix(0, int64(e.rec.At))
	at := func(nanos int64) time.Time { return arrived.Add(time.Duration(nanos)) }
	for i := range p.Scopes() {
		s := &p.Scopes()[i]
		if !m.told.first(p.Trace, s.Span) {
			continue
		}
		a := m.attributes()
		of := &scopeEvent{scope: s, of: e}
		name := scope(a, of)
		if m.preset.scope != nil {
			m.preset.scope(a, of)
		}
		m.make(e, made{name: name, kind: oteltrace.SpanKindInternal, span: s.Span, parent: s.Over, began: arrived, ended: at(e.rec.Total)})
	}
	a := m.attributes()
	m.words.request(a, e, m.servers[e.rec.Upstream])
	if m.preset.request != nil {
		m.preset.request(a, e)
	}
	name := operation(e.rec.Endpoint)
	if e.rec.Model != "" {
		name += " " + e.rec.Model
	}
	m.make(e, made{name: name, fault: e.failure(), kind: oteltrace.SpanKindClient, span: p.Span, parent: p.Parent, began: arrived, ended: at(e.rec.Total)})
	for i := range e.course.Calls {
		c := &e.course.Calls[i]
		a := m.attributes()
		m.words.call(a, e, c, m.servers[c.Upstream])
		m.make(e, made{name: "call " + c.Upstream, fault: callFailure(c), kind: oteltrace.SpanKindClient,
			span: trace.CallSpan(e.rec.ID, c.N), parent: p.Span, began: at(c.Began), ended: at(c.Ended)})
	}
}

// attributes is the list that the next span is to have.
func (m *maker) attributes() attributes {
	m.list = m.list[:0]
	return attributes{&m.list}
}

func (m *maker) make(e *event, s made) {
	ctx := context.Background()
	if s.parent != ([8]byte{}) {
		parent := oteltrace.SpanContextConfig{TraceID: e.course.Place.Trace, SpanID: s.parent, TraceFlags: oteltrace.FlagsSampled, Remote: true}
		if state := e.course.Caller.State; state != "" {
			parent.TraceState, _ = oteltrace.ParseTraceState(state) // none where the library is stricter than we are
		}
		ctx = oteltrace.ContextWithRemoteSpanContext(ctx, oteltrace.NewSpanContext(parent))
	}
	m.ids.trace, m.ids.span = e.course.Place.Trace, s.span
	_, span := m.tracer.Start(ctx, valid(s.name), oteltrace.WithSpanKind(s.kind), oteltrace.WithTimestamp(s.began), oteltrace.WithAttributes(m.list...))
	if s.fault != "" {
		span.SetStatus(codes.Error, s.fault)
	}
	span.End(oteltrace.WithTimestamp(s.ended))
}
