package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/upstream"
)

// fakePool gives its ids in their order, by customer.
type fakePool struct {
	ids  map[string][]string // "" for anybody
	open map[string]error    // ids that cannot be opened
}

func (p *fakePool) Order(d *ledger.Dimensions, _ ledger.Instant, _ uint64) []string {
	if ids, ok := p.ids[d.Values[ledger.DimCustomer]]; ok {
		return slices.Clone(ids)
	}
	return slices.Clone(p.ids[""])
}

func (p *fakePool) Open(_ context.Context, id string) (upstream.Secret, error) {
	return secretOf(id), p.open[id]
}

func secretOf(id string) upstream.Secret { return upstream.Secret("secret-of-" + id) }

// askedWith is the ids, or the keys, that a provider was asked with.
type askedWith struct {
	mu  sync.Mutex
	all []string
}

func (a *askedWith) with(r *http.Request) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer secret-of-")
	a.all = append(a.all, id)
	return id
}

func (a *askedWith) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.all = nil }()
	return strings.Join(a.all, " ")
}

// newPooled is a world whose first upstream has no key of its own.
func newPooled(t *testing.T, handler http.HandlerFunc, change func(*Upstream)) *world {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("another upstream was asked") }, nil)
	cfg := upstream.Default()
	cfg.Name, cfg.BaseURL = "up", server.URL+"/v1"
	client, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	up := *w.gateway.upstreams[0]
	up.Client = client
	change(&up)
	w.gateway.upstreams[0] = &up
	w.gateway.policy.Base = time.Millisecond
	return w
}

// TestARefusedOrLimitedCredentialIsPassedOver: another one of the pool is tried at
// once, later requests begin with that, and the caller sees an answer.
func TestARefusedOrLimitedCredentialIsPassedOver(t *testing.T) {
	for status, body := range map[int]string{
		401: `{"error":{"message":"Incorrect API key provided: secret-of-a"}}`,
		429: `{"error":{"message":"Rate limit reached"}}`,
		400: `{"error":{"message":"API key not valid","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var got askedWith
			w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
				if got.with(r) == "a" {
					rw.Header().Set("Retry-After", "20")
					rw.WriteHeader(status)
					fmt.Fprint(rw, body)
					return
				}
				answerJSON(rw, r)
			}, func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"a", "b", "c"}}} })
			began := time.Now()
			a, answer := w.ask(question)
			if a.Status != 200 || got.take() != "a b" || w.last().Attempts != 2 {
				t.Errorf("%d %s", a.Status, answer)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it waited for the refused credential: %v", took)
			}
			if w.ask(question); got.take() != "b" {
				t.Error("the refused credential was asked again")
			}
		})
	}
}

// TestACallerCannotHaveACredentialPassedOver: what it sends comes back in errors.
func TestACallerCannotHaveACredentialPassedOver(t *testing.T) {
	for body, want := range map[string]bool{
		`{"error":{"message":"API key not valid","details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]}}`:             true,
		`{"error":{"message":"Unknown parameter: 'API_KEY_INVALID'.","param":"API_KEY_INVALID"}}`:                      false,
		`{"error":{"message":"bad field","details":[{"fieldViolations":[{"field":"API_KEY_INVALID"}],"reason":"x"}]}}`: false,
		`"API_KEY_INVALID"`: false,
	} {
		if got := refusesKey(400, []byte(body)); got != want {
			t.Errorf("%s is about the key: %v", body, got)
		}
	}
}

// TestEveryCredentialFails: as many as the attempts allow are tried, none twice, and
// the answer is the provider's limit, or that the operator has to look.
func TestEveryCredentialFails(t *testing.T) {
	var got askedWith
	status := 401
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
		got.with(r)
		rw.WriteHeader(status)
		fmt.Fprint(rw, `{"error":{"message":"no: secret-of-a secret-of-b"}}`)
	}, func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"a", "b"}}} })
	a, answer := w.ask(question)
	if a.Status != 502 || got.take() != "a b" || strings.Contains(answer, "secret-of") {
		t.Errorf("%d %s", a.Status, answer)
	}
	// All rest: the one is asked that has rested longest, rather than nobody.
	if w.ask(question); got.take() != "a" {
		t.Error("nobody was asked, or more than one")
	}
	if r := w.last(); r.Cost != 0 || r.Outcome != record.UpstreamError {
		t.Errorf("%+v", r)
	}
}

// TestA403IsNotTheCredentials: a caller whose prompt a provider will not have must
// not take the credentials from others.
func TestA403IsNotTheCredentials(t *testing.T) {
	var got askedWith
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
		got.with(r)
		rw.WriteHeader(403)
		fmt.Fprint(rw, `{"error":{"message":"moderated"}}`)
	}, func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"a", "b"}}} })
	for range 3 {
		w.ask(question)
	}
	if all := got.take(); all != "a a a" {
		t.Errorf("asked with %q", all)
	}
}

