package simprovider

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// seen is one answer as it was on the wire.
type seen struct {
	raw    string // all bytes, head included
	head   *http.Response
	body   string   // after HTTP's own framing, as far as it came
	chunks []string // the HTTP chunks of the body, nil if it was not chunked
	err    error    // how reading the connection ended
	short  error    // how reading the body ended
	row    *Row     // the bill row, nil if none
	took   time.Duration
}

// look sends one request in a mode and takes down what came back.
func look(t *testing.T, p *Provider, addr, mode, more string) *seen {
	t.Helper()
	id := t.Name() + mode + more
	began := time.Now()
	raw, err := rawCall(t, addr, ask("tell me of Zürich", more), "x-sim-mode", mode, "x-client-request-id", id)
	s := &seen{raw: raw, err: err, took: time.Since(began)}
	until(t, func() bool { return p.open0() })
	if rows := p.Bill().ByClient(id); len(rows) == 1 {
		s.row = &rows[0]
	} else if len(rows) > 1 {
		t.Fatalf("%d rows", len(rows))
	}
	head, parseErr := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
	if parseErr != nil {
		return s
	}
	s.head = head
	body, short := io.ReadAll(head.Body)
	s.body, s.short = string(body), short
	if len(head.TransferEncoding) > 0 {
		s.chunks = httpChunks(raw)
	}
	return s
}

// open0 says whether every connection has ended.
func (p *Provider) open0() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) == 0
}

// httpChunks takes the chunked framing apart, keeping the seams.
func httpChunks(raw string) []string {
	_, rest, _ := strings.Cut(raw, "\r\n\r\n")
	var out []string
	for rest != "" {
		size, after, _ := strings.Cut(rest, "\r\n")
		n := 0
		for _, c := range size {
			n = n<<4 | strings.IndexRune(hexDigits, c)
		}
		if n == 0 || n > len(after) {
			break
		}
		out = append(out, after[:n])
		rest = after[n+2:]
	}
	return out
}

