package otlp

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/trace"
)

// attributes gathers a span's; what is empty is left out.
type attributes struct{ list *[]attribute.KeyValue }

func (a attributes) add(kv attribute.KeyValue) { *a.list = append(*a.list, kv) }

func (a attributes) text(key, v string) {
	if v != "" {
		a.add(attribute.String(key, valid(v)))
	}
}

// valid is s without what is no UTF-8: the protocol has no such texts, and a message with
// one cannot be written, nor anything else that is in it.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func (a attributes) count(key string, v int64) {
	if v > 0 {
		a.add(attribute.Int64(key, v))
	}
}

func (a attributes) usd(key string, v ledger.Amount) { a.add(attribute.Float64(key, usd(v))) }

// usd is an amount for graphs.
func usd(a ledger.Amount) float64 { return float64(a) / float64(ledger.NanoPerUSD) }

// Operations, of gen_ai.operation.name. Those that the conventions do not have are
// called as the providers call them.
const (
	opChat       = "chat"
	opEmbeddings = "embeddings"
)

// operation is that of a route.
func operation(endpoint string) string {
	switch {
	case strings.HasSuffix(endpoint, "ontent") && strings.Contains(endpoint, "enerateContent"):
		return "generate_content"
	case strings.Contains(endpoint, "mbed"):
		return opEmbeddings
	case strings.HasSuffix(endpoint, "/chat/completions"), endpoint == "/v1/messages", endpoint == "/v1/responses":
		return opChat
	case strings.HasSuffix(endpoint, "/completions"):
		return "text_completion"
	case endpoint == "/v1/responses/":
		return "fetch_response"
	case strings.HasSuffix(endpoint, "okens"):
		return "count_tokens"
	}
	return strings.Trim(endpoint[strings.LastIndexByte(endpoint, '/')+1:], "/")
}

// wellKnown are the conventions' names of providers that the price catalogue calls
// otherwise, and old those of gen_ai.system.
var wellKnown = map[string]string{
	"google": "gcp.gemini", "vertex": "gcp.vertex_ai", "aws": "aws.bedrock", "azure": "azure.ai.openai", "mistral": "mistral_ai", "x-ai": "x_ai", "moonshotai": "moonshot_ai",
}

var old = map[string]string{"azure": "az.ai.openai", "x-ai": "xai"}

// provider is the value of gen_ai.provider.name.
func provider(catalogue string) string {
	if name, ok := wellKnown[catalogue]; ok {
		return name
	}
	if catalogue == "" {
		return "_OTHER"
	}
	return catalogue
}

// system is the value of gen_ai.system, in version 1.36 of the conventions.
func system(catalogue string) string {
	if name, ok := old[catalogue]; ok {
		return name
	}
	return provider(catalogue)
}

// vocabulary is which names are used.
type vocabulary struct{ established, latest bool }

// identity says what was asked of whom.
func (v vocabulary) identity(a attributes, e *event) {
	a.text("gen_ai.operation.name", operation(e.rec.Endpoint))
	a.text("gen_ai.provider.name", provider(e.provider()))
	if v.established {
		a.text("gen_ai.system", system(e.provider()))
	}
}

// request are the attributes of a request's span. The tokens and the cost of the
// request are here alone, so that sums over all spans are right.
func (v vocabulary) request(a attributes, e *event, at server) {
	r := &e.rec
	v.identity(a, e)
	a.text("gen_ai.request.model", r.Model)
	a.count("gen_ai.request.max_tokens", r.OutputCap)
	if r.Stream {
		a.add(attribute.Bool("gen_ai.request.stream", true))
		if r.FirstByte > 0 {
			a.add(attribute.Float64("gen_ai.response.time_to_first_chunk", time.Duration(r.FirstByte).Seconds()))
		}
	}
	a.text("gen_ai.response.id", r.UpstreamID)
	a.text("gen_ai.response.model", r.Served)
	if e.course.Finish != "" {
		a.add(attribute.StringSlice("gen_ai.response.finish_reasons", []string{valid(e.course.Finish)}))
	}
	a.text("gen_ai.conversation.id", r.Dims.Values[ledger.DimSession])
	a.text("gen_ai.agent.id", r.Dims.Values[ledger.DimAgent])
	a.text("gen_ai.agent.name", r.Dims.Values[ledger.DimAgent])
	at.attributes(a)
	a.text("error.type", e.failure())
	if r.Basis == record.Reported || r.Basis == record.ReportedCost {
		v.usage(a, &r.Usage)
	}
	a.usd("gen_ai.usage.cost", e.total)
	own(a, e)
}

