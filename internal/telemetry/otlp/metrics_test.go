package otlp

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"testing"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"purser/internal/record"
	"purser/internal/telemetry/otlp/receiver"
	"purser/proxy/price"
	"purser/proxy/trace"
)

func measured(t *testing.T, conventions string) map[string]*metrics.Metric {
	t.Helper()
	r := receive(t, nil)
	cfg := to(r.HTTP)
	cfg.Conventions = conventions
	s := open(t, cfg, nil)
	end(s, served("req_1", "run-1", ""))
	end(s, served("req_2", "run-1", ""))
	refused := served("req_3", "run-1", "")
	refused.Outcome, refused.Code, refused.Attempt, refused.FirstByte, refused.Usage = record.Refused, "insufficient_quota", 0, 0, price.Usage{}
	end(s, refused)
	embedded := served("req_4", "", "")
	embedded.Endpoint, embedded.Model, embedded.Stream = "/v1/embeddings", "text-embedding-3-small", false
	end(s, embedded)
	shut(t, s)
	return r.Metrics()
}

var client = map[string][]string{
	Established: {"gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.token.usage"},
	Latest: {"gen_ai.client.inference.duration", "gen_ai.client.inference.operation.input_tokens", "gen_ai.client.inference.operation.output_tokens",
		"gen_ai.client.inference.time_to_first_chunk", "gen_ai.client.inference.usage.cache_read.input_tokens", "gen_ai.client.inference.usage.cache_write.input_tokens",
		"gen_ai.client.inference.usage.input_tokens", "gen_ai.client.inference.usage.output_tokens", "gen_ai.client.inference.usage.reasoning.output_tokens",
		"gen_ai.client.operation.duration"},
}

// TestMetricsGoByTheirConventions: each has its instruments, and of embeddings the newest
// has the older name still.
func TestMetricsGoByTheirConventions(t *testing.T) {
	always := []string{"gen_ai.server.request.duration", "gen_ai.server.time_per_output_token", "gen_ai.server.time_to_first_token", "purser.cost"}
	for conventions, want := range map[string][]string{
		Established: append(slices.Clone(client[Established]), always...), Latest: append(slices.Clone(client[Latest]), always...),
		Both: append(append(slices.Clone(client[Established]), client[Latest]...), always...),
	} {
		got := measured(t, conventions)
		var names []string
		for name := range got {
			names = append(names, name)
		}
		sort.Strings(names)
		sort.Strings(want)
		if want = slices.Compact(want); !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", conventions, names, want)
		}
		for _, p := range got["gen_ai.client.operation.duration"].GetHistogram().DataPoints {
			if op := receiver.Attribute(p.Attributes, "gen_ai.operation.name"); conventions == Latest && op != "embeddings" {
				t.Errorf("%s has the older name", op)
			}
			if sys := receiver.Attribute(p.Attributes, "gen_ai.system"); (sys != nil) != (conventions != Latest) {
				t.Errorf("%s: gen_ai.system is %v", conventions, sys)
			}
		}
	}
}

func TestWhatMetricsCount(t *testing.T) {
	got := measured(t, Both)
	type point struct {
		count uint64
		sum   float64
	}
	points := func(name string, keys ...string) map[string]point {
		out := map[string]point{}
		for _, p := range got[name].GetHistogram().GetDataPoints() {
			label := ""
			for _, k := range keys {
				label += fmt.Sprint(receiver.Attribute(p.Attributes, k), " ")
			}
			out[label] = point{p.Count, p.GetSum()}
		}
		for _, p := range got[name].GetSum().GetDataPoints() {
			label := ""
			for _, k := range keys {
				label += fmt.Sprint(receiver.Attribute(p.Attributes, k), " ")
			}
			out[label] = point{0, p.GetAsDouble() + float64(p.GetAsInt())}
		}
		return out
	}
	op := "gen_ai.operation.name"
	for _, c := range []struct {
		name string
		keys []string
		want map[string]point
	}{
		{"gen_ai.client.token.usage", []string{op, "gen_ai.token.type"}, map[string]point{"chat input ": {2, 254}, "chat output ": {2, 68}, "embeddings input ": {1, 127}, "embeddings output ": {1, 34}}},
		{"gen_ai.client.inference.usage.input_tokens", []string{op, "gen_ai.token.modality"}, map[string]point{"chat text ": {0, 254}, "embeddings text ": {0, 127}}},
		{"gen_ai.client.inference.usage.cache_read.input_tokens", []string{op}, map[string]point{"chat ": {0, 200}, "embeddings ": {0, 100}}},
		{"gen_ai.client.operation.duration", []string{op, "error.type"}, map[string]point{"chat <nil> ": {2, 6}, "chat 504 ": {2, 1.8}, "embeddings <nil> ": {1, 3}, "embeddings 504 ": {1, .9}}},
		{"gen_ai.client.operation.time_to_first_chunk", []string{op}, map[string]point{"chat ": {2, 2}}},
		{"gen_ai.server.request.duration", []string{op, "error.type"}, map[string]point{"chat <nil> ": {2, 10}, "chat insufficient_quota ": {1, 5}, "embeddings <nil> ": {1, 5}}},
		{"gen_ai.server.time_to_first_token", []string{op}, map[string]point{"chat ": {2, 6}, "embeddings ": {1, 3}}},
		{"gen_ai.server.time_per_output_token", []string{op}, map[string]point{"chat ": {2, 4. / 33}}},
		{"purser.cost", []string{op, "gen_ai.response.model"}, map[string]point{"chat gpt-4o-mini-2024-07-18 ": {0, .003}, "chat <nil> ": {0, .001}, "embeddings gpt-4o-mini-2024-07-18 ": {0, .0015}, "embeddings <nil> ": {0, .0005}}},
	} {
		have := points(c.name, c.keys...)
		for label, want := range c.want {
			if p := have[label]; p.count != want.count || p.sum < want.sum*.999999 || p.sum > want.sum*1.000001 {
				t.Errorf("%s of %s: %v, want %v", c.name, label, p, want)
			}
			delete(have, label)
		}
		if len(have) > 0 {
			t.Errorf("%s counts %v as well", c.name, have)
		}
	}
	for name, want := range map[string][]float64{"gen_ai.client.token.usage": tokenBounds, "gen_ai.client.operation.duration": durationBounds, "gen_ai.server.time_to_first_token": firstBounds, "gen_ai.server.time_per_output_token": perBounds} {
		if p := got[name].GetHistogram().DataPoints[0]; !reflect.DeepEqual(p.ExplicitBounds, want) {
			t.Errorf("%s: %v", name, p.ExplicitBounds)
		}
	}
}

