package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const testDim = 4

// server answers like OpenAI's or Ollama's, with a vector that the text's length
// and first byte make.
type server struct {
	*httptest.Server
	calls atomic.Int64
	texts atomic.Int64
	key   atomic.Value
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.key.Store(r.Header.Get("Authorization"))
		var q struct {
			Model string   `json:"model"`
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model != "m" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		s.texts.Add(int64(len(q.Input)))
		var vectors [][]float32
		for _, text := range q.Input {
			vectors = append(vectors, vectorOf(text))
		}
		switch r.URL.Path {
		case "/v1/embeddings":
			var data []map[string]any
			for i := range vectors {
				i = len(vectors) - 1 - i // any order, by index
				data = append(data, map[string]any{"index": i, "embedding": vectors[i], "object": "embedding"})
			}
			json.NewEncoder(w).Encode(map[string]any{"data": data, "usage": map[string]int{"prompt_tokens": 3 * len(vectors), "total_tokens": 3 * len(vectors)}})
		case "/api/embed":
			json.NewEncoder(w).Encode(map[string]any{"model": "m", "embeddings": vectors, "prompt_eval_count": 3 * len(vectors)})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func vectorOf(text string) []float32 {
	return []float32{float32(len(text)), float32(text[0]), 1, -2}
}

// remotes are both kinds for one server.
func remotes(t testing.TB, base string, change func(*RemoteOptions)) map[string]*Remote {
	t.Helper()
	out := map[string]*Remote{}
	for kind, make := range map[string]func(RemoteOptions) (*Remote, error){"openai": OpenAI, "ollama": Ollama} {
		o := RemoteOptions{URL: base, Model: "m", Dim: testDim, Timeout: 5 * time.Second}
		if kind == "openai" {
			o.URL += "/v1"
		}
		if change != nil {
			change(&o)
		}
		r, err := make(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		out[kind] = r
	}
	return out
}

func TestRemoteVectorsAreTheServersAsUnitVectors(t *testing.T) {
	s := newServer(t)
	for kind, r := range remotes(t, s.URL, func(o *RemoteOptions) { o.Key, o.PicoDollarsPerToken = "secret", 20_000 }) {
		dst := make([]float32, testDim)
		spend, err := Measure(t.Context(), r, dst, "hello")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if spend != (Spend{Tokens: 3, PicoDollars: 60_000}) || spend.NanoDollars() != 60 {
			t.Errorf("%s: %+v", kind, spend)
		}
		want := vectorOf("hello")
		if err := Normalize(want); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if dst[i] != want[i] {
				t.Errorf("%s: %v, want %v", kind, dst, want)
			}
		}
		if s.key.Load() != "Bearer secret" {
			t.Errorf("%s: the key did not arrive", kind)
		}
	}
}

func TestRemoteTextsAreAskedForOnce(t *testing.T) {
	s := newServer(t)
	for kind, r := range remotes(t, s.URL, nil) {
		s.calls.Store(0)
		dst, again := make([]float32, testDim), make([]float32, testDim)
		for i := range 3 {
			if err := r.Embed(t.Context(), dst, "hello"); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				copy(again, dst)
			} else if spend, err := r.EmbedMetered(t.Context(), dst, "hello"); err != nil || spend.Tokens != 0 {
				t.Errorf("%s: a remembered vector cost %+v, %v", kind, spend, err)
			}
			if dst[0] != again[0] {
				t.Errorf("%s: another vector", kind)
			}
			dst[0] = 42 // what the caller does with its vector is not remembered
		}
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%s: %d calls", kind, n)
		}
	}
}

func TestRemoteRemembersNoMoreThanItsBound(t *testing.T) {
	s := newServer(t)
	r := remotes(t, s.URL, func(o *RemoteOptions) { o.RecentBytes = 2 * (4*testDim + rememberedBytes) })["openai"]
	dst := make([]float32, testDim)
	for _, text := range []string{"a", "b", "a", "c", "a", "b"} { // c puts b out, not a
		if err := r.Embed(t.Context(), dst, text); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.calls.Load(); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	if len(r.recent.of) != 2 || r.recent.order.Len() != 2 {
		t.Errorf("%d remembered", len(r.recent.of))
	}
}

func TestRemoteBatches(t *testing.T) {
	s := newServer(t)
	for kind, r := range remotes(t, s.URL, nil) {
		s.calls.Store(0)
		s.texts.Store(0)
		texts := make([]string, MaxBatch+10)
		for i := range texts {
			texts[i] = strings.Repeat("x", i+1)
		}
		texts[7] = "  "
		vectors, spend, err := All(t.Context(), r, texts)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if s.calls.Load() != 2 || s.texts.Load() != int64(len(texts)-1) || spend.Tokens != 3*int64(len(texts)-1) {
			t.Errorf("%s: %d calls, %d texts, %+v", kind, s.calls.Load(), s.texts.Load(), spend)
		}
		for i, v := range vectors {
			if i == 7 {
				if v != nil {
					t.Errorf("%s: a blank text has a vector", kind)
				}
				continue
			}
			want := vectorOf(texts[i])
			if err := Normalize(want); err != nil {
				t.Fatal(err)
			}
			if v[0] != want[0] {
				t.Errorf("%s: text %d has another's vector", kind, i)
			}
		}
		if at, _ := Nearest(vectors, vectors[9]); at != 9 {
			t.Errorf("%s: the nearest of text 9 is %d", kind, at)
		}
	}
}

// TestRemoteBadAnswers: whatever a server answers, the result is a unit vector or an error,
// and nothing bad is remembered.
func TestRemoteBadAnswers(t *testing.T) {
	long := strings.Repeat("0,", 1<<20)
	both := func(values string) map[string]string {
		return map[string]string{"openai": `{"data":[{"index":0,"embedding":` + values + `}]}`, "ollama": `{"embeddings":[` + values + `]}`}
	}
	same := func(body string) map[string]string { return map[string]string{"openai": body, "ollama": body} }
	cases := []struct {
		name   string
		status int
		body   map[string]string
		want   error
	}{
		{"three values", 200, both("[1,2,3]"), ErrDimension},
		{"five values", 200, both("[1,2,3,4,5]"), ErrDimension},
		{"zeros", 200, both("[0,0,0,0]"), ErrZero},
		{"NaN", 200, both("[1,NaN,3,4]"), ErrAnswer},
		{"an infinity", 200, both("[1,1e999,3,4]"), ErrAnswer},
		{"no values", 200, both("[]"), nil},
		{"null", 200, both("null"), nil},
		{"text for values", 200, both(`"AAAA"`), ErrAnswer},
		{"objects for values", 200, both(`[{},{},{},{}]`), ErrAnswer},
		{"two vectors", 200, map[string]string{"openai": `{"data":[{"embedding":[1,2,3,4]},{"embedding":[1,2,3,4]}]}`, "ollama": `{"embeddings":[[1,2,3,4],[1,2,3,4]]}`}, ErrAnswer},
		{"no vectors", 200, map[string]string{"openai": `{"data":[]}`, "ollama": `{"embeddings":[]}`}, ErrAnswer},
		{"an index beyond", 200, map[string]string{"openai": `{"data":[{"index":9,"embedding":[1,2,3,4]}]}`, "ollama": `{}`}, ErrAnswer},
		{"a negative index", 200, map[string]string{"openai": `{"data":[{"index":-1,"embedding":[1,2,3,4]}]}`, "ollama": `{}`}, ErrAnswer},
		{"cut short", 200, map[string]string{"openai": `{"data":[{"index":0,"embedding":[1,2`, "ollama": `{"embeddings":[[1,2`}, ErrAnswer},
		{"empty", 200, same(""), ErrAnswer},
		{"not JSON", 200, same("<html>"), ErrAnswer},
		{"deep", 200, same(strings.Repeat("[", 20_000)), ErrAnswer},
		{"huge", 200, both("[" + long + "0]"), ErrTooLarge},
		{"500", 500, same("secret details"), StatusError(500)},
		{"429", 429, same("{}"), StatusError(429)},
		{"a redirect", 302, same(""), StatusError(302)},
		{"no content", 204, same(""), StatusError(204)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				kind := "openai"
				if r.URL.Path == "/api/embed" {
					kind = "ollama"
				}
				if c.status == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(c.status)
				if c.status != 204 {
					io.WriteString(w, c.body[kind])
				}
			}))
			defer s.Close()
			for kind, r := range remotes(t, s.URL, nil) {
				for range 2 {
					err := r.Embed(t.Context(), make([]float32, testDim), "a text of secrets")
					if err == nil || c.want != nil && !errors.Is(err, c.want) {
						t.Errorf("%s: %v, want %v", kind, err, c.want)
					}
					if err != nil && strings.Contains(err.Error(), "secret") {
						t.Errorf("%s: the error tells content: %v", kind, err)
					}
				}
			}
			if n := calls.Load(); n != 4 {
				t.Errorf("%d calls, want 4: a bad answer was remembered, or followed", n)
			}
		})
	}
}

