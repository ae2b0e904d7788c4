package e2e

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	otlptrace "go.opentelemetry.io/proto/otlp/trace/v1"

	"purser/api/admin"
	"purser/internal/telemetry/otlp/receiver"
)

// stepAsked is one request of an agent's run, and where its span is to be.
type stepAsked struct {
	text, agent, step, parent string
	stream                    bool
	status                    int
	mode                      string // of the simulated provider
	under                     string // the names of the spans above it
}

// TestARunArrivesAsOneTree: an agent with a helper makes a run of several steps, in
// streams and whole, with an answer from the cache, a call that is tried again, and a
// refusal. Its spans arrive at a receiver, over both protocols, as one tree; the costs
// and tokens in them are what the provider billed.
func TestARunArrivesAsOneTree(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			rec, err := receiver.Start(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer rec.Close()
			endpoint := rec.HTTP
			if protocol == "grpc" {
				endpoint = rec.GRPC
			}
			r := newRig(t, rigOptions{config: fmt.Sprintf("telemetry:\n  endpoint: %s\n  protocol: %s\n  interval: 1s\n", endpoint, protocol)})
			r.budget(usd("cap", "10"))
			key := r.key(admin.NewKey{Name: "agents", Bound: map[string]string{"org": "acme"}})
			run := []stepAsked{
				{text: "Make a plan.", agent: "planner", step: "plan", stream: true, status: 200, under: "run/invoke_agent planner/step plan"},
				{text: "Find pens.", agent: "planner", step: "search", parent: "plan", status: 200, under: "run/invoke_agent planner/step plan/step search"},
				{text: "Find pens.", agent: "planner", step: "search", parent: "plan", status: 200, under: "run/invoke_agent planner/step plan/step search"},
				{text: "Read them.", agent: "reader", parent: "search", status: 200, under: "run/invoke_agent planner/step plan/step search/invoke_agent reader"},
				{text: "It breaks.", agent: "planner", step: "act", mode: "502", status: 502, under: "run/invoke_agent planner/step act"},
				{text: "Sum up.", agent: "planner", step: "act", status: 200, under: "run/invoke_agent planner/step act"},
			}
			under := map[string]string{}
			for _, a := range run {
				body := fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":40,"stream":%v,"messages":[{"role":"user","content":%q}]}`, a.stream, a.text)
				headers := []string{"x-purser-run", "run-7", "x-purser-agent", a.agent, "x-purser-customer", "c-1"}
				for name, v := range map[string]string{"x-purser-step": a.step, "x-purser-parent": a.parent, "x-sim-mode": a.mode} {
					if v != "" {
						headers = append(headers, name, v)
					}
				}
				status, answer, header := r.ask(key.Secret, body, headers...)
				if status != a.status {
					t.Fatalf("%s: %d %s", a.text, status, answer)
				}
				under[header.Get("x-purser-request-id")] = a.under
			}
			if len(under) != len(run) {
				t.Fatalf("%d ids of %d requests: %v", len(under), len(run), under)
			}
			r.eventually("every request has a span", func() error {
				n := 0
				for _, s := range rec.Spans() {
					if s.Name == "chat gpt-4o-mini" {
						n++
					}
				}
				if n < len(run) {
					return fmt.Errorf("%d of %d", n, len(run))
				}
				return nil
			})
			root, err := receiver.Tree(rec.Spans(), "")
			if err != nil {
				t.Fatal(err)
			}
			var cost, input, output int64
			calls, met := 0, 0
			for n := range nodes(root) {
				id, _ := n.Get("purser.request.id").(string)
				if strings.HasPrefix(n.Name, "call ") {
					calls++
					continue
				}
				if n.Name != "chat gpt-4o-mini" {
					continue
				}
				met++
				if got := path(n.Over); got != under[id] {
					t.Errorf("%s is under %s, want %s", id, got, under[id])
				}
				if n.Get("purser.customer") != "c-1" || n.Get("purser.run") != "run-7" || n.Get("purser.org") != "acme" || n.Get("gen_ai.provider.name") != "openai" || n.Get("server.address") != "127.0.0.1" {
					t.Errorf("%s: %v", id, n.Attributes)
				}
				c, ok := n.Get("purser.cost_nanousd").(int64)
				if usage, isFloat := n.Get("gen_ai.usage.cost").(float64); !ok || !isFloat || usage != float64(c)/1e9 {
					t.Errorf("%s has no cost", id)
				}
				cost += c
				if in, ok := n.Get("gen_ai.usage.input_tokens").(int64); ok {
					input, output = input+in, output+n.Get("gen_ai.usage.output_tokens").(int64)
				}
			}
			if met != len(run) || calls != 1+1+1+1+3 {
				t.Errorf("%d requests and %d calls have spans", met, calls)
			}
			var billed struct{ cost, input, output int64 }
			for _, row := range r.billRows() {
				billed.cost, billed.input, billed.output = billed.cost+int64(row.Cost), billed.input+row.Usage.TotalInput(), billed.output+row.Usage.TotalOutput()
			}
			report, err := r.admin.Usage(context.Background(), admin.UsageQuery{Filter: map[string]string{"run": "run-7"}})
			if err != nil {
				t.Fatal(err)
			}
			// A 502 says nothing of what the provider billed: its hold is charged, and its tokens are not known.
			if cost != report.Total.Cost || cost < billed.cost || input != billed.input || output != billed.output || cost == 0 {
				t.Errorf("spans say %d, records %d, the bill %d; tokens %d and %d, billed %d and %d", cost, report.Total.Cost, billed.cost, input, output, billed.input, billed.output)
			}
			r.eventually("metrics arrive", func() error {
				for _, name := range []string{"gen_ai.client.token.usage", "gen_ai.client.inference.usage.input_tokens", "gen_ai.server.request.duration", "gen_ai.server.time_to_first_token", "purser.cost"} {
					if rec.Metrics()[name] == nil {
						return fmt.Errorf("%s is missing", name)
					}
				}
				return nil
			})
			for _, secret := range []string{"pens", "Make a plan", key.Secret, "sk-e2e", adminToken} {
				if strings.Contains(fmt.Sprint(rec.Exports()), secret) {
					t.Errorf("%q was sent", secret)
				}
			}
			if scrape := r.scrape(); !strings.Contains(scrape, `purser_telemetry_spans_total{outcome="failed"} 0`) || !strings.Contains(scrape, `purser_budget_limit_usd{budget="cap"`) {
				t.Error("the node's own metrics do not say what was sent")
			}
		})
	}
}

