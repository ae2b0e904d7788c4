package otlp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	sdkspan "go.opentelemetry.io/proto/otlp/trace/v1"

	"purser/internal/record"
	"purser/internal/telemetry/otlp/receiver"
	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/trace"
)

// quick waits as little as a test can.
var quick = pace{lag: 5 * time.Millisecond, rest: time.Millisecond, lastWords: 2 * time.Second}

var who = Identity{Node: "n1", Version: "v0", Upstreams: map[string]string{"up": "https://api.openai.com/v1", "local": "http://127.0.0.1:8001/v1"}}

func open(t *testing.T, cfg Config, log *slog.Logger) *Sink {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s, err := openAt(quick, cfg, who, log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func receive(t *testing.T, answer func(receiver.Export) error) *receiver.Receiver {
	t.Helper()
	r, err := receiver.Start(answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func to(url string) Config {
	c := Default()
	c.Endpoint = url
	return c
}

const at = 1_790_000_000 * ledger.Second

// served is a streamed request that an upstream answered at the second try.
func served(id, run, step string) *record.Record {
	r := &record.Record{ID: id, At: at, Endpoint: "/v1/chat/completions", Model: "gpt-4o-mini", Served: "gpt-4o-mini-2024-07-18", UpstreamID: "chatcmpl-1", Upstream: "up",
		Outcome: record.Completed, Status: 200, Cost: 1_500_000, Baseline: 2_500_000, Hold: 9_000_000, Basis: record.Reported, Attempt: 2, Attempts: 2,
		Stream: true, Step: step, FirstByte: 3e9, Total: 5e9, OutputCap: 50, Cache: record.CacheMiss, PromptVersion: 3, Client: "sdk/1",
		Savings: []record.Saving{{Lever: record.LeverNativeCache, Amount: 1_000_000}}, Route: record.Route{Name: "fast", Strategy: "cheapest"}}
	for d, v := range map[ledger.Dim]string{ledger.DimOrg: "acme", ledger.DimRun: run, ledger.DimAgent: "bot", ledger.DimSession: "s-1", ledger.DimCustomer: "c-1", ledger.DimFeature: "chat",
		ledger.DimTeam: "core", ledger.DimPrompt: "greet", ledger.DimProvider: "openai", ledger.DimKey: "key_1", ledger.DimEnv: "Prod"} {
		r.Dims.Values[d] = v
	}
	r.Dims.Tags = []ledger.Tag{{Name: "plan", Value: "gold"}}
	r.Usage[price.InputText], r.Usage[price.CacheRead], r.Usage[price.CacheWrite5m], r.Usage[price.OutputText], r.Usage[price.OutputReasoning] = 20, 100, 7, 30, 4
	return r
}

// end tells a sink of a request, with a failed call before the last one.
func end(s *Sink, r *record.Record) { s.Ended(r, course(r)) }

func course(r *record.Record) *trace.Course {
	c := &trace.Course{Place: trace.Of(r), Sampled: true}
	if r.Attempt > 0 {
		c.Finish = "stop"
		c.Calls = []trace.Call{
			{N: 1, Upstream: "up", Provider: "openai", Model: "gpt-4o-mini", Began: 1e8, Ended: 1e9, Status: 504, Basis: record.FullHold, Cost: 500_000},
			{N: 2, Upstream: "up", Provider: "openai", Model: "gpt-4o-mini", Began: 2e9, Ended: 5e9, Status: 200, ID: r.UpstreamID, Served: r.Served, Basis: r.Basis, Cost: r.Cost, Usage: r.Usage},
		}
	}
	return c
}

func shut(t *testing.T, s *Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func named(t *testing.T, spans []*sdkspan.Span, name string) *sdkspan.Span {
	t.Helper()
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no span %q", name)
	return nil
}

// shape draws a tree: a name, and what is below it in brackets.
func shape(n *receiver.Node) string {
	var sub []string
	for _, s := range n.Sub {
		sub = append(sub, shape(s))
	}
	if len(sub) == 0 {
		return n.Name
	}
	return n.Name + "(" + strings.Join(sub, " ") + ")"
}

func TestARunIsOneTree(t *testing.T) {
	r := receive(t, nil)
	for _, protocol := range []string{"http", "grpc"} {
		cfg := to(r.HTTP)
		if cfg.Protocol = protocol; protocol == "grpc" {
			cfg.Endpoint = r.GRPC
		}
		s := open(t, cfg, nil)
		before := len(r.Spans())
		for i, step := range []string{"plan", "plan", "act"} {
			end(s, served(fmt.Sprintf("req_%s_%d", protocol, i), "run-1", step))
		}
		shut(t, s)
		root, err := receiver.Tree(r.Spans()[before:], "")
		if err != nil {
			t.Fatal(protocol, err)
		}
		const chat = "chat gpt-4o-mini(call up call up)"
		if want := "run(invoke_agent bot(step plan(" + chat + " " + chat + ") step act(" + chat + ")))"; shape(root) != want {
			t.Errorf("%s: %s, want %s", protocol, shape(root), want)
		}
		if got := s.Stats(); got.Told != 3 || got.SpansSent != 13 || got.SpansFailed != 0 || got.Dropped != 0 || got.Queued != 0 {
			t.Errorf("%s: %+v", protocol, got)
		}
	}
}

func TestWhatASpanSays(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	end(s, served("req_1", "run-1", ""))
	shut(t, s)
	request := named(t, r.Spans(), "chat gpt-4o-mini")
	for key, want := range map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.system": "openai",
		"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.response.id": "chatcmpl-1",
		"gen_ai.request.max_tokens": int64(50), "gen_ai.request.stream": true, "gen_ai.response.time_to_first_chunk": 3.0,
		"gen_ai.response.finish_reasons": []string{"stop"}, "gen_ai.conversation.id": "s-1", "gen_ai.agent.id": "bot", "gen_ai.agent.name": "bot",
		"gen_ai.usage.input_tokens": int64(127), "gen_ai.usage.output_tokens": int64(34), "gen_ai.usage.cache_read.input_tokens": int64(100),
		"gen_ai.usage.cache_creation.input_tokens": int64(7), "gen_ai.usage.cache_write.input_tokens": int64(7), "gen_ai.usage.reasoning.output_tokens": int64(4),
		"gen_ai.usage.cost": 0.002, "server.address": "api.openai.com", "server.port": int64(443), "error.type": nil,
		"purser.cost_nanousd": int64(2_000_000), "purser.cost_usd": 0.002, "purser.baseline_usd": 0.003, "purser.saved_usd": 0.001, "purser.saved_usd.native_cache": 0.001,
		"purser.budget.decision": "admitted", "purser.cache": "miss", "purser.route": "fast", "purser.prompt": "greet@3", "purser.customer": "c-1", "purser.feature": "chat",
		"purser.tag.plan": "gold", "purser.attempts": int64(2), "purser.request.id": "req_1", "purser.outcome": "completed",
	} {
		if got := receiver.Attribute(request.Attributes, key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if request.Kind != sdkspan.Span_SPAN_KIND_CLIENT || request.StartTimeUnixNano != uint64(at) || request.EndTimeUnixNano != uint64(at)+5e9 {
		t.Errorf("%v from %d to %d", request.Kind, request.StartTimeUnixNano, request.EndTimeUnixNano)
	}
	var tokens, cost int
	for _, span := range r.Spans() {
		for _, kv := range span.Attributes {
			if kv.Key == "gen_ai.usage.cost" {
				cost++
			}
			if kv.Key == "gen_ai.usage.input_tokens" {
				tokens++
			}
		}
	}
	if tokens != 1 || cost != 1 {
		t.Errorf("tokens are told %d times, and the cost %d times", tokens, cost)
	}
	failed := named(t, r.Spans(), "call up")
	for key, want := range map[string]any{"error.type": "504", "http.response.status_code": int64(504), "purser.attempt": int64(1), "purser.attempt.cost_nanousd": int64(500_000), "purser.basis": "full_hold"} {
		if got := receiver.Attribute(failed.Attributes, key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if failed.Status.Code != sdkspan.Status_STATUS_CODE_ERROR || failed.StartTimeUnixNano != uint64(at)+1e8 || failed.EndTimeUnixNano != uint64(at)+1e9 {
		t.Errorf("%v %d %d", failed.Status, failed.StartTimeUnixNano, failed.EndTimeUnixNano)
	}
}

func TestWhatWasNotServedSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*record.Record)
		fault    any
		decision string
	}{
		"refused":       {func(r *record.Record) { r.Outcome, r.Code = record.Refused, "insufficient_quota" }, "insufficient_quota", "refused"},
		"undecided":     {func(r *record.Record) { r.Outcome, r.Code = record.Undecided, "no_quorum" }, "no_quorum", "undecided"},
		"denied":        {func(r *record.Record) { r.Outcome, r.Code = record.Denied, "policy_denied" }, "policy_denied", "not_asked"},
		"from cache":    {func(r *record.Record) { r.Outcome, r.Cache = record.CacheHit, record.CacheServed }, nil, "not_needed"},
		"cut short":     {func(r *record.Record) { r.Outcome, r.Attempt = record.CutShort, 2 }, "cut_short", "cut_short"},
		"a client gone": {func(r *record.Record) { r.Outcome, r.Attempt = record.Disconnected, 2 }, nil, "admitted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, nil)
			s := open(t, to(r.HTTP), nil)
			rec := served("req_1", "", "")
			rec.Attempt = 0
			rec.Dims.Values[ledger.DimSession] = ""
			c.change(rec)
			end(s, rec)
			shut(t, s)
			span := named(t, r.Spans(), "chat gpt-4o-mini")
			if got := receiver.Attribute(span.Attributes, "error.type"); got != c.fault {
				t.Errorf("error.type is %v, want %v", got, c.fault)
			}
			if got := receiver.Attribute(span.Attributes, "purser.budget.decision"); got != c.decision {
				t.Errorf("the decision is %v, want %v", got, c.decision)
			}
			if (span.Status.GetCode() == sdkspan.Status_STATUS_CODE_ERROR) != (c.fault != nil) || len(span.ParentSpanId) != 0 {
				t.Errorf("%v", span)
			}
		})
	}
}

func TestTheCallersSpanIsTheParent(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	rec := served("req_1", "run-1", "plan")
	rec.Trace, rec.Caller = [16]byte{1, 2}, [8]byte{3, 4}
	c := course(rec)
	c.Caller = trace.Context{Trace: rec.Trace, Span: rec.Caller, Flags: 1, State: "rojo=1"}
	s.Ended(rec, c)
	shut(t, s)
	root, err := receiver.Tree(r.Spans(), string(rec.Caller[:]))
	if err != nil || shape(root) != "chat gpt-4o-mini(call up call up)" || !bytes.Equal(root.TraceId, rec.Trace[:]) || root.TraceState != "rojo=1" {
		t.Errorf("%v %v", root, err)
	}
}

func TestUnsampledRequestsCountAndHaveNoSpans(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	rec := served("req_1", "run-1", "")
	c := course(rec)
	c.Sampled = false
	s.Ended(rec, c)
	shut(t, s)
	if len(r.Spans()) != 0 || r.Metrics()["gen_ai.server.request.duration"] == nil {
		t.Errorf("%d spans, %v", len(r.Spans()), r.Metrics())
	}
}

// TestPresets: each asks its path, with the headers and attributes that its receiver
// wants, and sends no metrics.
func TestPresets(t *testing.T) {
	for name, c := range map[string]struct {
		key, project, base, path string
		header                   map[string]string
		request, scope           map[string]any
	}{
		"langfuse": {key: "pk-1:sk-1", base: "/api/public/otel", path: "/api/public/otel/v1/traces",
			header: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("pk-1:sk-1")), "X-Langfuse-Ingestion-Version": "4"},
			request: map[string]any{"langfuse.session.id": "s-1", "session.id": "s-1", "user.id": "c-1", "langfuse.observation.type": "generation", "langfuse.environment": "prod",
				"langfuse.trace.tags": []string{"team:core", "feature:chat", "customer:c-1"}, "gen_ai.usage.cost": 0.002},
			scope: map[string]any{"langfuse.observation.type": "span", "langfuse.session.id": "s-1"}},
		"langsmith": {key: "ls-1", project: "gateway", base: "/otel", path: "/otel/v1/traces",
			header: map[string]string{"X-Api-Key": "ls-1", "Langsmith-Project": "gateway"},
			request: map[string]any{"langsmith.span.kind": "llm", "langsmith.metadata.session_id": "s-1", "langsmith.metadata.customer": "c-1", "langsmith.metadata.cost_usd": 0.002,
				"langsmith.span.tags": "team:core,feature:chat,customer:c-1", "gen_ai.system": "openai"},
			scope: map[string]any{"langsmith.span.kind": "chain"}},
		"braintrust": {key: "bt-1", project: "gateway", base: "/otel", path: "/otel/v1/traces",
			header: map[string]string{"Authorization": "Bearer bt-1", "X-Bt-Parent": "project_name:gateway"},
			request: map[string]any{"braintrust.metrics": `{"estimated_cost":0.002}`, "braintrust.span_attributes": `{"type":"llm"}`,
				"braintrust.tags": []string{"team:core", "feature:chat", "customer:c-1"}},
			scope: map[string]any{"braintrust.span_attributes": `{"type":"task"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, nil)
			cfg := to(r.HTTP + c.base)
			cfg.Preset, cfg.Key, cfg.Project, cfg.Conventions = name, c.key, c.project, Latest
			s := open(t, cfg, nil)
			end(s, served("req_1", "run-1", ""))
			shut(t, s)
			exports := r.Exports()
			if len(exports) == 0 {
				t.Fatal("nothing came")
			}
			for _, e := range exports {
				if e.Path != c.path {
					t.Errorf("asked %s", e.Path)
				}
				for h, want := range c.header {
					if got := e.Header.Get(h); got != want {
						t.Errorf("%s: %q, want %q", h, got, want)
					}
				}
			}
			for span, want := range map[string]map[string]any{"chat gpt-4o-mini": c.request, "run": c.scope} {
				for key, v := range want {
					if got := receiver.Attribute(named(t, r.Spans(), span).Attributes, key); !reflect.DeepEqual(got, v) {
						t.Errorf("%s of %s: %v, want %v", key, span, got, v)
					}
				}
			}
			if p := presets[name]; !strings.HasPrefix(p.endpoint, "https://") || !strings.HasSuffix(p.endpoint, c.base) {
				t.Errorf("without an endpoint, %s is asked", p.endpoint)
			}
		})
	}
}

func TestHeadersReachTheReceiver(t *testing.T) {
	r := receive(t, nil)
	for _, url := range []string{r.HTTP, r.GRPC} {
		cfg := to(url)
		cfg.Headers = map[string]string{"X-Tenant": "t1"}
		if url == r.GRPC {
			cfg.Protocol = "grpc"
		}
		s := open(t, cfg, nil)
		end(s, served("req_1", "", ""))
		shut(t, s)
	}
	paths := map[string]bool{}
	for _, e := range r.Exports() {
		if e.Header.Get("X-Tenant") != "t1" {
			t.Errorf("%s: %v", e.Path, e.Header)
		}
		paths[e.Path] = true
	}
	for _, want := range []string{"/v1/traces", "/v1/metrics", "traces", "metrics"} {
		if !paths[want] {
			t.Errorf("nothing came at %s", want)
		}
	}
}

// TestAHangingReceiverCostsNoRequestAnything: what does not fit into the queue is
// dropped and counted, and telling takes no time.
func TestAHangingReceiverCostsNoRequestAnything(t *testing.T) {
	hanging := make(chan struct{})
	var once sync.Once
	entered := make(chan struct{})
	r := receive(t, func(receiver.Export) error { once.Do(func() { close(entered) }); <-hanging; return nil })
	cfg := to(r.HTTP)
	cfg.Queue, cfg.Metrics, cfg.Timeout = 8, false, time.Minute
	s := open(t, cfg, nil)
	end(s, served("req_0", "", ""))
	<-entered // the sink waits for its receiver, and for nothing else
	for i := range 100 {
		end(s, served(fmt.Sprint("req_", i+1), "", ""))
	}
	if got := s.Stats(); got.Queued != 8 || got.Dropped != 92 || got.Told != 101 {
		t.Errorf("%+v", got)
	}
	s.pace.lastWords = 10 * time.Millisecond
	shut(t, s)
	if got := s.Stats(); got.SpansSent != 0 || got.SpansFailed == 0 || got.Queued != 0 {
		t.Errorf("%+v", got)
	}
	close(hanging)
}

// TestADeadReceiverIsToldOnce: of failures and of their end there is one line each in
// the log, without what the receiver answered beyond a line.
func TestADeadReceiverIsToldOnce(t *testing.T) {
	var mu sync.Mutex
	down := true
	r := receive(t, func(receiver.Export) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return errors.New("go away\n" + strings.Repeat("and a page of text", 100))
		}
		return nil
	})
	var log bytes.Buffer
	cfg := to(r.HTTP)
	cfg.Metrics = false
	s := open(t, cfg, slog.New(slog.NewTextHandler(&log, nil)))
	until := func(what string, f func(Stats) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !f(s.Stats()); {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come: %+v", what, s.Stats())
			}
			<-time.After(time.Millisecond)
		}
	}
	end(s, served("req_1", "", ""))
	until("the first failure", func(st Stats) bool { return st.SpansFailed == 5 })
	end(s, served("req_2", "", ""))
	until("the second", func(st Stats) bool { return st.SpansFailed == 10 })
	if got := s.Stats(); got.TracesFailed != maxTries+1 {
		t.Errorf("%+v", got)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	end(s, served("req_3", "", ""))
	until("what comes after", func(st Stats) bool { return st.SpansSent == 5 })
	shut(t, s)
	// What was lost with the others is told again.
	if root, err := receiver.Tree(r.Spans(), ""); err != nil || shape(root) != "session(invoke_agent bot(chat gpt-4o-mini(call up call up)))" {
		t.Error(root, err)
	}
	if got := log.String(); strings.Count(got, "cannot be sent") != 1 || strings.Count(got, "sent again") != 1 || strings.Contains(got, "page of text") {
		t.Error(got)
	}
}

// TestAFailingReceiverIsLeftAlone: no spans are made until it is asked again, and the
// requests are counted; metrics go on.
func TestAFailingReceiverIsLeftAlone(t *testing.T) {
	r := receive(t, func(e receiver.Export) error {
		if e.Spans != nil {
			return errors.New("no")
		}
		return nil
	})
	p := quick
	p.probe = time.Hour
	s, err := openAt(p, to(r.HTTP), who, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	end(s, served("req_0", "", ""))
	for deadline := time.Now().Add(10 * time.Second); s.Stats().SpansFailed == 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no span has failed")
		}
	}
	for i := range 20 {
		end(s, served(fmt.Sprint("req_", i+1), "", ""))
	}
	shut(t, s)
	if got := s.Stats(); got.Dropped != 20 || got.SpansFailed != 5 || got.TracesFailed != maxTries {
		t.Errorf("%+v", got)
	}
	if p := r.Metrics()["gen_ai.server.request.duration"].GetHistogram().GetDataPoints(); len(p) != 1 || p[0].Count != 21 {
		t.Errorf("%v", p)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, protocol := range []string{"http", "grpc"} {
		cfg := to("http://" + l.Addr().String())
		cfg.Protocol, cfg.Timeout = protocol, 100*time.Millisecond
		s := open(t, cfg, nil)
		end(s, served("req_1", "run-1", ""))
		shut(t, s)
		if got := s.Stats(); got.SpansFailed != 5 || got.MetricsFailed == 0 || got.SpansSent != 0 {
			t.Errorf("%s: %+v", protocol, got)
		}
	}
}

func TestEventsAreCopied(t *testing.T) {
	r := receive(t, nil)
	cfg := to(r.HTTP)
	cfg.Metrics = false
	s := open(t, cfg, nil)
	rec := served("req_1", "", "")
	c := course(rec)
	s.Ended(rec, c)
	rec.Dims.Tags[0].Value, rec.Savings[0].Amount, c.Calls[0].Status = "another", 0, 200 // the next request's
	shut(t, s)
	if got := receiver.Attribute(named(t, r.Spans(), "chat gpt-4o-mini").Attributes, "purser.tag.plan"); got != "gold" {
		t.Error(got)
	}
	if got := receiver.Attribute(named(t, r.Spans(), "call up").Attributes, "error.type"); got != "504" {
		t.Error(got)
	}
}

func TestToldIsBounded(t *testing.T) {
	told := newTold(100)
	for i := range 1000 {
		if !told.first([16]byte{byte(i), byte(i >> 8)}, [8]byte{1}) || told.first([16]byte{byte(i), byte(i >> 8)}, [8]byte{1}) {
			t.Fatal(i)
		}
		if n := len(told.newer) + len(told.earlier); n > 100 {
			t.Fatalf("%d are remembered", n)
		}
	}
	if told.first([16]byte{byte(999 & 255), byte(999 >> 8)}, [8]byte{1}) {
		t.Error("the newest is forgotten")
	}
}

// BenchmarkEnded is what a request waits for.
func BenchmarkEnded(b *testing.B) {
	cfg := to("http://127.0.0.1:9")
	cfg.Queue = 1
	s, err := Open(cfg, who, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	r := served("req_1", "run-1", "plan")
	c := course(r)
	b.ReportAllocs()
	for b.Loop() {
		s.Ended(r, c)
	}
	s.pace.lastWords = time.Millisecond
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTake is what the sink's goroutine does for a request, but for the export.
func BenchmarkTake(b *testing.B) {
	s, err := Open(to("http://127.0.0.1:9"), who, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	r := served("req_1", "run-1", "plan")
	e := new(event)
	e.fill(r, course(r))
	b.ReportAllocs()
	for b.Loop() {
		s.meters.observe(e)
		s.maker.take(e)
		s.maker.batch = s.maker.batch[:0]
	}
}

// TestNodesMakeOneTree: spans that several nodes send of one run are one tree, since what
// is sent twice has one id, one name and one parent.
func TestNodesMakeOneTree(t *testing.T) {
	r := receive(t, nil)
	for _, node := range []string{"n1", "n2"} {
		as := who
		as.Node = node
		s, err := openAt(quick, to(r.HTTP), as, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		end(s, served("req_"+node, "run-1", "plan"))
		shut(t, s)
	}
	once := map[string]*sdkspan.Span{}
	var spans []*sdkspan.Span
	for _, span := range r.Spans() {
		if first := once[string(span.SpanId)]; first == nil {
			once[string(span.SpanId)] = span
			spans = append(spans, span)
		} else if first.Name != span.Name || !bytes.Equal(first.ParentSpanId, span.ParentSpanId) {
			t.Errorf("%v and %v have one id", first, span)
		}
	}
	const chat = "chat gpt-4o-mini(call up call up)"
	root, err := receiver.Tree(spans, "")
	if err != nil || shape(root) != "run(invoke_agent bot(step plan("+chat+" "+chat+")))" || len(r.Spans()) != len(spans)+3 {
		t.Errorf("%v, %d spans of %d", err, len(spans), len(r.Spans()))
	}
}

// TestWhatIsNoUTF8SpoilsNoBatch: the protocol has no other texts, and a message with one
// cannot be written, with all that is in it.
func TestWhatIsNoUTF8SpoilsNoBatch(t *testing.T) {
	r := receive(t, nil)
	s := open(t, to(r.HTTP), nil)
	bad := served("req_bad", "run-\xff", "step\xff")
	bad.Model, bad.Served, bad.UpstreamID, bad.Tier = "m\xff", "s\xff", "id\xff", "t\xff"
	bad.Dims.Tags = []ledger.Tag{{Name: "n\xff", Value: "v\xff"}}
	c := course(bad)
	c.Finish = "stop\xff"
	s.Ended(bad, c)
	end(s, served("req_good", "run-1", "plan"))
	shut(t, s)
	if st := s.Stats(); st.SpansFailed > 0 || st.MetricsFailed > 0 || len(r.Spans()) == 0 {
		t.Errorf("%+v, %d spans arrived", st, len(r.Spans()))
	}
}