func TestRemoteEndlessBodyIsCut(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte("0,"), 1<<14)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	for kind, r := range remotes(t, s.URL, nil) {
		if err := r.Embed(t.Context(), make([]float32, testDim), "x"); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRemoteConnectionThatBreaks(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"data":[`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	for kind, r := range remotes(t, s.URL, nil) {
		if err := r.Embed(t.Context(), make([]float32, testDim), "x"); err == nil {
			t.Errorf("%s: no error", kind)
		}
	}
	s.Close()
	for kind, r := range remotes(t, s.URL, nil) {
		if err := r.Embed(t.Context(), make([]float32, testDim), "x"); err == nil {
			t.Errorf("%s: no error without a server", kind)
		}
	}
}

func TestRemoteSlowServerCostsItsDeadlineAndThenNothing(t *testing.T) {
	stop := make(chan struct{})
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-stop
	}))
	defer s.Close()
	defer close(stop)
	r := remotes(t, s.URL, func(o *RemoteOptions) { o.Timeout = 10 * time.Millisecond })["ollama"]
	at := time.Unix(1000, 0)
	r.rest.now = func() time.Time { return at }
	dst := make([]float32, testDim)
	for range restAfter {
		if err := r.Embed(t.Context(), dst, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	before := calls.Load()
	for range 10 {
		if err := r.Embed(t.Context(), dst, "x"); !errors.Is(err, ErrResting) {
			t.Fatal(err)
		}
	}
	if calls.Load() != before {
		t.Error("a server that is left alone was asked")
	}
	at = at.Add(restFor)
	if err := r.Embed(t.Context(), dst, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no call tried the server again: %v", err)
	}
	if err := r.Embed(t.Context(), dst, "x"); !errors.Is(err, ErrResting) {
		t.Errorf("more than one call tried the server: %v", err)
	}
}

func TestRemoteServerThatIsBackIsAskedAgain(t *testing.T) {
	var down atomic.Bool
	good := newServer(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		good.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	r := remotes(t, s.URL, nil)["ollama"]
	at := time.Unix(1000, 0)
	r.rest.now = func() time.Time { return at }
	dst := make([]float32, testDim)
	down.Store(true)
	for i := range restAfter {
		if err := r.Embed(t.Context(), dst, fmt.Sprint("x", i)); !errors.Is(err, StatusError(502)) {
			t.Fatal(err)
		}
	}
	down.Store(false)
	at = at.Add(restFor)
	for i := range 3 {
		if err := r.Embed(t.Context(), dst, fmt.Sprint("y", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRemoteCallerThatLeavesSaysNothingOfTheServer(t *testing.T) {
	s := newServer(t)
	r := remotes(t, s.URL, nil)["openai"]
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	dst := make([]float32, testDim)
	for i := range 2 * restAfter {
		if err := r.Embed(gone, dst, fmt.Sprint("x", i)); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := r.Embed(t.Context(), dst, "y"); err != nil {
		t.Error(err)
	}
}

func TestRemoteCallsInFlightAreBounded(t *testing.T) {
	stop, in := make(chan struct{}), make(chan struct{}, 8)
	good := newServer(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		<-stop
		good.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	r := remotes(t, s.URL, func(o *RemoteOptions) { o.Calls = 1 })["openai"]
	done := make(chan error)
	go func() { done <- r.Embed(t.Context(), make([]float32, testDim), "first") }()
	<-in
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Embed(ctx, make([]float32, testDim), "second"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second call: %v", err)
	}
	if len(in) != 0 {
		t.Error("two calls were in flight")
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRemoteTokensThatAreNotTold(t *testing.T) {
	for _, c := range []struct {
		usage string
		want  Spend
	}{
		{`{"prompt_tokens":2}`, Spend{Tokens: 2, PicoDollars: 20}},
		{`null`, Spend{Tokens: 3, PicoDollars: 30, Estimated: true}},
		{`{"total_tokens":-5}`, Spend{Tokens: 3, PicoDollars: 30, Estimated: true}},
		{`{"total_tokens":9000000000000000000}`, Spend{Tokens: 10 + 16, PicoDollars: 260}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"data":[{"embedding":[1,2,3,4]}],"usage":%s}`, c.usage)
		}))
		r := remotes(t, s.URL, func(o *RemoteOptions) { o.PicoDollarsPerToken = 10 })["openai"]
		got, err := r.EmbedMetered(t.Context(), make([]float32, testDim), "ten bytes.")
		if err != nil || got != c.want {
			t.Errorf("usage %s: %+v, %v; want %+v", c.usage, got, err, c.want)
		}
		s.Close()
	}
}