// TestABreakerIsOfOneCredential: where one fails, the others go on.
func TestABreakerIsOfOneCredential(t *testing.T) {
	var got askedWith
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
		if got.with(r) == "a" {
			rw.WriteHeader(500)
			fmt.Fprint(rw, `{"error":{"message":"the account is broken"}}`)
			return
		}
		answerJSON(rw, r)
	}, func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"a", "b"}}} })
	for range 10 {
		if a, body := w.ask(question); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, body)
		}
	}
	if all := got.take(); strings.Count(all, "a b") != 10 {
		t.Errorf("before the breaker opened: %s", all)
	}
	if a, _ := w.ask(question); a.Status != 200 || got.take() != "b" {
		t.Errorf("after it: %d", a.Status)
	}
}

// TestWhatCannotBeOpened: the next is taken; without one, 503 with a code, nothing
// sent and nothing held, and no secret in it.
func TestWhatCannotBeOpened(t *testing.T) {
	var got askedWith
	pool := &fakePool{ids: map[string][]string{"": {"a", "b"}, "none": {}}, open: map[string]error{"a": errors.New("this node has not the master key local:1")}}
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) { got.with(r); answerJSON(rw, r) }, func(u *Upstream) { u.Pool = pool })
	if a, body := w.ask(question); a.Status != 200 || got.take() != "b" {
		t.Errorf("%d %s", a.Status, body)
	}
	pool.open["b"] = pool.open["a"]
	for customer, says := range map[string]string{"": "cannot open its credentials", "none": "has no credential"} {
		a, body := w.ask(question, "x-purser-customer", customer)
		if a.Status != 503 || !strings.Contains(body, "credential_unavailable") || !strings.Contains(body, says) || got.take() != "" {
			t.Errorf("%q: %d %s", customer, a.Status, body)
		}
		if r := w.last(); r.Attempts != 0 || r.Cost != 0 || r.Outcome != record.Undecided {
			t.Errorf("%q: %+v", customer, r)
		}
	}
}

// TestAKeptAnswerIsTakenUpByItsCredential: another key may be of another account,
// which does not know it.
func TestAKeptAnswerIsTakenUpByItsCredential(t *testing.T) {
	var got askedWith
	pool := &fakePool{ids: map[string][]string{"": {"a", "b"}}}
	serial := 0
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
		got.with(r)
		serial++
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"id":"resp_%d","object":"response","status":"completed","model":"gpt-4o-mini","output":[],"usage":{"input_tokens":5,"output_tokens":5,"total_tokens":10}}`, serial)
	}, func(u *Upstream) { u.Pool = pool })
	respond := func(more string) (int, string) {
		a, body := w.send("POST", "/v1/responses", `{"model":"gpt-4o-mini","max_output_tokens":50,"input":"hello"`+more+`}`)
		return a.Status, body
	}
	if status, body := respond(``); status != 200 || got.take() != "a" {
		t.Fatalf("%d %s", status, body)
	}
	pool.ids[""] = []string{"b", "a"} // from here on b would be first
	if status, body := respond(`,"previous_response_id":"resp_1"`); status != 200 || got.take() != "a" {
		t.Errorf("taken up by another: %d %s", status, body)
	}
	if a, body := w.send("GET", "/v1/responses/resp_2", ""); a.Status != 200 || got.take() != "a" {
		t.Errorf("read by another: %d %s", a.Status, body)
	}
	if status, _ := respond(``); status != 200 || got.take() != "b" {
		t.Error("a new one is not free to choose")
	}
	pool.ids[""] = []string{"b"}
	if status, body := respond(`,"previous_response_id":"resp_1"`); status != 503 || !strings.Contains(body, "credential_unavailable") || got.take() != "" {
		t.Errorf("its credential is gone: %d %s", status, body)
	}
}

// TestCallersBringTheirKeys: the virtual key in its header, the provider's where its
// dialect has it, which goes to the provider and nowhere else.
func TestCallersBringTheirKeys(t *testing.T) {
	const own = "sk-proj-of-the-caller-1234567890"
	var header http.Header
	w := newPooled(t, func(rw http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.Contains(r.Header.Get("Authorization"), "-bad") {
			rw.WriteHeader(401)
			fmt.Fprintf(rw, `{"error":{"message":"Incorrect API key provided: %s","type":"invalid_request_error","code":"invalid_api_key"}}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			return
		}
		answerJSON(rw, r)
	}, func(u *Upstream) { u.CallerKeys = true })
	ask := func(headers ...string) (*Answer, string) {
		return w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Header: headerList(headers)})
	}
	a, body := ask("x-purser-key", "pk_good", "Authorization", "Bearer "+own)
	if a.Status != 200 || header.Get("Authorization") != "Bearer "+own || header.Get("x-purser-key") != "" {
		t.Fatalf("%d %s, sent %v", a.Status, body, header)
	}
	if r := w.last(); r.Dims.Values[ledger.DimKey] != "k1" || strings.Contains(fmt.Sprintf("%+v", r), own) || strings.Contains(body, own) {
		t.Errorf("%+v", r)
	}
	// Azure's clients have a header of their own.
	if a, _ := ask("x-purser-key", "pk_good", "api-key", own); a.Status != 200 || header.Get("Authorization") != "Bearer "+own || header.Get("api-key") != "" {
		t.Errorf("%d, sent %v", a.Status, header)
	}
	// What the provider says of the key is the caller's affair, but for the key itself.
	if a, body := ask("x-purser-key", "pk_good", "Authorization", "Bearer "+own+"-bad"); a.Status != 401 || !strings.Contains(body, "Incorrect API key") || strings.Contains(body, own) {
		t.Errorf("%d %s", a.Status, body)
	}
	header = nil
	w.keys[sha("imported")] = keyed{&Principal{ID: "k2"}, KeyActive} // not every virtual key begins as ours do
	for name, x := range map[string]struct {
		headers []string
		says    string
	}{
		"no virtual key":             {[]string{"Authorization", "Bearer " + own}, "send the virtual key as `x-purser-key: pk_…`"},
		"nothing at all":             {nil, "x-purser-key"},
		"no provider's key":          {[]string{"Authorization", "Bearer pk_good"}, "send the virtual key as `x-purser-key: pk_…`, and the key of openai"},
		"only the virtual key":       {[]string{"x-purser-key", "pk_good"}, "the key of openai"},
		"the virtual key twice":      {[]string{"x-purser-key", "pk_good", "Authorization", "Bearer pk_good"}, "is the virtual key"},
		"another virtual key":        {[]string{"x-purser-key", "pk_good", "Authorization", "Bearer pk_other"}, "looks like one of this gateway"},
		"a virtual key like others":  {[]string{"x-purser-key", "imported", "Authorization", "Bearer imported"}, "is the virtual key"},
		"an admin token":             {[]string{"x-purser-key", "pk_good", "Authorization", "Bearer pka_abcdef"}, "looks like one of this gateway"},
		"a key of another provider":  {[]string{"x-purser-key", "pk_good", "Authorization", "Bearer sk-ant-api03-abcdef"}, "looks like one of anthropic"},
		"a wrong virtual key":        {[]string{"x-purser-key", "pk_wrong", "Authorization", "Bearer pk_good"}, "not a virtual key"},
		"a provider's key for both":  {[]string{"x-purser-key", own, "Authorization", "Bearer " + own}, "not a virtual key"},
		"a key that no header takes": {[]string{"x-purser-key", "pk_good", "Authorization", "Bearer a\x01b"}, "no valid credential"},
	} {
		a, body := ask(x.headers...)
		if (a.Status != 401 && a.Status != 502) || !strings.Contains(body, x.says) || header != nil || strings.Contains(body, own) {
			t.Errorf("%s: %d %s, sent %v", name, a.Status, body, header)
		}
	}
}

