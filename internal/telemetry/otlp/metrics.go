package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"purser/proxy/price"
)

// Bounds of histograms, as the conventions have them.
var (
	tokenBounds    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	durationBounds = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	firstBounds    = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	perBounds      = []float64{.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5}
)

// maxModels bounds the models that metrics are kept apart for: others are otherModel.
const (
	maxModels  = 200
	otherModel = "other"
)

// meters are the instruments. Those of gen_ai.client are of upstream calls, those of
// gen_ai.server of requests, as this gateway serves them; instruments that the chosen
// names do not have are nil. One goroutine uses them.
type meters struct {
	words   vocabulary
	servers map[string]server
	models  map[string]bool
	known   map[facets]*labels

	usage                        metric.Int64Histogram // established
	duration, firstChunk         metric.Float64Histogram
	input, output                metric.Int64Counter // latest
	read, write, reasoning       metric.Int64Counter
	inputs, outputs              metric.Int64Histogram
	inference, inferenceFirst    metric.Float64Histogram
	served, firstToken, perToken metric.Float64Histogram
	cost                         metric.Float64Counter
}

// instruments makes them, and keeps the first error.
type instruments struct {
	metric.Meter
	err error
}

func (i *instruments) seconds(name, about string, bounds []float64) metric.Float64Histogram {
	h, err := i.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(bounds...))
	i.note(err)
	return h
}

func (i *instruments) tokens(name, about string) metric.Int64Histogram {
	h, err := i.Int64Histogram(name, metric.WithUnit("{token}"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(tokenBounds...))
	i.note(err)
	return h
}

func (i *instruments) used(name, about string) metric.Int64Counter {
	c, err := i.Int64Counter("gen_ai.client.inference.usage."+name, metric.WithUnit("{token}"), metric.WithDescription(about))
	i.note(err)
	return c
}

func (i *instruments) note(err error) {
	if i.err == nil {
		i.err = err
	}
}

func newMeters(words vocabulary, servers map[string]server, m metric.Meter) (*meters, error) {
	i := &instruments{Meter: m}
	out := &meters{words: words, servers: servers, models: map[string]bool{}, known: map[facets]*labels{}}
	out.duration = i.seconds("gen_ai.client.operation.duration", "Duration of upstream calls.", durationBounds)
	if words.established {
		out.usage = i.tokens("gen_ai.client.token.usage", "Input and output tokens of upstream calls.")
		out.firstChunk = i.seconds("gen_ai.client.operation.time_to_first_chunk", "Time to the first chunk of streamed upstream calls.", firstBounds)
	}
	if words.latest {
		out.input = i.used("input_tokens", "Input tokens, cached ones among them.")
		out.output = i.used("output_tokens", "Output tokens, reasoning among them.")
		out.read = i.used("cache_read.input_tokens", "Input tokens that came from the provider's cache.")
		out.write = i.used("cache_write.input_tokens", "Input tokens that went to the provider's cache.")
		out.reasoning = i.used("reasoning.output_tokens", "Output tokens of reasoning.")
		out.inputs = i.tokens("gen_ai.client.inference.operation.input_tokens", "Input tokens of each upstream call.")
		out.outputs = i.tokens("gen_ai.client.inference.operation.output_tokens", "Output tokens of each upstream call.")
		out.inference = i.seconds("gen_ai.client.inference.duration", "Duration of upstream calls of inference.", durationBounds)
		out.inferenceFirst = i.seconds("gen_ai.client.inference.time_to_first_chunk", "Time to the first chunk of streamed upstream calls.", firstBounds)
	}
	out.served = i.seconds("gen_ai.server.request.duration", "Duration of requests to this gateway.", durationBounds)
	out.firstToken = i.seconds("gen_ai.server.time_to_first_token", "Time to the first byte of answers of this gateway.", firstBounds)
	out.perToken = i.seconds("gen_ai.server.time_per_output_token", "Time of each output token after the first, of streams.", perBounds)
	var err error
	out.cost, err = m.Float64Counter("purser.cost", metric.WithUnit("{USD}"), metric.WithDescription("Cost of upstream calls, as charged to budgets."))
	i.note(err)
	return out, i.err
}

// observe adds a request to the numbers.
func (m *meters) observe(e *event) {
	for i := range e.course.Calls {
		m.call(e, i)
	}
	fault, model := e.failure(), e.rec.Model
	if fault != "" && len(e.course.Calls) == 0 && model != "" && !m.models[model] {
		model = otherModel // the name is the client's word alone: names of none would use up the room
	}
	with := m.labelled(facets{e.rec.Endpoint, e.provider(), model, e.rec.Served, e.rec.Upstream, fault}).plain
	ctx := context.Background()
	m.served.Record(ctx, seconds(e.rec.Total), with)
	if fault != "" || e.rec.FirstByte == 0 {
		return
	}
	m.firstToken.Record(ctx, seconds(e.rec.FirstByte), with)
	if n := e.rec.Usage.TotalOutput(); e.rec.Stream && n > 1 && len(e.course.Calls) > 0 {
		m.perToken.Record(ctx, seconds(e.rec.Total-e.rec.FirstByte)/float64(n-1), with)
	}
}

// facets are what numbers are kept apart by, as records have it.
type facets struct{ endpoint, provider, model, served, upstream, fault string }

// labels are the attributes of one combination of facets, and those with what tokens
// are kept apart by.
type labels struct {
	plain                       metric.MeasurementOption
	input, output               metric.MeasurementOption // gen_ai.token.type
	text, audio, image, unknown metric.MeasurementOption // gen_ai.token.modality
}

// labelled finds them. As many combinations are remembered as instruments keep apart.
func (m *meters) labelled(f facets) *labels {
	f.model, f.served = m.model(f.model), m.model(f.served)
	if l := m.known[f]; l != nil {
		return l
	}
	set := []attribute.KeyValue{attribute.String("gen_ai.operation.name", operation(f.endpoint)), attribute.String("gen_ai.provider.name", provider(f.provider))}
	a := attributes{&set}
	a.text("gen_ai.request.model", f.model)
	if m.words.established {
		a.text("gen_ai.system", system(f.provider))
	}
	a.text("gen_ai.response.model", f.served)
	m.servers[f.upstream].attributes(a)
	a.text("error.type", f.fault)
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(set[:len(set):len(set)], more...)...))
	}
	kind := func(v string) metric.MeasurementOption { return with(attribute.String("gen_ai.token.type", v)) }
	modality := func(v string) metric.MeasurementOption {
		return with(attribute.String("gen_ai.token.modality", v))
	}
	l := &labels{plain: with(), input: kind("input"), output: kind("output"), text: modality("text"), audio: modality("audio"), image: modality("image"), unknown: modality("unknown")}
	if len(m.known) < maxSeries {
		m.known[f] = l
	}
	return l
}

