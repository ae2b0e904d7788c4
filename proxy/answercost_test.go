package proxy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
)

// priced are whole answers and streams of each dialect, as providers send them.
var priced = map[string]struct {
	path, ask          string // of the whole answer
	streamPath, stream string // what asks for the stream
	whole              string
	events             []string // the one with the last usage is named by last
	last               int
	usage, eventUsage  string // paths
}{
	"openai": {
		path: asked[0].path, ask: asked[0].body, streamPath: asked[0].path, stream: strings.Replace(question, `{"model"`, `{"stream":true,"stream_options":{"include_usage":true},"model"`, 1),
		whole: `{"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi \"usage\":{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10},"x":{"usage":{}}}`,
		events: []string{
			"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hé\"},\"finish_reason\":null}],\"usage\":null}\n\n", ": ping\n\n",
			"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
			"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n", "data: [DONE]\n\n",
		}, last: 3, usage: "usage", eventUsage: "usage",
	},
	"responses": {
		path: asked[1].path, ask: asked[1].body, streamPath: asked[1].path, stream: strings.Replace(asked[1].body, `{"model"`, `{"stream":true,"model"`, 1),
		whole: `{"id":"r","object":"response","status":"completed","model":"gpt-4o-mini","output":[{"id":"m","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}`,
		events: []string{
			"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"usage\":null}}\n\n",
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"hé\"}\n\n",
			"event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"r\",\"status\":\"completed\",\"model\":\"gpt-4o-mini\",\"output\":[],\"usage\":{\"input_tokens\":8,\"output_tokens\":2,\"total_tokens\":10}}}\n\n",
		}, last: 2, usage: "usage", eventUsage: "response.usage",
	},
	"anthropic": {
		path: asked[2].path, ask: asked[2].body, streamPath: asked[2].path, stream: strings.Replace(asked[2].body, `{"model"`, `{"stream":true,"model"`, 1),
		whole: `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":8,"output_tokens":2}}`,
		events: []string{
			"event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5\",\"content\":[],\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\r\n\r\n",
			"event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n",
			"event: content_block_start\r\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\n\r\n",
			"event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hé\"}}\r\n\r\n",
			"event: content_block_stop\r\ndata: {\"type\":\"content_block_stop\",\"index\":0}\r\n\r\n",
			"event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\r\n\r\n",
			"event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n",
		}, last: 5, usage: "usage", eventUsage: "usage",
	},
	"gemini": {
		path: asked[3].path, ask: asked[3].body, streamPath: "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", stream: asked[3].body,
		whole: `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10},"modelVersion":"gemini-2.0-flash","responseId":"g"}`,
		events: []string{
			"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hé\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":1,\"totalTokenCount\":9},\"modelVersion\":\"gemini-2.0-flash\",\"responseId\":\"g\"}\r\n\r\n",
			"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"!\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":2,\"totalTokenCount\":10},\"modelVersion\":\"gemini-2.0-flash\",\"responseId\":\"g\"}\r\n\r\n",
		}, last: 1, usage: "usageMetadata", eventUsage: "usageMetadata",
	},
}

// inPieces answers every call for a stream with the events, so many bytes at once.
func inPieces(events string, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for events := events; events != ""; {
			n := min(size, len(events))
			fmt.Fprint(w, events[:n])
			w.(http.Flusher).Flush()
			events = events[n:]
		}
	}
}

func trailer(a *Answer, name string) string {
	return sent(&Answer{Header: a.Trailer}, name)
}

