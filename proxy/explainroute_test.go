package proxy

import (
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
)

// TestExplainingARoute says the order, what is out, and what a policy would pass over:
// without a hold, a record or a call.
func TestExplainingARoute(t *testing.T) {
	v := newRouted(t, `{"strategy":"cheapest","candidates":[{"model":"claude-opus-4-1","upstream":"ant"},{"model":"gpt-4o","upstream":"up"},{"model":"gpt-4o-mini","upstream":"up","lacks":["tools"]},{"model":"none","upstream":"nowhere"}]}`,
		func(http.ResponseWriter, string) { t.Error("the upstream was asked") })
	v.rule(`policies: {eu: {rules: [{id: abroad, outcome: deny, when: {providers: [openai]}}]}}`)
	v.routes(`{"strategy":"cheapest","candidates":[{"model":"claude-opus-4-1","upstream":"ant"},{"model":"gpt-4o","upstream":"up"},{"model":"gpt-4o-mini","upstream":"up","lacks":["tools"]},{"model":"none","upstream":"nowhere"}]}`)
	ask := func(body string) (RouteAnswer, error) {
		return v.gateway.ExplainRoute(&Request{Method: "POST", Path: "/v1/chat/completions", Header: headerList{}, Body: []byte(body)}, &Principal{ID: "k1"})
	}
	a, err := ask(`{"model":"smart","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"hello"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if a.Route != "smart" || a.Strategy != "cheapest" || len(a.Order) != 2 || len(a.Out) != 2 {
		t.Fatalf("%+v", a)
	}
	if p := a.Order[0]; p.Model != "gpt-4o" || p.Upstream != "up" || p.Provider != "openai" || !strings.Contains(p.Denied, "rule abroad of the policy eu") || !strings.Contains(p.Why, "expected to cost") {
		t.Errorf("%+v", p)
	}
	if p := a.Order[1]; p.Model != "claude-opus-4-1" || p.Denied != "" || p.Score <= a.Order[0].Score {
		t.Errorf("%+v", p)
	}
	if a.Out[0].Why != "it lacks tools" || a.Out[1].Why != notServed {
		t.Errorf("%+v", a.Out)
	}
	if a, err := ask(question); err != nil || a.Route != "" || len(a.Order) != 1 || a.Order[0].Upstream != "up" {
		t.Errorf("of a model: %+v, %v", a, err)
	}
	if a, err := ask(`{"model":"smart"`); err == nil {
		t.Errorf("of what is no request: %+v", a)
	}
	v.routes(`{"candidates":[{"model":"none","upstream":"nowhere"}]}`)
	if a, err := ask(smart); err != nil || len(a.Order) != 0 || len(a.Out) != 1 {
		t.Errorf("with nothing left: %+v, %v", a, err)
	}
	if len(v.journal.records) != 0 || len(v.purse.held) != 0 || v.purse.outstanding() != 0 {
		t.Error("something was recorded or held")
	}
}

// TestARouteThatNobodyMayServe is refused with the reasons, and recorded.
func TestARouteThatNobodyMayServe(t *testing.T) {
	v := newRouted(t, `{"candidates":[{"model":"none","upstream":"nowhere"},{"model":"gpt-4o-mini","upstream":"up","max_input_tokens":1}]}`,
		func(http.ResponseWriter, string) { t.Error("the upstream was asked") })
	a, body := v.ask(smart)
	if a.Status != 404 || !strings.Contains(body, "model_not_found") || !strings.Contains(body, notServed) || !strings.Contains(body, "more than 1") {
		t.Errorf("%d %s", a.Status, body)
	}
	if r := v.last(); r.Outcome != record.Denied || r.Route.Name != "smart" || len(r.Route.Considered) != 2 {
		t.Errorf("%+v", r)
	}
}