// nodes yields a tree's, from the root.
func nodes(n *receiver.Node) func(func(*receiver.Node) bool) {
	return func(yield func(*receiver.Node) bool) { walk(n, yield) }
}

func walk(n *receiver.Node, yield func(*receiver.Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, s := range n.Sub {
		if !walk(s, yield) {
			return false
		}
	}
	return true
}

func path(n *receiver.Node) string {
	if n == nil {
		return ""
	}
	return strings.TrimPrefix(path(n.Over)+"/"+n.Name, "/")
}

func (r *rig) scrape() string {
	r.t.Helper()
	res, err := http.Get(r.url + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

// TestTheCallersTraceIsContinued: the gateway's spans are below the caller's, whatever
// run it names, and a trace that the caller does not record has none.
func TestTheCallersTraceIsContinued(t *testing.T) {
	rec, err := receiver.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	r := newRig(t, rigOptions{config: "telemetry:\n  endpoint: " + rec.HTTP + "\n"})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "callers"})
	const traceID, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, flags := range []string{"00", "01"} {
		body := fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":40,"messages":[{"role":"user","content":"flags %s"}]}`, flags)
		if status, answer, _ := r.ask(key.Secret, body, "traceparent", "00-"+traceID+"-"+span+"-"+flags, "x-purser-run", "run-8", "x-purser-step", "plan"); status != 200 {
			t.Fatal(status, answer)
		}
	}
	var spans []*otlptrace.Span
	r.eventually("spans arrive", func() error {
		if spans = rec.Spans(); len(spans) < 2 {
			return fmt.Errorf("%d spans", len(spans))
		}
		return nil
	})
	caller, _ := hex.DecodeString(span)
	root, err := receiver.Tree(spans, string(caller))
	if err != nil || hex.EncodeToString(root.TraceId) != traceID || len(spans) != 2 || len(root.Sub) != 1 {
		t.Errorf("%v %v", spans, err)
	}
	if report, err := r.admin.Usage(context.Background(), admin.UsageQuery{}); err != nil || report.Total.Requests != 2 {
		t.Errorf("%+v %v", report, err)
	}
}

// TestAReceiverThatIsGoneIsNoAffairOfRequests: they are answered, the node says what it
// lost, and stops in peace.
func TestAReceiverThatIsGoneIsNoAffairOfRequests(t *testing.T) {
	rec, err := receiver.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{config: "telemetry:\n  endpoint: " + rec.HTTP + "\n  queue: 4\n  timeout: 100ms\n"})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "gone"})
	for i := range 50 {
		if status, answer, _ := r.ask(key.Secret, fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":10,"messages":[{"role":"user","content":"%d"}]}`, i)); status != 200 {
			t.Fatal(status, answer)
		}
	}
	r.eventually("what is lost is counted", func() error {
		if scrape := r.scrape(); strings.Contains(scrape, `purser_telemetry_spans_total{outcome="failed"} 0`) || !strings.Contains(scrape, "purser_telemetry_spans_total") {
			return fmt.Errorf("no span has failed")
		}
		return nil
	})
	r.stopNode()
}