// model bounds how many there are.
func (m *meters) model(name string) string {
	if name != "" && name != otherModel && !m.models[name] {
		if len(m.models) >= maxModels {
			return otherModel
		}
		m.models[name] = true
	}
	return name
}

func seconds(nanos int64) float64 { return time.Duration(nanos).Seconds() }

func (m *meters) call(e *event, i int) {
	c, ctx := &e.course.Calls[i], context.Background()
	of := facets{e.rec.Endpoint, c.Provider, e.rec.Model, c.Served, c.Upstream, ""}
	if c.Cost > 0 {
		m.cost.Add(ctx, usd(c.Cost), m.labelled(of).plain)
	}
	if reported(c) {
		m.tokens(&c.Usage, m.labelled(of))
	}
	of.fault = callFailure(c)
	with := m.labelled(of).plain
	if e.rec.Stream && i == len(e.course.Calls)-1 && e.rec.FirstByte > c.Began && of.fault == "" {
		if m.firstChunk != nil {
			m.firstChunk.Record(ctx, seconds(e.rec.FirstByte-c.Began), with)
		}
		if m.inferenceFirst != nil {
			m.inferenceFirst.Record(ctx, seconds(e.rec.FirstByte-c.Began), with)
		}
	}
	inference := operation(e.rec.Endpoint) != opEmbeddings
	if m.words.established || !inference {
		m.duration.Record(ctx, seconds(c.Ended-c.Began), with)
	}
	if m.inference != nil && inference {
		m.inference.Record(ctx, seconds(c.Ended-c.Began), with)
	}
}

// tokens adds what a call used, under the names that are used.
func (m *meters) tokens(u *price.Usage, l *labels) {
	ctx := context.Background()
	if m.usage != nil {
		m.usage.Record(ctx, u.TotalInput(), l.input)
		if n := u.TotalOutput(); n > 0 {
			m.usage.Record(ctx, n, l.output)
		}
	}
	if m.input == nil {
		return
	}
	m.inputs.Record(ctx, u.TotalInput(), l.plain)
	m.outputs.Record(ctx, u.TotalOutput(), l.plain)
	for _, part := range [...]struct {
		of metric.Int64Counter
		as metric.MeasurementOption
		n  int64
	}{
		{m.input, l.text, u.TotalInput() - u[price.AudioIn] - u[price.ImageIn]}, {m.input, l.audio, u[price.AudioIn]}, {m.input, l.image, u[price.ImageIn]},
		{m.output, l.text, u.TotalOutput() - u[price.AudioOut] - u[price.ImageOut]}, {m.output, l.audio, u[price.AudioOut]}, {m.output, l.image, u[price.ImageOut]},
		{m.read, l.unknown, u[price.CacheRead]}, {m.write, l.unknown, written(u)}, {m.reasoning, l.text, u[price.OutputReasoning]},
	} {
		if part.n > 0 {
			part.of.Add(ctx, part.n, part.as)
		}
	}
}
