package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// responder answers as an upstream of /v1/responses does, and notes what it was asked.
type responder struct {
	seen   []string // method, path and query
	body   map[string]any
	output string // items
	calls  int
}

func (p *responder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.seen = append(p.seen, r.Method+" "+r.URL.RequestURI())
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	p.body = nil
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p.body); err != nil {
			panic(err)
		}
	}
	p.calls++
	id := fmt.Sprintf("resp_%d", p.calls)
	body := fmt.Sprintf(`{"id":%q,"object":"response","status":"completed","model":"gpt-4o-mini","output":[%s],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}`, id, p.output)
	switch {
	case strings.HasSuffix(r.URL.Path, "/input_tokens"):
		body = `{"object":"response.input_tokens","input_tokens":8}`
	case strings.HasSuffix(r.URL.Path, "/moderations"):
		body = `{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":false}]}`
	case r.Method == "DELETE":
		body = `{"id":"resp_1","object":"response","deleted":true}`
	case p.body["stream"] == true:
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":%q,\"status\":\"in_progress\"}}\n\n", id)
		fmt.Fprintf(w, "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":1,\"response\":%s}\n\n", body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, body)
}

func (p *responder) last() string { return p.seen[len(p.seen)-1] }

func responding(t *testing.T, change func(*Config)) (*world, *responder) {
	t.Helper()
	p := &responder{output: `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi"}]}`}
	w := newWorld(t, p.ServeHTTP, change)
	w.keys[sha("pk_other")] = keyed{&Principal{ID: "k2"}, KeyActive}
	return w, p
}

func TestAResponseIsCappedAndSettled(t *testing.T) {
	w, p := responding(t, nil)
	for _, stream := range []bool{false, true} {
		a, body := w.send("POST", "/v1/responses", fmt.Sprintf(`{"model":"gpt-4o-mini","input":"hello","stream":%v}`, stream))
		if a.Status != 200 || !strings.Contains(body, `"hi"`) || p.body["max_output_tokens"] != 8192.0 || p.last() != "POST /v1/responses" {
			t.Fatalf("%d %s, sent %v to %s", a.Status, body, p.body, p.last())
		}
		r := w.last()
		if r.Outcome != record.Completed || r.Basis != record.Reported || r.Cost == 0 || r.Hold < r.Cost || r.Endpoint != "/v1/responses" || r.Dialect != "openai" || !strings.HasPrefix(r.UpstreamID, "resp_") {
			t.Errorf("stream %v: %+v", stream, r)
		}
	}
	a, _ := w.send("POST", "/v1/responses/compact", `{"model":"gpt-4o-mini","input":"hello"}`)
	r := w.last()
	if a.Status != 200 || p.last() != "POST /v1/responses/compact" || p.body["max_output_tokens"] != nil || r.Basis != record.Reported || r.Cost == 0 {
		t.Errorf("compact: %d, sent %v, %+v", a.Status, p.body, r)
	}
	// Its output has no cap in the request: the model's own is held.
	if least := ledger.Amount(16_384 * 600); r.Hold < least {
		t.Errorf("compact holds %d, want at least %d", r.Hold, least)
	}
}