// dollars is an amount as a client reads it, in another way than ours.
func dollars(a ledger.Amount) string {
	s := new(big.Rat).SetFrac64(int64(a), int64(ledger.NanoPerUSD)).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func TestAWholeAnswerSaysItsCost(t *testing.T) {
	for name, x := range priced {
		w := newWorld(t, refusing(200, x.whole), nil)
		a, body := w.send("POST", x.path, x.ask)
		cost := w.last().Cost
		if body != x.whole || cost == 0 || sent(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(cost), 10) || sent(a, "x-litellm-response-cost") != dollars(cost) {
			t.Errorf("%s: cost %d, %v %s", name, cost, a.Header, body)
		}
		if id := w.last().ID; sent(a, "x-purser-request-id") != id || sent(a, "x-litellm-call-id") != id || !strings.Contains(sent(a, "x-litellm-model-id"), "/") {
			t.Errorf("%s: %v", name, a.Header)
		}
		_, body = w.send("POST", x.path, x.ask, "x-purser-usage-cost", "true")
		if got := gjson.Get(body, x.usage+".cost"); got.Raw != dollars(cost) || strings.Replace(body, `,"cost":`+got.Raw, "", 1) != x.whole {
			t.Errorf("%s: cost %d in %s", name, cost, body)
		}
		if a, _ := w.send("POST", x.path, x.ask, "x-purser-usage-cost", "perhaps"); a.Status != 400 || sent(a, "x-purser-cost-nanousd") != "0" {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
	}
}

// TestAStreamSaysItsCost: in the trailer, and on request in the event that has the
// last usage; every other byte is the upstream's.
func TestAStreamSaysItsCost(t *testing.T) {
	for name, x := range priced {
		whole := strings.Join(x.events, "")
		for _, size := range []int{1, 3, 50, len(whole)} {
			w := newWorld(t, inPieces(whole, size), nil)
			a, body := w.send("POST", x.streamPath, x.stream)
			cost := w.last().Cost
			if body != whole || cost == 0 || w.last().Basis != record.Reported {
				t.Errorf("%s by %d: %+v %s", name, size, w.last(), body)
			}
			if sent(a, "x-purser-cost-nanousd") != "" || trailer(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(cost), 10) || trailer(a, "x-litellm-response-cost") != dollars(cost) {
				t.Errorf("%s by %d: cost %d, %v, trailer %v", name, size, cost, a.Header, a.Trailer)
			}
			a, body = w.send("POST", x.streamPath, x.stream, "x-purser-usage-cost", "true")
			if strings.Replace(body, `,"cost":`+dollars(cost), "", 1) != whole || strings.Count(body, `"cost"`) != 1 || w.last().Cost != cost {
				t.Errorf("%s by %d: %s", name, size, body)
			}
			begin := strings.Join(x.events[:x.last], "")
			event := strings.TrimPrefix(body, begin)
			_, data, _ := strings.Cut(event, "data: ")
			data, _, _ = strings.Cut(data, "\n")
			if gjson.Get(data, x.eventUsage+".cost").Raw != dollars(cost) || trailer(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(cost), 10) {
				t.Errorf("%s by %d: %s, trailer %v", name, size, data, a.Trailer)
			}
		}
	}
}

// TestWhoWantsTheCostGetsAUsage, though it asked for none; the events of Gemini's
// array are no events, and have it too.
func TestWhoWantsTheCostGetsAUsage(t *testing.T) {
	x := priced["openai"]
	w := newWorld(t, inPieces(strings.Join(x.events, ""), 20), nil)
	_, body := w.ask(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1), "x-purser-usage-cost", "true")
	if want := `,"cost":` + dollars(w.last().Cost) + "}}\n\ndata: [DONE]"; !strings.Contains(body, want) {
		t.Errorf("%s has no %s", body, want)
	}
	x = priced["gemini"]
	w = newWorld(t, inPieces(strings.Join(x.events, ""), 20), nil)
	_, body = w.send("POST", "/v1beta/models/gemini-2.0-flash:streamGenerateContent", x.stream, "x-purser-usage-cost", "true")
	if got := gjson.Get(body, "1.usageMetadata.cost").Raw; got != dollars(w.last().Cost) || strings.Count(body, `"cost"`) != 1 || !gjson.Valid(body) {
		t.Errorf("%s", body)
	}
}

// TestTheUpstreamIsNotAskedOtherwise: the header is between the client and us.
func TestTheUpstreamIsNotAskedOtherwise(t *testing.T) {
	var bodies []string
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, r.Header.Get("x-purser-usage-cost")+string(raw))
		answerStream(w, true)
	}, nil)
	streaming := strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1)
	w.ask(streaming)
	w.ask(streaming, "x-purser-usage-cost", "true")
	if len(bodies) != 2 || bodies[0] != bodies[1] || !strings.Contains(bodies[0], `"include_usage":true`) {
		t.Errorf("%q", bodies)
	}
}