// usage are the tokens that the provider reported. Input includes what came from its
// cache and went to it, and output includes reasoning.
func (v vocabulary) usage(a attributes, u *price.Usage) {
	a.add(attribute.Int64("gen_ai.usage.input_tokens", u.TotalInput()))
	a.add(attribute.Int64("gen_ai.usage.output_tokens", u.TotalOutput()))
	a.count("gen_ai.usage.cache_read.input_tokens", u[price.CacheRead])
	if v.established {
		a.count("gen_ai.usage.cache_creation.input_tokens", written(u))
	}
	if v.latest {
		a.count("gen_ai.usage.cache_write.input_tokens", written(u))
	}
	a.count("gen_ai.usage.reasoning.output_tokens", u[price.OutputReasoning])
}

func written(u *price.Usage) int64 {
	return u[price.CacheWrite5m] + u[price.CacheWrite30m] + u[price.CacheWrite1h] + u[price.CacheWrite12h] + u[price.CacheWriteOther]
}

// own are the attributes that the conventions have none for. Amounts are dollars, and
// of the cost there are exact nano-dollars beside.
func own(a attributes, e *event) {
	r := &e.rec
	a.text("purser.request.id", r.ID)
	a.text("purser.outcome", r.Outcome.String())
	a.text("purser.error.code", r.Code)
	a.text("purser.budget.decision", e.decision())
	a.text("purser.cache", r.Cache.String())
	a.usd("purser.cost_usd", e.total)
	a.add(attribute.Int64("purser.cost_nanousd", int64(e.total)))
	a.usd("purser.baseline_usd", e.baseline())
	a.usd("purser.saved_usd", e.baseline()-e.total)
	for _, s := range r.Savings {
		a.usd("purser.saved_usd."+s.Lever.String(), s.Amount)
	}
	if len(e.course.Calls) > 0 {
		a.usd("purser.hold_usd", r.Hold)
		a.text("purser.basis", r.Basis.String())
		a.count("purser.attempts", int64(len(e.course.Calls)))
	}
	a.text("purser.upstream", r.Upstream)
	a.text("purser.tier", r.Tier)
	a.text("purser.route", r.Route.Name)
	a.text("purser.route.strategy", r.Route.Strategy)
	if p := r.Dims.Values[ledger.DimPrompt]; p != "" {
		if r.PromptVersion > 0 {
			p += "@" + strconv.FormatInt(r.PromptVersion, 10)
		}
		a.text("purser.prompt", p)
	}
	for _, d := range [...]ledger.Dim{ledger.DimOrg, ledger.DimTeam, ledger.DimProject, ledger.DimMember, ledger.DimKey, ledger.DimCustomer, ledger.DimFeature, ledger.DimRun, ledger.DimSession, ledger.DimEnv} {
		a.text("purser."+ledger.DimRef{Dim: d}.String(), r.Dims.Values[d])
	}
	for _, t := range r.Dims.Tags {
		a.text("purser.tag."+valid(t.Name), t.Value)
	}
	a.text("purser.step", r.Step)
	a.text("purser.parent", r.Parent)
	a.text("purser.client", r.Client)
	if e.course.Place.Root == trace.RootCaller {
		a.text("purser.trace.begun_by", "caller")
	}
}

// call are the attributes of an upstream call's span. Its tokens and cost have names of
// our own: under those of the conventions a receiver would count them twice.
func (v vocabulary) call(a attributes, e *event, c *trace.Call, at server) {
	a.text("gen_ai.operation.name", operation(e.rec.Endpoint))
	a.text("gen_ai.provider.name", provider(c.Provider))
	a.text("purser.request.id", e.rec.ID)
	a.add(attribute.Int("purser.attempt", c.N))
	a.text("purser.upstream", c.Upstream)
	a.text("purser.attempt.model", c.Model)
	at.attributes(a)
	if c.Status > 0 {
		a.add(attribute.Int("http.response.status_code", c.Status))
	}
	a.text("error.type", callFailure(c))
	a.text("purser.basis", c.Basis.String())
	a.usd("purser.attempt.cost_usd", c.Cost)
	a.add(attribute.Int64("purser.attempt.cost_nanousd", int64(c.Cost)))
	if reported(c) {
		a.add(attribute.Int64("purser.attempt.input_tokens", c.Usage.TotalInput()))
		a.add(attribute.Int64("purser.attempt.output_tokens", c.Usage.TotalOutput()))
	}
}

// reported says whether the provider said what a call used.
func reported(c *trace.Call) bool {
	return c.Basis == record.Reported || c.Basis == record.ReportedCost
}

// callFailure is the error.type of a call; "" of one that was answered.
func callFailure(c *trace.Call) string {
	switch {
	case c.Fault != "":
		return c.Fault
	case c.Status >= 400:
		return strconv.Itoa(c.Status)
	}
	return ""
}

// server is where an upstream is.
type server struct {
	host string
	port int
}

func (s server) attributes(a attributes) {
	if s.host == "" {
		return
	}
	a.text("server.address", s.host)
	if s.port > 0 {
		a.add(attribute.Int("server.port", s.port))
	}
}