func TestModelsOfMetricsAreBounded(t *testing.T) {
	m := &meters{models: map[string]bool{}}
	for i := range 10 * maxModels {
		m.model(fmt.Sprint("m-", i))
	}
	if m.model("m-0") != "m-0" || m.model("new") != "other" || len(m.models) != maxModels {
		t.Errorf("%d models", len(m.models))
	}
}

// TestRefusedModelsTakeNoRoom: whoever has a key may ask for models that there are not.
func TestRefusedModelsTakeNoRoom(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	for i := range 2 * maxModels {
		rec := served(fmt.Sprint("req_", i), "", "")
		rec.Outcome, rec.Code, rec.Attempt, rec.Model, rec.Served = record.Denied, "model_not_found", 0, fmt.Sprint("none-", i), ""
		s.Ended(rec, &trace.Course{Place: trace.Of(rec)})
	}
	end(s, served("req_good", "", ""))
	shut(t, s)
	models := map[any]int{}
	for _, p := range r.Metrics()["gen_ai.server.request.duration"].GetHistogram().GetDataPoints() {
		models[receiver.Attribute(p.Attributes, "gen_ai.request.model")]++
	}
	if len(models) != 2 || models["gpt-4o-mini"] != 1 || models[otherModel] != 1 {
		t.Errorf("%v", models)
	}
}

func TestOperations(t *testing.T) {
	for endpoint, want := range map[string]string{
		"/v1/chat/completions": "chat", "/v1/messages": "chat", "/v1/responses": "chat", "/openai/deployments/{model}/chat/completions": "chat",
		"/v1/completions": "text_completion", "/openai/deployments/{model}/completions": "text_completion",
		"/v1/embeddings": "embeddings", "/v1beta/models/{model}:embedContent": "embeddings", "/v1beta/models/{model}:batchEmbedContents": "embeddings",
		"/v1beta/models/{model}:generateContent": "generate_content", "/v1beta/models/{model}:streamGenerateContent": "generate_content",
		"/v1/messages/count_tokens": "count_tokens", "/v1/responses/input_tokens": "count_tokens", "/v1beta/models/{model}:countTokens": "count_tokens",
		"/v1/responses/": "fetch_response", "/v1/responses/compact": "compact", "/v1/moderations": "moderations",
	} {
		if got := operation(endpoint); got != want {
			t.Errorf("%s is %q, want %q", endpoint, got, want)
		}
	}
	for catalogue, want := range map[string][2]string{"openai": {"openai", "openai"}, "azure": {"azure.ai.openai", "az.ai.openai"}, "aws": {"aws.bedrock", "aws.bedrock"},
		"google": {"gcp.gemini", "gcp.gemini"}, "x-ai": {"x_ai", "xai"}, "mistral": {"mistral_ai", "mistral_ai"}, "own": {"own", "own"}, "": {"_OTHER", "_OTHER"}} {
		if p, s := provider(catalogue), system(catalogue); p != want[0] || s != want[1] {
			t.Errorf("%s is %s and %s, want %v", catalogue, p, s, want)
		}
	}
}

func TestFreeCallsCostNothing(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	rec := served("req_1", "", "")
	rec.Endpoint, rec.Cost, rec.Basis = "/v1/messages/count_tokens", 0, record.NoCharge
	s.Ended(rec, &trace.Course{Place: trace.Of(rec), Sampled: true, Calls: []trace.Call{{N: 1, Upstream: "up", Provider: "anthropic", Status: 200, Basis: record.NoCharge}}})
	shut(t, s)
	span := named(t, r.Spans(), "count_tokens gpt-4o-mini")
	if c, n := receiver.Attribute(span.Attributes, "gen_ai.usage.cost"), receiver.Attribute(span.Attributes, "gen_ai.usage.input_tokens"); c != 0.0 || n != nil {
		t.Error(c, n)
	}
	if r.Metrics()["gen_ai.client.token.usage"] != nil {
		t.Error("tokens that were not used are counted")
	}
}
