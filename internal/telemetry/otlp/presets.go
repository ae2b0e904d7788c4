package otlp

import (
	"encoding/json"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"purser/ledger"
)

// preset is what a receiver wants beside the conventions.
type preset struct {
	endpoint string
	needs    string // for its key
	headers  func(*Config, map[string]string)
	project  func(string) string           // how it names a project; nil where it has none
	request  func(attributes, *event)      // more attributes of a request's span
	scope    func(attributes, *scopeEvent) // and of a scope's
}

var presets = map[string]preset{
	"": {},
	"langfuse": {
		endpoint: "https://cloud.langfuse.com/api/public/otel", needs: "its public key, a colon and its secret key",
		headers: func(c *Config, h map[string]string) {
			h["Authorization"] = basic(c.Key)
			h["x-langfuse-ingestion-version"] = "4"
		},
		request: langfuse, scope: langfuseScope,
	},
	"langsmith": {
		endpoint: "https://api.smith.langchain.com/otel", needs: "an API key",
		headers: func(c *Config, h map[string]string) {
			h["x-api-key"] = c.Key
			if c.Project != "" {
				h["Langsmith-Project"] = c.Project
			}
		},
		project: func(name string) string { return name },
		request: langsmith, scope: func(a attributes, e *scopeEvent) { a.text("langsmith.span.kind", "chain") },
	},
	"braintrust": {
		endpoint: "https://api.braintrust.dev/otel", needs: "an API key",
		headers: func(c *Config, h map[string]string) {
			h["Authorization"] = "Bearer " + c.Key
			h["x-bt-parent"] = braintrustProject(c.Project)
		},
		project: braintrustProject,
		request: braintrust, scope: func(a attributes, e *scopeEvent) { a.text("braintrust.span_attributes", `{"type":"task"}`) },
	},
}

// braintrustProject is a project as the header wants it: by its name, where nothing
// else is said.
func braintrustProject(name string) string {
	for _, prefix := range []string{"project_id:", "project_name:", "experiment_id:"} {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return "project_name:" + name
}

// tagsOf are what the receivers call tags: values by which people look for requests.
func tagsOf(e *event) []string {
	var out []string
	for _, d := range []ledger.Dim{ledger.DimTeam, ledger.DimFeature, ledger.DimCustomer} {
		if v := e.rec.Dims.Values[d]; v != "" {
			out = append(out, ledger.DimRef{Dim: d}.String()+":"+valid(v))
		}
	}
	return out
}

// user is whom a request was for: the customer, or else the member.
func user(e *event) string {
	if c := e.rec.Dims.Values[ledger.DimCustomer]; c != "" {
		return c
	}
	return e.rec.Dims.Values[ledger.DimMember]
}

// langfuse: https://langfuse.com/integrations/native/opentelemetry#property-mapping.
// It takes the cost from gen_ai.usage.cost.
func langfuse(a attributes, e *event) {
	a.text("langfuse.observation.type", "generation")
	a.text("langfuse.environment", environment(e.rec.Dims.Values[ledger.DimEnv]))
	langfuseTrace(a, e.rec.Dims.Values[ledger.DimSession], user(e), tagsOf(e))
}

func langfuseScope(a attributes, e *scopeEvent) {
	a.text("langfuse.observation.type", "span")
	a.text("langfuse.environment", environment(e.of.rec.Dims.Values[ledger.DimEnv]))
	langfuseTrace(a, e.of.rec.Dims.Values[ledger.DimSession], user(e.of), tagsOf(e.of))
}

func langfuseTrace(a attributes, session, user string, tags []string) {
	a.text("langfuse.session.id", session)
	a.text("session.id", session)
	a.text("langfuse.user.id", user)
	a.text("user.id", user)
	if len(tags) > 0 {
		a.add(attribute.StringSlice("langfuse.trace.tags", tags))
	}
}

// environment is a name as Langfuse takes one: up to 40 of a-z, 0-9, "-" and "_".
func environment(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return name[:min(len(name), 40)]
}

// langsmith: https://docs.langchain.com/langsmith/trace-with-opentelemetry. It finds
// threads by the metadata session_id, and the provider in gen_ai.system.
func langsmith(a attributes, e *event) {
	a.text("langsmith.span.kind", map[bool]string{true: "embedding", false: "llm"}[operation(e.rec.Endpoint) == opEmbeddings])
	if !a.has("gen_ai.system") {
		a.text("gen_ai.system", system(e.provider()))
	}
	if tags := tagsOf(e); len(tags) > 0 {
		a.text("langsmith.span.tags", commas(tags))
	}
	for k, v := range metadata(e) {
		a.text("langsmith.metadata."+k, v)
	}
	a.usd("langsmith.metadata.cost_usd", e.total)
}

// braintrust: https://www.braintrust.dev/docs/integrations/sdk-integrations/opentelemetry/attributes.
func braintrust(a attributes, e *event) {
	a.text("braintrust.span_attributes", `{"type":"llm"}`)
	a.json("braintrust.metadata", metadata(e))
	a.json("braintrust.metrics", map[string]float64{"estimated_cost": usd(e.total)})
	if tags := tagsOf(e); len(tags) > 0 {
		a.add(attribute.StringSlice("braintrust.tags", tags))
	}
}

// metadata is whom a request belongs to, by dimension.
func metadata(e *event) map[string]string {
	m := map[string]string{"request_id": e.rec.ID}
	for d, v := range e.rec.Dims.Values {
		if v != "" {
			m[ledger.DimRef{Dim: ledger.Dim(d)}.String()] = v
		}
	}
	if s := m["session"]; s != "" {
		m["session_id"] = s
	}
	return m
}

func (a attributes) json(key string, v any) {
	b, err := json.Marshal(v)
	if err == nil { // of texts and finite numbers there is none
		a.text(key, string(b))
	}
}

func (a attributes) has(key string) bool {
	return slices.ContainsFunc(*a.list, func(kv attribute.KeyValue) bool { return string(kv.Key) == key })
}

// commas joins labels as LangSmith parts them.
func commas(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strings.ReplaceAll(v, ",", " ")
	}
	return strings.Join(out, ",")
}