// TestTheHeaderOfTheVirtualKeyIsForEveryUpstream: then what is in the dialect's place
// goes nowhere.
func TestTheHeaderOfTheVirtualKeyIsForEveryUpstream(t *testing.T) {
	var got string
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization"); answerJSON(rw, r) }, nil)
	a, body := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Header: headerList{"x-purser-key", "pk_good", "Authorization", "Bearer sk-of-a-stranger"}})
	if a.Status != 200 || got != "Bearer "+operatorsKey {
		t.Errorf("%d %s, sent %q", a.Status, body, got)
	}
}

// TestTheKeyOfACallComesNotBack: of a pool or a caller's, in an error, an answer and
// a stream; it looks like no key of a known provider.
func TestTheKeyOfACallComesNotBack(t *testing.T) {
	const own = "Y2FsbGVycyBvd24ga2V5"
	var say string
	quote := func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		const usage = `"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}`
		switch say {
		case "error":
			rw.WriteHeader(422)
			fmt.Fprintf(rw, `{"error":{"message":"not with %s","type":"invalid_request_error"}}`, key)
		case "answer":
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"you are %s"}}],%s}`, key, usage)
		case "stream":
			rw.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(rw, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"you are %s\"}}]}\n\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[],%s}\n\ndata: [DONE]\n\n", key, usage)
		}
	}
	pooled := newPooled(t, quote, func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"of-the-pool"}}} })
	callers := newPooled(t, quote, func(u *Upstream) { u.CallerKeys = true })
	for _, say = range []string{"error", "answer", "stream"} {
		body := question
		if say == "stream" {
			body = strings.Replace(question, `{`, `{"stream":true,`, 1)
		}
		for key, w := range map[string]*world{string(secretOf("of-the-pool")): pooled, own: callers} {
			a, got := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(body), Header: headerList{"x-purser-key", "pk_good", "Authorization", "Bearer " + own}})
			if !strings.Contains(got, "key-withheld") || strings.Contains(got, key) {
				t.Errorf("%s: %d %s", say, a.Status, got)
			}
		}
	}
}