func TestRemoteRefusesTextsItCannotAskFor(t *testing.T) {
	s := newServer(t)
	r := remotes(t, s.URL, nil)["openai"]
	dst := make([]float32, testDim)
	for _, c := range []struct {
		dst  []float32
		text string
		want error
	}{
		{dst, "", ErrNoWords}, {dst, " \n", ErrNoWords}, {dst[:3], "x", ErrDimension}, {nil, "x", ErrDimension},
		{dst, strings.Repeat("x", MaxTextBytes+1), ErrTextTooLong},
	} {
		if err := r.Embed(t.Context(), c.dst, c.text); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if s.calls.Load() != 0 {
		t.Error("the server was asked")
	}
}

func TestRemoteOptionsAreChecked(t *testing.T) {
	good := RemoteOptions{URL: "https://h/v1", Model: "m", Dim: 8}
	for name, change := range map[string]func(*RemoteOptions){
		"no URL":        func(o *RemoteOptions) { o.URL = "" },
		"no scheme":     func(o *RemoteOptions) { o.URL = "h/v1" },
		"another":       func(o *RemoteOptions) { o.URL = "file:///etc/passwd" },
		"credentials":   func(o *RemoteOptions) { o.URL = "https://u:p@h/v1" },
		"a query":       func(o *RemoteOptions) { o.URL = "https://h/v1?key=x" },
		"a fragment":    func(o *RemoteOptions) { o.URL = "https://h/v1#x" },
		"no model":      func(o *RemoteOptions) { o.Model = "" },
		"a long model":  func(o *RemoteOptions) { o.Model = strings.Repeat("m", maxModel+1) },
		"no dimension":  func(o *RemoteOptions) { o.Dim = 0 },
		"a large one":   func(o *RemoteOptions) { o.Dim = maxRemoteDim + 1 },
		"a timeout":     func(o *RemoteOptions) { o.Timeout = maxTimeout + 1 },
		"calls":         func(o *RemoteOptions) { o.Calls = -1 },
		"recent":        func(o *RemoteOptions) { o.RecentBytes = maxRecent + 1 },
		"negative cost": func(o *RemoteOptions) { o.PicoDollarsPerToken = -1 },
	} {
		o := good
		change(&o)
		if _, err := OpenAI(o); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error tells credentials", name)
		}
	}
	if _, err := OpenAI(good); err != nil {
		t.Error(err)
	}
}

