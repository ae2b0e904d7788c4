package proxy

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

func sha(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

const question = `{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":"hello"}]}`

func answerJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}`)
}

// answerStream sends two deltas, the usage chunk when usage is true, and [DONE].
func answerStream(w http.ResponseWriter, usage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range []string{"he", "llo"} {
		fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}],\"usage\":null}\n\n", text)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n")
	if usage {
		fmt.Fprint(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n")
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func TestAnAnswerIsSettledByItsUsage(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	a, body := w.ask(question)
	if a.Status != 200 || !strings.Contains(body, `"content":"hi"`) {
		t.Fatalf("%d %s", a.Status, body)
	}
	r := w.last()
	if r.Outcome != record.Completed || r.Basis != record.Reported || r.Cost == 0 || r.Cost != w.purse.spent || r.Hold < r.Cost || r.UpstreamID != "chatcmpl-1" {
		t.Errorf("record %+v, spent %d", r, w.purse.spent)
	}
}

// TestTheCapIsWrittenUpstream: a request without one gets the default, so that
// the provider cannot bill beyond the hold.
func TestTheCapIsWrittenUpstream(t *testing.T) {
	var got map[string]any
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		answerJSON(w, r)
	}, nil)
	w.ask(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`)
	if got["max_completion_tokens"] != 8192.0 {
		t.Errorf("the upstream was sent %v", got)
	}
	w.ask(question)
	if got["max_completion_tokens"] != 50.0 {
		t.Errorf("the upstream was sent %v", got)
	}
}

func TestCredentialsStayOnTheirSide(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Openai-Organization", "org-secret")
		w.Header().Set("X-Request-Id", "req_up")
		answerJSON(w, r)
	}, nil)
	a, _ := w.ask(question, "x-purser-customer", "acme", "Cookie", "c=d", "OpenAI-Beta", "x", "X-Forwarded-For", "1.2.3.4", "baggage", "k=v")
	for _, name := range []string{"x-purser-customer", "Cookie", "X-Forwarded-For", "baggage"} {
		if seen.Get(name) != "" {
			t.Errorf("%s went upstream", name)
		}
	}
	if strings.Contains(fmt.Sprint(seen), "pk_good") {
		t.Error("the virtual key went upstream")
	}
	if seen.Get("OpenAI-Beta") != "x" || seen.Get("X-Client-Request-Id") == "" {
		t.Errorf("the upstream saw %v", seen)
	}
	all := fmt.Sprint(a.Header)
	if strings.Contains(all, "Cookie") || strings.Contains(all, "org-secret") || !strings.Contains(all, "req_up") {
		t.Errorf("the client saw %v", a.Header)
	}
}

func TestUnknownUsageIsChargedTheWholeHold(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no usage": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"id":"c","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}`)
		},
		"impossible usage": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"id":"c","choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":2,"total_tokens":1}}`)
		},
		"gateway timeout": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			fmt.Fprint(w, `{"id":`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, handler, func(c *Config) { c.Attempts = 1 })
			var log strings.Builder
			w.gateway.log = slog.New(slog.NewTextHandler(&log, nil))
			w.ask(question)
			r := w.last()
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "the hold is charged") || !strings.Contains(got, r.ID) {
				t.Errorf("the log says %q", got)
			}
			if r.Basis != record.FullHold || r.Cost != r.Hold || r.Cost == 0 || w.purse.spent != r.Cost {
				t.Errorf("record %+v, spent %d", r, w.purse.spent)
			}
		})
	}
}

