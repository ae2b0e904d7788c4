package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"purser/proxy/price"
	"purser/proxy/trace"
)

// Bounds of histograms, as the conventions have them.
var (
	tokenBounds    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	durationBounds = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	firstBounds    = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	perBounds      = []float64{.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5}
)

// maxModels bounds the models that metrics are kept apart for: others are "other".
const maxModels = 200

// meters are the instruments. Those of gen_ai.client are of upstream calls, those of
// gen_ai.server of requests, as this gateway serves them; instruments that the chosen
// names do not have are nil. One goroutine uses them.
type meters struct {
	words   vocabulary
	servers map[string]server
	models  map[string]bool
	set     []attribute.KeyValue

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
	out := &meters{words: words, servers: servers, models: map[string]bool{}}
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
	m.common(e, e.provider(), e.rec.Served, m.servers[e.rec.Upstream])
	fault := e.failure()
	if fault != "" {
		m.set = append(m.set, attribute.String("error.type", fault))
	}
	with := metric.WithAttributeSet(attribute.NewSet(m.set...))
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

// common begins the attributes of a number.
func (m *meters) common(e *event, prov, served string, at server) {
	m.set = append(m.set[:0],
		attribute.String("gen_ai.operation.name", operation(e.rec.Endpoint)), attribute.String("gen_ai.provider.name", provider(prov)),
		attribute.String("gen_ai.request.model", m.model(e.rec.Model)))
	if m.words.established {
		m.set = append(m.set, attribute.String("gen_ai.system", system(prov)))
	}
	if served != "" {
		m.set = append(m.set, attribute.String("gen_ai.response.model", m.model(served)))
	}
	at.attributes(attributes{&m.set})
}

// model bounds how many there are.
func (m *meters) model(name string) string {
	if !m.models[name] {
		if len(m.models) >= maxModels {
			return "other"
		}
		m.models[name] = true
	}
	return name
}

func seconds(nanos int64) float64 { return time.Duration(nanos).Seconds() }

func (m *meters) call(e *event, i int) {
	c, ctx := &e.course.Calls[i], context.Background()
	m.common(e, c.Provider, c.Served, m.servers[c.Upstream])
	base := len(m.set)
	with := metric.WithAttributeSet(attribute.NewSet(m.set...))
	if c.Cost > 0 {
		m.cost.Add(ctx, usd(c.Cost), with)
	}
	if reported(c) {
		m.tokens(c, base, with)
	}
	streamed := e.rec.Stream && i == len(e.course.Calls)-1 && e.rec.FirstByte > c.Began && callFailure(c) == ""
	if streamed && m.firstChunk != nil {
		m.firstChunk.Record(ctx, seconds(e.rec.FirstByte-c.Began), with)
	}
	if streamed && m.inferenceFirst != nil {
		m.inferenceFirst.Record(ctx, seconds(e.rec.FirstByte-c.Began), with)
	}
	if fault := callFailure(c); fault != "" {
		m.set = append(m.set, attribute.String("error.type", fault))
		with = metric.WithAttributeSet(attribute.NewSet(m.set...))
	}
	inference := operation(e.rec.Endpoint) != opEmbeddings
	if m.words.established || !inference {
		m.duration.Record(ctx, seconds(c.Ended-c.Began), with)
	}
	if m.inference != nil && inference {
		m.inference.Record(ctx, seconds(c.Ended-c.Began), with)
	}
}

// tokens adds what a call used, under the names that are used. base is how many of the
// attributes are the call's.
func (m *meters) tokens(c *trace.Call, base int, with metric.MeasurementOption) {
	ctx, u := context.Background(), &c.Usage
	plus := func(key, value string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(m.set[:base:base], attribute.String(key, value))...))
	}
	if m.usage != nil {
		m.usage.Record(ctx, u.TotalInput(), plus("gen_ai.token.type", "input"))
		if n := u.TotalOutput(); n > 0 {
			m.usage.Record(ctx, n, plus("gen_ai.token.type", "output"))
		}
	}
	if m.input == nil {
		return
	}
	m.inputs.Record(ctx, u.TotalInput(), with)
	m.outputs.Record(ctx, u.TotalOutput(), with)
	for _, part := range [...]struct {
		of       metric.Int64Counter
		modality string
		n        int64
	}{
		{m.input, "text", u.TotalInput() - u[price.AudioIn] - u[price.ImageIn]}, {m.input, "audio", u[price.AudioIn]}, {m.input, "image", u[price.ImageIn]},
		{m.output, "text", u.TotalOutput() - u[price.AudioOut] - u[price.ImageOut]}, {m.output, "audio", u[price.AudioOut]}, {m.output, "image", u[price.ImageOut]},
		{m.read, "unknown", u[price.CacheRead]}, {m.write, "unknown", written(u)}, {m.reasoning, "text", u[price.OutputReasoning]},
	} {
		if part.n > 0 {
			part.of.Add(ctx, part.n, plus("gen_ai.token.modality", part.modality))
		}
	}
}