// TestACostIsThatOfAllAttempts: one that may have been billed is paid for too.
func TestACostIsThatOfAllAttempts(t *testing.T) {
	calls := 0
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(502)
			return
		}
		answerJSON(w, r)
	}, nil)
	a, body := w.ask(question, "x-purser-usage-cost", "true")
	if len(w.journal.records) != 2 {
		t.Fatalf("%d records", len(w.journal.records))
	}
	both := w.journal.records[0].Cost + w.journal.records[1].Cost
	if sent(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(both), 10) || gjson.Get(body, "usage.cost").Raw != dollars(both) || both != w.purse.spent {
		t.Errorf("%d spent, %v %s", w.purse.spent, a.Header, body)
	}
	// An error says what it cost as well: nothing, or the hold.
	for status, want := range map[int]func() ledger.Amount{400: func() ledger.Amount { return 0 }, 504: func() ledger.Amount { return w.last().Hold }} {
		w = newWorld(t, refusing(status, `{"error":{"message":"no"}}`), func(c *Config) { c.Attempts = 1 })
		a, _ := w.ask(question)
		if sent(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(want()), 10) || w.purse.spent != want() {
			t.Errorf("%d: %v, spent %d", status, a.Header, w.purse.spent)
		}
	}
}

// TestAStreamWithoutUsageCostsTheHold, and its trailer says so.
func TestAStreamWithoutUsageCostsTheHold(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { answerStream(w, false) }, nil)
	a, body := w.ask(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1), "x-purser-usage-cost", "true")
	if r := w.last(); r.Basis != record.FullHold || trailer(a, "x-purser-cost-nanousd") != strconv.FormatInt(int64(r.Hold), 10) || strings.Contains(body, "cost") {
		t.Errorf("%v %s %+v", a.Trailer, body, r)
	}
}