// modeCases has what every mode must look like, for JSON and for a stream.
var modeCases = map[string]struct {
	mode   string // the name if ""
	more   string // of the request
	billed bool
	check  func(t *testing.T, s *seen)
}{
	"429":       {mode: "429=1500ms", check: status(429, "rate_limit_exceeded", "Retry-After", "2")},
	"429 plain": {mode: "429", check: status(429, "rate_limit_exceeded", "Retry-After", "")},
	"quota":     {check: status(429, "insufficient_quota", "Retry-After", "")},
	"500":       {check: status(500, "", "X-Request-Id", "req_")},
	"503":       {mode: "503=3s", check: status(503, "overloaded", "Retry-After-Ms", "3000")},
	"529":       {check: status(529, "", "", "")},
	"200":       {check: status(200, "", "", "")},
	"502": {check: func(t *testing.T, s *seen) {
		if s.head.StatusCode != 502 || s.head.Header.Get("Content-Type") != "text/html" || !strings.HasPrefix(s.body, "<html>") {
			t.Errorf("%s", s.raw)
		}
	}},
	"reset": {check: reset},

	"slow-first": {mode: "slow-first=60ms", billed: true, check: func(t *testing.T, s *seen) {
		if s.took < 60*time.Millisecond || s.head.StatusCode != 200 {
			t.Errorf("took %v", s.took)
		}
	}},
	"slow-chunks": {mode: "slow-chunks=2ms+tokens=30", more: streaming, billed: true, check: func(t *testing.T, s *seen) {
		if s.took < 60*time.Millisecond {
			t.Errorf("took %v", s.took)
		}
		wholeStream(t, s)
	}},
	"tokens": {mode: "tokens=42", billed: true, check: func(t *testing.T, s *seen) {
		if s.row.Usage[price.OutputText] != 42 || gjson.Get(s.body, "usage.completion_tokens").Int() != 42 {
			t.Errorf("%v, %s", s.row, s.body)
		}
	}},
	"over-cap": {mode: "over-cap=3", more: `"max_tokens":10`, billed: true, check: func(t *testing.T, s *seen) {
		if s.row.Usage[price.OutputText] != 30 || s.row.Cap != 10 || gjson.Get(s.body, "usage.completion_tokens").Int() != 30 {
			t.Errorf("%v, %s", s.row, s.body)
		}
	}},
	"over-cap stream": {mode: "over-cap", more: metered + `,"max_tokens":10`, billed: true, check: func(t *testing.T, s *seen) {
		if u := parseSSE(t, s.body).usages; len(u) != 1 || u[0].Completion != 20 || s.row.Usage[price.OutputText] != 20 {
			t.Errorf("%v, %v", s.row, u)
		}
	}},

	"percent": {mode: "percent=150", billed: true, check: func(t *testing.T, s *seen) {
		u := s.row.Usage
		list := u[price.InputText] + u[price.CacheRead] + 2*(u[price.OutputText]+u[price.OutputReasoning])
		if int64(s.row.Cost) != (list*150+99)/100 || gjson.Get(s.body, "usage.cost").Exists() {
			t.Errorf("%v of a list price of %d, %s", s.row, list, s.body)
		}
	}},

	"cut": {mode: "cut=5", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if s.short != io.ErrUnexpectedEOF || len(parseSSE(t, s.body).raws) != 5 || s.row.Delivered != Cut || s.err != nil {
			t.Errorf("%v, %v, %v: %s", s.short, s.err, s.row, s.body)
		}
	}},
	"cut JSON": {mode: "cut", billed: true, check: func(t *testing.T, s *seen) {
		if s.short != io.ErrUnexpectedEOF || gjson.Valid(s.body) || s.row.Delivered != Cut || len(s.body) == 0 {
			t.Errorf("%v, %v: %s", s.short, s.row, s.body)
		}
	}},
	"cut before the first chunk": {mode: "cut=0", more: streaming, billed: true, check: func(t *testing.T, s *seen) {
		if s.head.StatusCode != 200 || s.body != "" || s.short != io.ErrUnexpectedEOF {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"cut before the end": {mode: "tokens=10+cut=12", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if p := parseSSE(t, s.body); p.finish[0] != "stop" || len(p.usages) != 0 || p.done || s.row.Delivered != Cut || s.row.Usage[price.OutputText] != 10 {
			t.Errorf("%v: %s", s.row, s.body)
		}
	}},
	"no-done": {more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if p := parseSSE(t, s.body); p.done || len(p.usages) != 1 || s.short != nil {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"error-event": {mode: "error-event=4", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		p := parseSSE(t, s.body)
		last := p.chunks[len(p.chunks)-1]
		if len(p.chunks) != 5 || last.Error == nil || last.Error.Type != "server_error" || p.done || s.short != nil || s.row.Delivered != Cut {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"split": {mode: "split=rune", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		torn := 0
		for _, c := range s.chunks {
			if !utf8.ValidString(c) {
				torn++
			}
		}
		if torn == 0 {
			t.Error("no chunk ends inside a rune")
		}
	}},
	"split CRLF": {mode: "split=crlf", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		for _, c := range s.chunks {
			if strings.Contains(c, "\r\n") {
				t.Fatalf("a line end in one chunk: %q", c)
			}
		}
	}},
	"split bytes": {mode: "split=byte+tokens=5", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		for _, c := range s.chunks {
			if len(c) != 1 {
				t.Fatalf("a chunk of %d bytes", len(c))
			}
		}
	}},
	"split bytes of JSON": {mode: "split=byte", billed: true, check: func(t *testing.T, s *seen) { wholeJSON(t, s) }},
	"crlf": {more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		if strings.Count(s.body, "\n") != strings.Count(s.body, "\r\n") {
			t.Error("a bare line feed")
		}
	}},
	"comments": {more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		if !strings.HasPrefix(s.body, ": keep-alive\n\ndata: ") {
			t.Errorf("%.100q", s.body)
		}
	}},
	"burst": {more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		if len(s.chunks) != 1 {
			t.Errorf("%d chunks", len(s.chunks))
		}
	}},
	"huge": {mode: "huge=300000", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		wholeStream(t, s)
		if p := parseSSE(t, s.body); len(p.raws[0]) < 300_000 {
			t.Errorf("%d bytes", len(p.raws[0]))
		}
	}},
	"huge JSON": {mode: "huge", billed: true, check: func(t *testing.T, s *seen) {
		if wholeJSON(t, s); len(s.body) < 1<<20 {
			t.Errorf("%d bytes", len(s.body))
		}
	}},

	"no-usage": {billed: true, check: func(t *testing.T, s *seen) {
		if !gjson.Valid(s.body) || strings.Contains(s.body, "usage") {
			t.Errorf("%s", s.body)
		}
	}},
	"no-usage stream": {mode: "no-usage", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if p := parseSSE(t, s.body); !p.done || strings.Contains(s.body, "usage") || s.row.Usage[price.OutputText] == 0 {
			t.Errorf("%s", s.body)
		}
	}},
	"null-usage": {billed: true, check: func(t *testing.T, s *seen) {
		if gjson.Get(s.body, "usage").Raw != "null" {
			t.Errorf("%s", s.body)
		}
	}},
	"null-usage stream": {mode: "null-usage", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if p := parseSSE(t, s.body); !p.done || len(p.usages) != 0 || !strings.HasSuffix(p.raws[len(p.raws)-1], `"choices":[],"usage":null}`) {
			t.Errorf("%s", s.body)
		}
	}},
	"dup-usage": {more: metered, billed: true, check: func(t *testing.T, s *seen) {
		if p := parseSSE(t, s.body); !p.done || len(p.usages) != 2 || p.usages[0] != p.usages[1] {
			t.Errorf("%s", s.body)
		}
	}},

	"bill-timeout": {billed: true, check: func(t *testing.T, s *seen) {
		if s.raw != "" || s.took < testStall || s.row.Delivered != Cut || s.row.Usage[price.OutputText] == 0 {
			t.Errorf("%q after %v, %v", s.raw, s.took, s.row)
		}
	}},
	"bill-reset": {billed: true, check: reset},
	"bad-json": {billed: true, check: func(t *testing.T, s *seen) {
		if s.head.StatusCode != 200 || s.short != nil || gjson.Valid(s.body) || s.row.Delivered != Complete {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"bad-json stream": {mode: "bad-json", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		bad := 0
		for _, line := range strings.Split(s.body, "\n") {
			if data, ok := strings.CutPrefix(line, "data: {"); ok && !gjson.Valid("{"+data) {
				bad++
			}
		}
		if bad != 1 || !strings.HasSuffix(s.body, "data: [DONE]\n\n") {
			t.Errorf("%d bad events: %s", bad, s.body)
		}
	}},
	"long-length": {billed: true, check: func(t *testing.T, s *seen) {
		if s.short != io.ErrUnexpectedEOF || !gjson.Valid(s.body) {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"short-length": {billed: true, check: func(t *testing.T, s *seen) {
		if s.short != nil || gjson.Valid(s.body) || !strings.HasSuffix(s.raw, "}}") {
			t.Errorf("%v: %s", s.short, s.body)
		}
	}},
	"gzip": {billed: true, check: func(t *testing.T, s *seen) {
		s.body = gunzip(t, s)
		wholeJSON(t, s)
	}},
	"gzip stream": {mode: "gzip+slow-chunks=1ms+tokens=9", more: metered, billed: true, check: func(t *testing.T, s *seen) {
		s.body = gunzip(t, s)
		wholeStream(t, s)
		if len(s.chunks) < 9 {
			t.Errorf("%d chunks: events were not flushed", len(s.chunks))
		}
	}},
	"gzip refusal": {mode: "gzip+500", check: func(t *testing.T, s *seen) {
		if s.body = gunzip(t, s); !gjson.Valid(s.body) || s.head.StatusCode != 500 {
			t.Errorf("%s", s.raw)
		}
	}},
	"close": {billed: true, check: func(t *testing.T, s *seen) {
		if !s.head.Close {
			t.Error("not announced")
		}
		wholeJSON(t, s)
	}},
	"idle-close": {billed: true, check: func(t *testing.T, s *seen) {
		if s.head.Close {
			t.Error("announced")
		}
		wholeJSON(t, s)
	}},
}

const testStall = 80 * time.Millisecond

func TestEveryModeOnTheWire(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.Stall = testStall }))
	for name, tc := range modeCases {
		t.Run(name, func(t *testing.T) {
			mode := tc.mode
			if mode == "" {
				mode = name
			}
			s := look(t, p, addr, mode, cmpOr(tc.more, `"n":1`))
			if (s.row != nil) != tc.billed {
				t.Fatalf("billed %v, want %v", s.row, tc.billed)
			}
			if s.row != nil && s.row.Mode != mode {
				t.Errorf("mode %q in the bill", s.row.Mode)
			}
			tc.check(t, s)
		})
	}
	for mode := range modeTable {
		if _, ok := modeCases[mode]; !ok {
			t.Errorf("mode %s is not tested", mode)
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func status(code int, errorCode, header, want string) func(*testing.T, *seen) {
	return func(t *testing.T, s *seen) {
		if s.head.StatusCode != code || gjson.Get(s.body, "error.code").Str != errorCode || !gjson.Get(s.body, "error.message").Exists() {
			t.Errorf("%s", s.raw)
		}
		if got := s.head.Header.Get(header); header != "" && (got != want && (want == "" || !strings.HasPrefix(got, want))) {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

func reset(t *testing.T, s *seen) {
	if s.raw != "" || !errors.Is(s.err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", s.raw, s.err)
	}
}

// wholeStream checks a stream that misbehaved only in form.
func wholeStream(t *testing.T, s *seen) {
	t.Helper()
	p := parseSSE(t, s.body)
	if s.short != nil || !p.done || p.finish[0] == "" || s.row.Delivered != Complete || !utf8.ValidString(s.body) {
		t.Fatalf("%v: %s", s.short, s.body)
	}
	if len(p.usages) == 1 && p.usages[0].bucketed() != s.row.Usage {
		t.Errorf("answered %v, billed %v", p.usages[0], s.row.Usage)
	}
}

func wholeJSON(t *testing.T, s *seen) {
	t.Helper()
	c := decode[chatJSON](t, s.body)
	if s.short != nil || c.Usage.bucketed() != s.row.Usage || s.row.Delivered != Complete {
		t.Errorf("%v: answered %v, billed %v", s.short, c.Usage, s.row)
	}
}

func gunzip(t *testing.T, s *seen) string {
	t.Helper()
	if s.head.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not gzip: %s", s.raw)
	}
	z, err := gzip.NewReader(bytes.NewReader([]byte(s.body)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestWhereAPlanComesFrom(t *testing.T) {
	p, addr := start(t, quick())
	suffixed := strings.Replace(ask("x"), "gpt-4o", "gpt-4o--sim-tokens=3", 1)
	if got := chat(t, addr, suffixed); got.Usage.Completion != 3 || got.Model != "gpt-4o-2024-08-06" {
		t.Errorf("suffix: %+v", got)
	}
	if got := chat(t, addr, suffixed, "x-sim-mode", "tokens=4"); got.Usage.Completion != 4 {
		t.Errorf("header before suffix: %+v", got.Usage)
	}
	plan, err := ParsePlan("tokens=5")
	if err != nil || plan.String() != "tokens=5" {
		t.Fatal(plan, err)
	}
	p.SetPlan(plan, 2)
	natural := chat(t, addr, ask("x"), "x-sim-mode", "ok").Usage.Completion
	for i, want := range []int64{5, 5, natural} {
		if got := chat(t, addr, ask("x")).Usage.Completion; got != want {
			t.Errorf("call %d: %d tokens, want %d", i, got, want)
		}
	}
	p.SetPlan(plan, 0)
	for range 3 {
		if got := chat(t, addr, ask("x")).Usage.Completion; got != 5 {
			t.Errorf("%d tokens", got)
		}
	}
	p.Reset()
	if got := chat(t, addr, ask("x")).Usage.Completion; got != natural {
		t.Errorf("after a reset: %d tokens", got)
	}

	_, deaf := start(t, quick(func(c *Config) { c.RequestModes = false }))
	if got := chat(t, deaf, ask("x"), "x-sim-mode", "500"); got.Usage == nil {
		t.Errorf("%+v", got)
	}
	if resp, _ := post(t, deaf, "/v1/chat/completions", suffixed); resp.StatusCode != 404 {
		t.Errorf("suffix on a provider without modes: %d", resp.StatusCode)
	}
}

func TestMixKeepsItsShares(t *testing.T) {
	weighted := []Weighted{{"500", 0.2}, {"429=1s", 0.1}}
	draw := func(seed uint64) (texts []string) {
		m, err := newMix(weighted, seed)
		if err != nil {
			t.Fatal(err)
		}
		for range 10_000 {
			texts = append(texts, m.draw().text)
		}
		return texts
	}
	one, again, other := draw(1), draw(1), draw(2)
	count := map[string]int{}
	same := 0
	for i := range one {
		count[one[i]]++
		if one[i] != again[i] {
			t.Fatal("the same seed draws otherwise")
		}
		if one[i] == other[i] {
			same++
		}
	}
	if same == len(one) {
		t.Error("another seed draws the same")
	}
	for text, want := range map[string]int{"500": 2000, "429=1s": 1000, "": 7000} {
		if got := count[text]; got < want-200 || got > want+200 {
			t.Errorf("%q: %d of 10,000, want about %d", text, got, want)
		}
	}
}

func TestMixAndModesAsText(t *testing.T) {
	got, err := ParseMix("429=1s:0.05, no-usage+close:0.01")
	if err != nil || len(got) != 2 || got[0] != (Weighted{"429=1s", 0.05}) || got[1] != (Weighted{"no-usage+close", 0.01}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseMix(""); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"429", "429:x", "429:NaN", "429:2", "frob:0.1"} {
		if got, err := ParseMix(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if lines := Modes(); len(lines) != len(modeTable) || !strings.HasPrefix(lines[0], "200 ") {
		t.Errorf("%q", lines)
	}
}

func TestParsePlanRefusesNonsense(t *testing.T) {
	for _, text := range []string{"frob", "cut=x", "cut=-1", "cut+", "429=0s", "slow-first=11m", "no-done=1", "split", "split=word", "tokens", "huge=100000000", strings.Repeat("a", 300)} {
		if p, err := ParsePlan(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
	for _, text := range []string{"", "ok", "cut", "429", "429=2s+gzip", "slow-chunks=1ms+cut=3+split=rune"} {
		if _, err := ParsePlan(text); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add("slow-chunks=1ms+cut=3")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParsePlan(text); err == nil && p.String() != text && text != "ok" {
			t.Errorf("%q became %q", text, p)
		}
	})
}