func TestAnErrorOfTheUpstreamCostsNothing(t *testing.T) {
	for _, status := range []int{400, 404, 429, 500, 503} {
		w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"message":"no, org-Ab1cD2eF3","type":"t","code":"c"}}`)
		}, func(c *Config) { c.Attempts = 1 })
		a, body := w.ask(question)
		if a.Status != status || !strings.Contains(body, `"no, org-withheld"`) || w.purse.spent != 0 {
			t.Errorf("%d: got %d %s, spent %d", status, a.Status, body, w.purse.spent)
		}
		if r := w.last(); r.Outcome != record.UpstreamError || r.Basis != record.NoCharge {
			t.Errorf("%d: record %+v", status, r)
		}
	}
}

// TestEachAttemptHasAHoldOfItsOwn: an attempt that may have been billed is
// charged and recorded, beside the one that answered.
func TestEachAttemptHasAHoldOfItsOwn(t *testing.T) {
	calls := 0
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(502)
			return
		}
		answerJSON(w, r)
	}, nil)
	if a, _ := w.ask(question); a.Status != 200 {
		t.Fatalf("status %d", a.Status)
	}
	if len(w.journal.records) != 2 || len(w.purse.held) != 2 {
		t.Fatalf("%d records, %d holds", len(w.journal.records), len(w.purse.held))
	}
	first, second := w.journal.records[0], w.journal.records[1]
	if first.Attempt != 1 || first.Basis != record.FullHold || second.Attempt != 2 || second.Basis != record.Reported || first.Cost+second.Cost != w.purse.spent {
		t.Errorf("records %+v and %+v, spent %d", first, second, w.purse.spent)
	}
}

func TestStreams(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { answerStream(w, true) }, nil)
	streaming := strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1)
	_, body := w.ask(streaming)
	if strings.Contains(body, "usage") || strings.Count(body, "data: ") != 4 || !strings.HasSuffix(body, "data: [DONE]\n\n") {
		t.Errorf("the client did not ask for usage and got %s", body)
	}
	if r := w.last(); r.Outcome != record.Completed || r.Basis != record.Reported || r.Cost == 0 || r.FirstByte == 0 {
		t.Errorf("record %+v", r)
	}
	_, body = w.ask(strings.Replace(streaming, `{"stream"`, `{"stream_options":{"include_usage":true},"stream"`, 1))
	if strings.Count(body, `"usage":null`) != 3 || !strings.Contains(body, `"completion_tokens":2`) {
		t.Errorf("the client asked for usage and got %s", body)
	}
}

// TestAHangUpIsDrainedToTheUsage: the client goes after the first event.
func TestAHangUpIsDrainedToTheUsage(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { answerStream(w, true) }, nil)
	a := w.gateway.Serve(&Request{Method: "POST", Path: "/v1/chat/completions", Header: headerList{"Authorization", "Bearer pk_good"},
		Body: []byte(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1))})
	if _, err := a.Stream.Next(); err != nil {
		t.Fatal(err)
	}
	a.Stream.Close()
	w.gateway.Wait()
	if r := w.last(); r.Outcome != record.Disconnected && r.Outcome != record.Completed || r.Basis != record.Reported || r.Cost == 0 {
		t.Errorf("record %+v", r)
	}
}

// TestAStreamThatBreaksOffIsSeenAndCharged: no clean end for the client, the
// whole hold for the ledger.
func TestAStreamThatBreaksOffIsSeenAndCharged(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	var log strings.Builder
	w.gateway.log = slog.New(slog.NewTextHandler(&log, nil))
	_, body := w.ask(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1))
	if !strings.HasSuffix(body, "<broken off>") {
		t.Errorf("the stream ended as if it were whole: %s", body)
	}
	r := w.last()
	if r.Outcome != record.Truncated || r.Basis != record.FullHold || r.Cost != r.Hold {
		t.Errorf("record %+v", r)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "broke off; the hold is charged") || !strings.Contains(got, r.ID) {
		t.Errorf("the log says %q", got)
	}
}

func TestNoMoneyIsARefusalWithItsReasons(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.purse.free = 0
	a, body := w.ask(question)
	if a.Status != 402 || !strings.Contains(body, `"insufficient_quota"`) || !strings.Contains(body, "billing") || !strings.Contains(fmt.Sprint(a.Header), "x-should-retry false") {
		t.Errorf("%d %v %s", a.Status, a.Header, body)
	}
	if r := w.last(); r.Outcome != record.Refused || r.Cost != 0 || r.Attempts != 0 {
		t.Errorf("record %+v", r)
	}
}

func TestUndecidedMeansNo(t *testing.T) {
	reached := false
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached = true }, nil)
	w.purse.free, w.purse.fail = 0, errors.New("no quorum")
	a, body := w.ask(question)
	if a.Status != 503 || !strings.Contains(body, `"undecided"`) || strings.Contains(body, "quorum") || reached {
		t.Errorf("%d %s, reached the upstream: %v", a.Status, body, reached)
	}
}

func TestRateLimitsAreGenuine(t *testing.T) {
	e := refused(&Refusal{Account: ledger.AccountKey{Budget: "rpm"}, Unit: ledger.Requests, Window: ledger.PerMinute, Limit: 5, ResetsAt: 30 * ledger.Second}, 10*ledger.Second)
	if e.Status != 429 || e.RetryAfterMillis != 20_000 || e.NoRetry {
		t.Errorf("%+v", e)
	}
	if e := refused(&Refusal{Unit: ledger.Slots, ResetsAt: ledger.MaxInstant}, 0); e.Status != 429 || e.RetryAfterMillis == 0 {
		t.Errorf("%+v", e)
	}
}

// TestARefusalNamesExactAmounts: what is needed and what there is may differ by less
// than a millionth of a dollar.
func TestARefusalNamesExactAmounts(t *testing.T) {
	e := refused(&Refusal{Account: ledger.AccountKey{Budget: "small"}, Unit: ledger.USD, Limit: 27_700, Spent: 1, Held: 2, Unreachable: 3, Needed: 27_750, ResetsAt: ledger.MaxInstant}, 0)
	if want := "needs up to 0.00002775 USD, and of 0.0000277 USD there are 0.000000001 USD spent and 0.000000005 USD held"; !strings.Contains(e.Message, want) {
		t.Errorf("%q does not say %q", e.Message, want)
	}
}

// TestAPanicGivesTheHoldBack: whatever breaks, no hold outlives its request.
func TestAPanicGivesTheHoldBack(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.gateway.seams.NewID = func() string { return "req_x" }
	w.gateway.upstreams[0].Client = nil // the dispatch will fall over it
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not go on to the edge")
			}
		}()
		w.ask(question)
	}()
	if n := w.purse.outstanding(); n != 0 {
		t.Errorf("%d holds are left", n)
	}
	if r := w.last(); r.Basis != record.FullHold {
		t.Errorf("record %+v", r)
	}
}

// TestRunningUsageIsNotTheBill: some servers put a running count into every
// chunk; when the stream breaks off before its end, that count is not what will
// be billed.
func TestRunningUsageIsNotTheBill(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1,\"total_tokens\":9}}\n\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	w.ask(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1))
	if r := w.last(); r.Basis != record.FullHold || r.Cost != r.Hold {
		t.Errorf("record %+v", r)
	}
}

func TestTheOperatorsCredentialIsNotTheCallersFault(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"message":"Incorrect API key provided: sk-abcd","type":"invalid_request_error","code":"invalid_api_key"}}`)
	}, nil)
	a, body := w.ask(question)
	if a.Status != 502 || strings.Contains(body, "sk-abcd") || w.purse.spent != 0 {
		t.Errorf("%d %s, spent %d", a.Status, body, w.purse.spent)
	}
}

// TestACallThatRanCountsAgainstItsLimits, also when the next attempt is refused.
func TestACallThatRanCountsAgainstItsLimits(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, nil)
	w.ask(question)
	w.purse.free = w.purse.held[0] * 3 / 2 // room for one hold
	a, body := w.ask(question)
	if a.Status != 402 {
		t.Fatalf("%d %s, held %v", a.Status, body, w.purse.held)
	}
	if r := w.last(); len(r.Charges) == 0 || r.Attempts != 1 {
		t.Errorf("record %+v", r)
	}
}

func TestTheCapHasTheNameTheUpstreamKnows(t *testing.T) {
	var got map[string]any
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		answerJSON(w, r)
	}, nil)
	w.gateway.upstreams[0].CapField = "max_tokens"
	w.ask(question)
	if got["max_tokens"] != 50.0 || got["max_completion_tokens"] != nil {
		t.Errorf("the upstream was sent %v", got)
	}
}