// TestToolsOfTheProvider: what they may cost is held, their limit is written,
// and what they cost is charged.
func TestToolsOfTheProvider(t *testing.T) {
	w, p := responding(t, nil)
	p.output = `{"id":"ws_1","type":"web_search_call","action":{"type":"search"}},` + p.output
	const body = `{"model":"gpt-4o-mini","input":"hello","max_output_tokens":16,"tools":[{"type":"web_search"}]%s}`
	const call = 10_000_000 // nano-dollars, as the catalogue has it
	for more, want := range map[string]int64{"": 4, `,"max_tool_calls":2`: 2, `,"max_tool_calls":null`: 4} {
		a, answer := w.send("POST", "/v1/responses", fmt.Sprintf(body, more))
		r := w.last()
		if a.Status != 200 || p.body["max_tool_calls"] != float64(want) {
			t.Fatalf("%s: %d %s, sent %v", more, a.Status, answer, p.body)
		}
		if r.Usage[price.WebSearch] != 1 || r.Cost < call || r.Hold < ledger.Amount(want*call) || r.Bound != record.BoundWindow {
			t.Errorf("%s: %+v", more, r)
		}
		// The window is read again after each call, at the dearest tier's price.
		if least := ledger.Amount((want + 2) * 128_000 * 150); r.Hold < least {
			t.Errorf("%s: %d held, want at least %d", more, r.Hold, least)
		}
	}
	for request, want := range map[string]string{
		fmt.Sprintf(body, `,"max_tool_calls":2`):                                    "",
		strings.Replace(fmt.Sprintf(body, ""), "gpt-4o-mini", "gpt-4.1-nano", 1):    "model_not_priced tools[0].type",
		strings.Replace(fmt.Sprintf(body, ""), "web_search", "code_interpreter", 1): "model_not_priced tools[0].type",
	} {
		_, answer := w.send("POST", "/v1/responses", request)
		if got := errorOf(answer); got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	strict, _ := responding(t, func(c *Config) { c.DefaultCalls = 0 })
	if _, answer := strict.send("POST", "/v1/responses", fmt.Sprintf(body, "")); errorOf(answer) != "cost_not_bounded max_tool_calls" {
		t.Errorf("without a limit: %s", answer)
	}
}

// errorOf is the code and the field of an error's body, "" if it is none.
func errorOf(body string) string {
	var e struct {
		Error *struct {
			Code  string
			Param string
		}
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Error == nil {
		return ""
	}
	return strings.TrimSpace(e.Error.Code + " " + e.Error.Param)
}

// TestKeptAnswersAreTheirOwners: an id shows nothing to a key that it was not given to.
func TestKeptAnswersAreTheirOwners(t *testing.T) {
	w, p := responding(t, nil)
	w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello"}`)
	w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello","store":false}`)
	w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello","stream":true}`)
	sent := len(p.seen)
	other := []string{"Authorization", "Bearer pk_other"}
	next := `{"model":"gpt-4o-mini","input":"more","previous_response_id":%q}`
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/v1/responses/resp_1", "", "response_not_found"},
		{"DELETE", "/v1/responses/resp_1", "", "response_not_found"},
		{"POST", "/v1/responses/resp_1/cancel", "", "response_not_found"},
		{"GET", "/v1/responses/resp_1/input_items", "", "response_not_found"},
		{"POST", "/v1/responses", fmt.Sprintf(next, "resp_1"), "previous_response_not_found previous_response_id"},
		{"POST", "/v1/responses/input_tokens", fmt.Sprintf(next, "resp_1"), "previous_response_not_found previous_response_id"},
		{"POST", "/v1/responses/compact", fmt.Sprintf(next, "resp_1"), "previous_response_not_found previous_response_id"},
		{"POST", "/v1/responses", `{"model":"gpt-4o-mini","input":[{"type":"item_reference","id":"msg_1"}]}`, "previous_response_not_found input[0].id"},
		{"POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"x","conversation":"conv_1"}`, "previous_response_not_found conversation"},
	} {
		a, body := w.send(x.method, x.path, x.body, other...)
		if errorOf(body) != x.want || a.Status != 404 && a.Status != 400 {
			t.Errorf("%s %s by another key: %d %s", x.method, x.path, a.Status, body)
		}
	}
	if len(p.seen) != sent {
		t.Errorf("the upstream was asked: %v", p.seen[sent:])
	}
	for _, x := range []struct{ method, path, want string }{
		{"GET", "/v1/responses/resp_2", "response_not_found"}, // not kept
		{"GET", "/v1/responses/resp_9", "response_not_found"},
		{"PUT", "/v1/responses/resp_1", "route_not_found"},
		{"GET", "/v1/responses/", "response_not_found"},
		{"GET", "/v1/responses/resp_1/else", "route_not_found"},
		{"GET", "/v1/responses/resp_1?a=\x01", "invalid_value"},
	} {
		if a, body := w.send(x.method, x.path, ""); errorOf(body) != x.want {
			t.Errorf("%s %s: %d %s", x.method, x.path, a.Status, body)
		}
	}
	spent := w.purse.spent
	for _, x := range []struct{ method, path string }{
		{"GET", "/v1/responses/resp_1"}, {"GET", "/v1/responses/resp_3?include%5B%5D=x"}, {"GET", "/v1/responses/resp_1/input_items"},
		{"POST", "/v1/responses/resp_1/cancel"}, {"DELETE", "/v1/responses/resp_1"},
	} {
		if a, body := w.send(x.method, x.path, ""); a.Status != 200 || p.last() != x.method+" "+x.path {
			t.Errorf("%s %s: %d %s, sent %s", x.method, x.path, a.Status, body, p.last())
		}
		if r := w.last(); r.Cost != 0 || r.Basis != record.NoCharge || r.Usage != (price.Usage{}) {
			t.Errorf("%s %s is charged: %+v", x.method, x.path, r)
		}
	}
	if w.purse.spent != spent {
		t.Errorf("%d spent by reading", w.purse.spent-spent)
	}
	if a, body := w.send("POST", "/v1/responses", fmt.Sprintf(next, "resp_1")); a.Status != 200 || w.last().Bound != record.BoundWindow {
		t.Errorf("going on from one's own: %d %s %+v", a.Status, body, w.last())
	}
	w.keys[sha("pk_mate")] = keyed{&Principal{ID: "k3", Bound: inOrg("o")}, KeyActive}
	w.keys[sha("pk_peer")] = keyed{&Principal{ID: "k4", Bound: inOrg("o")}, KeyActive}
	w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello"}`, "Authorization", "Bearer pk_mate")
	id := strings.TrimSpace(fmt.Sprintf("resp_%d", p.calls))
	if a, body := w.send("GET", "/v1/responses/"+id, "", "Authorization", "Bearer pk_peer"); a.Status != 200 {
		t.Errorf("a key of the same organisation: %d %s", a.Status, body)
	}
}

// TestAnAnswerIsTakenUpWhereItIsKept: a model that only another upstream serves cannot
// go on from it.
func TestAnAnswerIsTakenUpWhereItIsKept(t *testing.T) {
	w, p := responding(t, nil)
	w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello"}`)
	for _, u := range w.gateway.upstreams {
		u.Models = []string{"gpt-4o-mini"}
	}
	sent := len(p.seen)
	a, body := w.send("POST", "/v1/responses", `{"model":"gpt-4o","input":"more","previous_response_id":"resp_1"}`)
	if a.Status != 404 || errorOf(body) != "model_not_found model" || !strings.Contains(body, "which keeps the answer") || len(p.seen) != sent {
		t.Errorf("%d %s, sent %v", a.Status, body, p.seen[sent:])
	}
}

// TestAStreamIsRememberedWithItsEnd: a client may go on from a response when it
// has seen its last event, before the stream is closed.
func TestAStreamIsRememberedWithItsEnd(t *testing.T) {
	w, _ := responding(t, nil)
	a := w.gateway.Serve(&Request{Method: "POST", Path: "/v1/responses", Body: []byte(`{"model":"gpt-4o-mini","input":"hello","stream":true}`),
		Header: headerList{"Authorization", "Bearer pk_good"}})
	defer a.Stream.Close()
	for seen := ""; !strings.Contains(seen, "response.completed"); {
		b, err := a.Stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen += string(b)
	}
	for _, id := range []string{"resp_1", "msg_1"} {
		if _, ok := w.gateway.kept.get(id, "key:k1"); !ok {
			t.Errorf("%s is not known yet", id)
		}
	}
}

func inOrg(org string) (d ledger.Dimensions) {
	d.Values[ledger.DimOrg] = org
	return d
}

func TestKeptAnswersAreBounded(t *testing.T) {
	k := newKeptAnswers(3)
	for i := range 10 {
		k.put(keptAnswer{id: fmt.Sprint(i), tenant: "a"})
	}
	k.put(keptAnswer{id: "9", tenant: "b"})
	for id, want := range map[string]bool{"6": false, "7": true, "9": true} {
		if _, ok := k.get(id, "a"); ok != want {
			t.Errorf("%s: %v", id, ok)
		}
	}
	if _, ok := k.get("9", "b"); ok {
		t.Error("an id was taken over")
	}
	if len(k.byID) != 3 || k.order.Len() != 3 {
		t.Errorf("%d and %d remembered", len(k.byID), k.order.Len())
	}
}

// TestFreeRoutesCostNothing: also where nothing is left, and whatever the upstream does.
func TestFreeRoutesCostNothing(t *testing.T) {
	w, p := responding(t, nil)
	w.purse.free = 0
	for path, body := range map[string]string{
		"/v1/responses/input_tokens": `{"model":"gpt-4o-mini","input":"hello"}`,
		"/v1/moderations":            `{"input":"hello"}`,
	} {
		a, answer := w.send("POST", path, body)
		if r := w.last(); a.Status != 200 || r.Cost != 0 || r.Basis != record.NoCharge || r.Outcome != record.Completed || p.last() != "POST "+path {
			t.Errorf("%s: %d %s %+v", path, a.Status, answer, r)
		}
	}
	if a, _ := w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","input":"hello"}`); a.Status != 402 {
		t.Errorf("a response is not free: %d", a.Status)
	}
	broken := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) }, func(c *Config) { c.Attempts = 1 })
	if a, _ := broken.send("POST", "/v1/moderations", `{"input":"hello"}`); a.Status < 500 || broken.last().Cost != 0 || broken.purse.spent != 0 {
		t.Errorf("%d %+v", a.Status, broken.last())
	}
}