// TestAProvidersOwnCost stays where nobody asked for ours, and gives way where
// somebody did: two members of one name could be read differently.
func TestAProvidersOwnCost(t *testing.T) {
	whole := strings.Replace(priced["openai"].whole, `"total_tokens":10}`, `"cost":0.5,"total_tokens":10}`, 1)
	w := newWorld(t, refusing(200, whole), nil)
	if _, body := w.ask(question); body != whole {
		t.Error(body)
	}
	_, body := w.ask(question, "x-purser-usage-cost", "true")
	if want := strings.Replace(whole, "0.5", dollars(w.last().Cost), 1); body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// TestHeadersOfMoneyAndLimits: what is left of the tightest budget, and nothing of
// what the provider allows the operator.
func TestHeadersOfMoneyAndLimits(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"x-ratelimit-remaining-requests", "anthropic-ratelimit-tokens-limit", "x-litellm-response-cost", "x-litellm-call-id", "x-purser-budget"} {
			w.Header().Set(name, "987654")
		}
		w.Header().Set("x-request-id", "req_up")
		answerJSON(w, r)
	}, nil)
	a, _ := w.ask(question)
	left := int64(ledger.NanoPerUSD - w.last().Cost)
	for name, want := range map[string]string{
		"x-purser-budget": "b", "x-purser-budget-limit-nanousd": "1000000000", "x-purser-budget-remaining-nanousd": strconv.FormatInt(left, 10),
		"x-purser-budget-resets": time.Unix(1_790_000_060, 0).UTC().Format(time.RFC3339), "x-request-id": "req_up",
	} {
		if got := sent(a, name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if all := fmt.Sprint(a.Header); strings.Contains(all, "987654") || strings.Contains(strings.ToLower(all), "ratelimit") {
		t.Errorf("%v", a.Header)
	}
	names := map[string]bool{}
	for _, h := range a.Header {
		if n := strings.ToLower(h.Name); names[n] {
			t.Errorf("%s is there twice", n)
		} else {
			names[n] = true
		}
	}
}

// fakeCache keeps what is put into it.
type fakeCache map[[32]byte]*Cached

func (fakeCache) Key(s CacheScope, canonical []byte) ([32]byte, int64) {
	return sha256.Sum256(append([]byte(fmt.Sprint(s)), canonical...)), 7
}

func (c fakeCache) Get(key [32]byte, ask CacheAsk) (*Cached, bool) {
	e, ok := c[key]
	if ok && (e.Created < ask.Created || e.Stale && !ask.Stale) {
		return nil, false
	}
	return e, ok
}

func (fakeCache) Join(context.Context, [32]byte, CacheAsk) (Flight, *Cached, bool) {
	return nil, nil, false
}

// filling is a journal that fills the cache.
type filling struct {
	Journal
	cache fakeCache
}

func (f filling) Commit(r *record.Record, fill *Fill) {
	f.Journal.Commit(r, fill)
	if fill != nil {
		f.cache[fill.Key] = fill.Answer
	}
}

// TestWhatComesFromTheCacheCostsNothing, and says so in whole answers and streams.
func TestWhatComesFromTheCacheCostsNothing(t *testing.T) {
	for name, x := range priced {
		w := newWorld(t, refusing(200, x.whole), nil)
		cache := fakeCache{}
		w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
		w.send("POST", x.path, x.ask)
		a, body := w.send("POST", x.path, x.ask)
		if sent(a, "x-purser-cache") != "hit" || sent(a, "x-purser-cost-nanousd") != "0" || sent(a, "x-litellm-response-cost") != "0" || body != x.whole {
			t.Fatalf("%s: %v %s", name, a.Header, body)
		}
		a, body = w.send("POST", x.path, x.ask, "x-purser-usage-cost", "true")
		if got := gjson.Get(body, x.usage+".cost").Raw; sent(a, "x-purser-cache") != "hit" || got != "0" {
			t.Errorf("%s: %s", name, body)
		}
		a, body = w.send("POST", x.streamPath, x.stream, "x-purser-usage-cost", "true")
		if sent(a, "x-purser-cache") != "hit" || sent(a, "x-purser-cost-nanousd") != "0" || strings.Count(body, `"cost":0`) == 0 {
			t.Errorf("%s, as a stream: %v %s", name, a.Header, body)
		}
	}
}

func TestAmountsAsDollars(t *testing.T) {
	for _, a := range []ledger.Amount{0, 1, 10, 999, 1_000, 63_000, 999_999_999, 1_000_000_000, 1_000_000_001, 1_500_000_000, 12_345_678_901_234, ledger.MaxAmount} {
		if got := string(appendUSD(nil, a)); got != dollars(a) || !gjson.Valid(got) {
			t.Errorf("%d: %s, not %s", a, got, dollars(a))
		}
	}
}

func TestTheCostGoesIntoTheUsage(t *testing.T) {
	for doc, want := range map[string]string{
		`{"usage":{}}`:                       `{"usage":{"cost":0.000000007}}`,
		`{"usage":{ }}`:                      `{"usage":{ "cost":0.000000007}}`,
		`{"usage": {"a":1 } }`:               `{"usage": {"a":1 ,"cost":0.000000007} }`,
		`{"usage":{"cost":{"x":1},"a":1}}`:   `{"usage":{"cost":0.000000007,"a":1}}`,
		`{"usage":{"d":{"cost":1}}}`:         `{"usage":{"d":{"cost":1},"cost":0.000000007}}`,
		`{"usage":null}`:                     `{"usage":null}`,
		`{"a":{"usage":{}}}`:                 `{"a":{"usage":{}}}`,
		`{"text":"\"usage\":{}","usage":{}}`: `{"text":"\"usage\":{}","usage":{"cost":0.000000007}}`,
		`[]`:                                 `[]`,
		``:                                   ``,
	} {
		if got := string(appendWithCost(nil, []byte(doc), "usage", 7)); got != want {
			t.Errorf("%s: got %s, want %s", doc, got, want)
		}
	}
}

// TestATranslatedAnswerSaysItsCost in the usage of the client's own dialect.
func TestATranslatedAnswerSaysItsCost(t *testing.T) {
	for here, s := range speakers {
		for there := range foreigners {
			if here == there {
				continue
			}
			w, _ := translating(t, there)
			s := s.of(serving[there])
			for _, stream := range []bool{false, true} {
				path, at := s.path, usagePaths[here]
				if stream {
					path = s.streamPath
				}
				a, plain := w.send("POST", path, ask(s, stream))
				a2, body := w.send("POST", path, ask(s, stream), "x-purser-usage-cost", "true")
				cost := `"cost":` + dollars(w.last().Cost)
				if strings.Contains(plain, `"cost"`) || strings.Count(body, cost) != 1 || len(body) < len(plain) {
					t.Errorf("%d to %d, stream %v: no %s in %s", here, there, stream, cost, body)
				}
				if !stream && gjson.Get(body, at+".cost").Raw != dollars(w.last().Cost) {
					t.Errorf("%d to %d: %s", here, there, body)
				}
				if told := sent(a, headerCost) + trailer(a, headerCost); told != strconv.FormatInt(int64(w.last().Cost), 10) || sent(a2, headerCost)+trailer(a2, headerCost) != told {
					t.Errorf("%d to %d: %v, trailer %v", here, there, a.Header, a.Trailer)
				}
			}
		}
	}
}