// TestAChangedEmbedderIsNamed: vectors of another embedder are not silently missed;
// each thing that vectors depend on is in the ID, and what they do not depend on is not.
func TestAChangedEmbedderIsNamed(t *testing.T) {
	base := RemoteOptions{URL: "https://h/v1", Model: "m", Dim: 8}
	at := func(make func(RemoteOptions) (*Remote, error), change func(*RemoteOptions)) *Remote {
		o := base
		change(&o)
		r, err := make(o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	none := func(*RemoteOptions) {}
	r := at(OpenAI, none)
	for name, other := range map[string]Embedder{
		"static":    static(t),
		"kind":      at(Ollama, none),
		"host":      at(OpenAI, func(o *RemoteOptions) { o.URL = "https://h2/v1" }),
		"port":      at(OpenAI, func(o *RemoteOptions) { o.URL = "https://h:444/v1" }),
		"path":      at(OpenAI, func(o *RemoteOptions) { o.URL = "https://h/v2" }),
		"model":     at(OpenAI, func(o *RemoteOptions) { o.Model = "m2" }),
		"lookalike": at(OpenAI, func(o *RemoteOptions) { o.Model = "m_" }),
		"dim":       at(OpenAI, func(o *RemoteOptions) { o.Dim = 9 }),
		"asked dim": at(OpenAI, func(o *RemoteOptions) { o.AskDim = true }),
	} {
		err := SameVectors(r.ID(), other)
		if !errors.Is(err, ErrOtherEmbedder) || !strings.Contains(err.Error(), r.ID()) || !strings.Contains(err.Error(), other.ID()) {
			t.Errorf("%s changed: %v", name, err)
		}
		if len(other.ID()) > 128 {
			t.Errorf("%s: an ID of %d bytes", name, len(other.ID()))
		}
	}
	a, b := at(OpenAI, func(o *RemoteOptions) { o.Model = "a b" }), at(OpenAI, func(o *RemoteOptions) { o.Model = "a_b" })
	if a.ID() == b.ID() {
		t.Error("two models share an ID")
	}
	for name, same := range map[string]*Remote{
		"again": at(OpenAI, none), "key": at(OpenAI, func(o *RemoteOptions) { o.Key = "k" }),
		"slash": at(OpenAI, func(o *RemoteOptions) { o.URL = "https://H/v1/" }), "time": at(OpenAI, func(o *RemoteOptions) { o.Timeout = time.Second }),
	} {
		if err := SameVectors(r.ID(), same); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpendsAdd(t *testing.T) {
	s := Spend{Tokens: math.MaxInt64, PicoDollars: 1}.Add(Spend{Tokens: 1, PicoDollars: 1000, Estimated: true})
	if s != (Spend{Tokens: math.MaxInt64, PicoDollars: 1001, Estimated: true}) || s.NanoDollars() != 2 {
		t.Errorf("%+v, %d nano-dollars", s, s.NanoDollars())
	}
	if product(math.MaxInt64, 3) != math.MaxInt64 || product(1<<32, 1<<30) != 1<<62 {
		t.Error("a product beyond int64")
	}
}

// FuzzAnswers: no answer panics, and what is read has the number of vectors asked for.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2]}],"usage":{"total_tokens":3}}`), 1)
	f.Add([]byte(`{"embeddings":[[1,2],[3,4]],"prompt_eval_count":5}`), 2)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		n = 1 + int(uint(n)%4)
		for _, read := range []func([]byte, int) ([][]float32, int64, error){readOpenAI, readOllama} {
			vectors, tokens, err := read(body, n)
			if err == nil && len(vectors) != n {
				t.Errorf("%d vectors, want %d", len(vectors), n)
			}
			if tokens < -1 {
				t.Errorf("%d tokens", tokens)
			}
		}
	})
}