func TestRoutesWithoutAMeterAreNamed(t *testing.T) {
	w, p := responding(t, nil)
	for path, want := range map[string]string{
		"/v1/images/generations": "route_not_priced", "/v1/audio/speech": "route_not_priced", "/v1/audio/transcriptions": "route_not_priced",
		"/v1/batches": "route_not_priced", "/v1/conversations": "route_not_priced", "/v1/nothing": "route_not_found", "/v1/responsesx": "route_not_found",
	} {
		a, body := w.send("POST", path, "{}")
		if errorOf(body) != want || a.Status != 403 && a.Status != 404 {
			t.Errorf("%s: %d %s", path, a.Status, body)
		}
	}
	if len(p.seen) != 0 {
		t.Errorf("the upstream was asked: %v", p.seen)
	}
}

// TestACompletionHasTheCapOfItsDefinition: 16 tokens, not the gateway's default.
func TestACompletionHasTheCapOfItsDefinition(t *testing.T) {
	var got map[string]any
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"id":"cmpl-1","object":"text_completion","model":"gpt-3.5-turbo-instruct","choices":[{"text":"hi","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}`)
	}, nil)
	a, body := w.send("POST", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":["a","b"],"n":2}`)
	if r := w.last(); a.Status != 200 || got["max_tokens"] != 16.0 || r.Basis != record.Reported || r.Cost == 0 {
		t.Fatalf("%d %s, sent %v, %+v", a.Status, body, got, r)
	}
	// Four answers of 16 tokens at 2 USD a million, and two bytes of prompt at the least.
	if hold := w.last().Hold; hold < 4*16*2000 || hold > 4*16*2000+100*1500 {
		t.Errorf("%d held", hold)
	}
}

func TestAFailedResponseIsSettledByItsUsage(t *testing.T) {
	const failed = `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"m"},"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}`
	for _, stream := range []bool{false, true} {
		w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			if stream {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":%s}\n\n", failed)
				return
			}
			fmt.Fprint(w, failed)
		}, nil)
		_, body := w.send("POST", "/v1/responses", fmt.Sprintf(`{"model":"gpt-4o-mini","input":"hello","stream":%v}`, stream))
		if r := w.last(); !strings.Contains(body, "server_error") || r.Outcome != record.UpstreamError || r.Basis != record.Reported || r.Cost == 0 || r.Cost >= r.Hold {
			t.Errorf("stream %v: %s: %+v", stream, body, r)
		}
	}
}
