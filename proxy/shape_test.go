package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/compress"
	"purser/proxy/lever"
	"purser/proxy/redaction"
	"purser/proxy/route"
)

// compressingRules rules that prompts are compressed.
type compressingRules struct {
	noRules
	compression lever.Compression
	cache       *lever.Cache // nil: the default
	model       string       // that "route" stands for
}

func (l *compressingRules) Rules() (Rules, error) { return l, nil }

func (l *compressingRules) Route(name string) *route.Route {
	if name != "route" || l.model == "" {
		return nil
	}
	return route.Alias(name, l.model, "")
}

func (l *compressingRules) Levers(string, *ledger.Dimensions) lever.Set {
	s := lever.Default()
	s.Compression, s.Cache = &l.compression, cmp.Or(l.cache, s.Cache)
	return s
}

// compressing is a gateway that compresses at a level.
func compressing(t *testing.T, level compress.Level, specs ...redaction.Spec) (*veiledWorld, *compressingRules) {
	t.Helper()
	v := newVeiled(t, func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(body, `"contents"`):
			fmt.Fprint(w, `{"candidates":[{"content":{"role":"model","parts":[{"text":"Yes."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}}`)
		case strings.Contains(body, `"max_tokens"`):
			fmt.Fprint(w, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Yes, <EMAIL_1>."}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}}`)
		case strings.Contains(body, `"input"`):
			fmt.Fprint(w, `{"id":"r","object":"response","status":"completed","model":"gpt-4o","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Yes."}]}],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}`)
		default:
			fmt.Fprint(w, `{"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Yes, <EMAIL_1>."},"finish_reason":"stop"}],`+chatUsage+`}`)
		}
	}, specs...)
	l := &compressingRules{compression: lever.Compression{Settings: compress.Settings{Level: level}}}
	v.gateway.seams.Rules = l
	return v, l
}

// repeated is a text that stands twice in a prompt, as JSON has it, and within a string.
var repeated = strings.Repeat(`some line of a file, long enough to matter\n`, 1) + func() (s string) {
	for i := range 40 {
		s += "line " + strconv.Itoa(i) + ` of a file that an agent reads twice\n`
	}
	return s
}()

// twice are requests in which a tool gave it twice, by the route they go to.
var twice = map[string]string{
	"/v1/chat/completions": `{"model":"gpt-4o","messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"cat","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"cat","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"` + repeated + `"},{"role":"tool","tool_call_id":"c2","content":"` + repeated + `"}]}`,
	"/v1/responses":        `{"model":"gpt-4o","input":[{"role":"user","content":"go"},{"type":"function_call","call_id":"c1","name":"cat","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"cat","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"` + repeated + `"},{"type":"function_call_output","call_id":"c2","output":"` + repeated + `"}]}`,
	"/v1/messages":         `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"cat","input":{}},{"type":"tool_use","id":"c2","name":"cat","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"` + repeated + `"},{"type":"tool_result","tool_use_id":"c2","content":"` + repeated + `"}]}]}`,
	"/v1beta/models/gemini-2.5-flash:generateContent": `{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"cat","args":{}}},{"functionCall":{"name":"cat","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"cat","response":{"output":"` + repeated + `"}}},{"functionResponse":{"name":"cat","response":{"output":"` + repeated + `"}}}]}]}`,
}

const aReference = `[purser: 41 lines, `

func TestPromptsAreCompressedInEveryDialect(t *testing.T) {
	for path, body := range twice {
		v, _ := compressing(t, compress.NearLossless)
		a, answer := v.send("POST", path, body)
		saw := v.upstreamSaw()
		if a.Status != 200 || strings.Count(saw, "line 7 of a file") != 1 || strings.Count(saw, aReference) != 1 {
			t.Errorf("%s: %d %s\n%s", path, a.Status, answer, saw)
		}
		s, guessed := v.last().Shape, !strings.Contains(body, "gpt-4o")
		about := map[bool]string{true: "about "}[guessed]
		want := fmt.Sprintf("near_lossless %s%d %d", about, s.Before, s.After)
		if s.Level != "near_lossless" || s.Before < 700 || s.After > s.Before*2/3 || s.After < s.Before/3 || sent(a, headerCompressed) != want {
			t.Errorf("%s: %+v, %q", path, s, sent(a, headerCompressed))
		}
		saved := false
		for _, one := range v.last().Savings {
			saved = saved || one.Lever == record.LeverCompression && one.Amount > 0
		}
		if !saved {
			t.Errorf("%s: %+v", path, v.last().Savings)
		}
	}
}

func TestWhatIsNotCompressedGoesAsItIs(t *testing.T) {
	chat := "/v1/chat/completions"
	for name, change := range map[string]func(v *veiledWorld, l *compressingRules){
		"off":                    func(_ *veiledWorld, l *compressingRules) { l.compression.Level = compress.Off },
		"a level without a gain": func(_ *veiledWorld, l *compressingRules) { l.compression.Level = compress.Lossless },
		"a short prompt":         func(_ *veiledWorld, l *compressingRules) { l.compression.MinTokens = 2000 },
		"a very short prompt":    func(_ *veiledWorld, l *compressingRules) { l.compression.MinTokens = 1_000_000 },
	} {
		v, l := compressing(t, compress.NearLossless)
		change(v, l)
		a, answer := v.send("POST", chat, twice[chat])
		if a.Status != 200 || strings.Count(v.upstreamSaw(), repeated) != 2 || v.last().Shape != (record.Shape{}) || sent(a, headerCompressed) != "" {
			t.Errorf("%s: %d %s %+v", name, a.Status, answer, v.last().Shape)
		}
	}
	v, _ := compressing(t, compress.Aggressive)
	if a, answer := v.send("POST", "/v1/embeddings", `{"model":"text-embedding-3-small","input":["`+repeated+`","`+repeated+`"]}`); strings.Count(v.upstreamSaw(), repeated) != 2 || v.last().Shape.Level != "" {
		t.Errorf("%d %s", a.Status, answer)
	}
}

// TestATranslatedCallIsCompressedBeforeItIsTranslated: its upstream speaks another
// dialect, in which it is held, sent and metered.
func TestATranslatedCallIsCompressedBeforeItIsTranslated(t *testing.T) {
	v, l := compressing(t, compress.NearLossless)
	v.gateway.upstreams = v.gateway.upstreams[1:2]
	l.model = "claude-haiku-4-5"
	chat := "/v1/chat/completions"
	a, answer := v.send("POST", chat, strings.Replace(twice[chat], `"gpt-4o"`, `"route"`, 1))
	saw := v.upstreamSaw()
	if a.Status != 200 || !strings.Contains(saw, `"tool_result"`) || strings.Count(saw, aReference) != 1 || strings.Count(saw, "line 7 of a file") != 1 || !strings.Contains(answer, `"choices"`) || !strings.Contains(saw, `"model":"claude-haiku-4-5"`) {
		t.Errorf("%d %s\n%s", a.Status, answer, saw)
	}
}

// TestPlaceholdersSurviveCompression: what a redaction took out of a prompt is put back
// into the answer.
func TestPlaceholdersSurviveCompression(t *testing.T) {
	v, _ := compressing(t, compress.NearLossless, redaction.Spec{ID: "s", Action: redaction.Tokenise})
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		body := strings.ReplaceAll(twice[path], "some line of a file,", "mail a@b.de is the author:")
		a, answer := v.send("POST", path, body)
		saw := v.upstreamSaw()
		if a.Status != 200 || strings.Contains(saw, "a@b.de") || !strings.Contains(saw, "mail <EMAIL_1> is") || !strings.Contains(saw, aReference) || !strings.Contains(answer, "Yes, a@b.de.") {
			t.Errorf("%s: %d %s\n%s", path, a.Status, answer, saw)
		}
	}
}

// TestTheHoldIsThatOfTheCompressedCall: a budget that the call would not fit into is
// enough for what is left of it.
func TestTheHoldIsThatOfTheCompressedCall(t *testing.T) {
	chat := "/v1/chat/completions"
	held := func(level compress.Level) ledger.Amount {
		v, _ := compressing(t, level)
		if a, answer := v.send("POST", chat, strings.Replace(twice[chat], `{"model"`, `{"max_tokens":1,"model"`, 1)); a.Status != 200 {
			t.Fatal(answer)
		}
		return v.last().Charges[0].Held
	}
	if whole, less := held(compress.Off), held(compress.NearLossless); less*3 > whole*2 || less == 0 {
		t.Errorf("%d is held, and %d of the whole call", less, whole)
	}
}

// fakeCompressors give one answer.
type fakeCompressors struct {
	to  []string
	err error
	got []string
}

func (f *fakeCompressors) Shorten(_ context.Context, name, scope string, texts []string, ratio float64) ([]string, error) {
	f.got = append(f.got, fmt.Sprint(name, " ", scope, " ", len(texts), " ", ratio))
	return f.to, f.err
}

func TestACompressorOutsideMayFail(t *testing.T) {
	chat := "/v1/chat/completions"
	body := strings.ReplaceAll(twice[chat], `"cat"`, `"run"`)
	for name, c := range map[string]struct {
		f    *fakeCompressors
		want string
	}{
		"it answers":      {&fakeCompressors{to: []string{"all of it", "and that"}}, "all of it"},
		"it fails":        {&fakeCompressors{err: errors.New("down")}, "line 7 of a file"},
		"it says nothing": {&fakeCompressors{to: []string{"", ""}}, "line 7 of a file"},
	} {
		v, l := compressing(t, compress.Aggressive)
		l.compression.Hook, l.compression.HookRatio = "lingua", 0.5
		v.gateway.seams.Compressors = c.f
		a, answer := v.send("POST", chat, body)
		if a.Status != 200 || !strings.Contains(v.upstreamSaw(), c.want) || fmt.Sprint(c.f.got) != "[lingua key:k1 2 0.5]" {
			t.Errorf("%s: %d %s, asked %v\n%s", name, a.Status, answer, c.f.got, v.upstreamSaw())
		}
	}
}

// TestAHitIsNotCompressed: the caches know requests as they came.
func TestAHitIsNotCompressed(t *testing.T) {
	v, _ := compressing(t, compress.NearLossless)
	c := fakeCache{}
	v.gateway.seams.Cache, v.gateway.seams.Journal = c, filling{v.journal, c}
	chat := "/v1/chat/completions"
	for i, want := range []string{"miss", "hit"} {
		a, answer := v.send("POST", chat, twice[chat])
		if a.Status != 200 || sent(a, headerCache) != want || (sent(a, headerCompressed) == "") != (want == "hit") {
			t.Errorf("%d: %d %s, %q %q", i, a.Status, answer, sent(a, headerCache), sent(a, headerCompressed))
		}
	}
}

// TestALossyAnswerIsNotGivenToWhoAskedForNone: an answer to a prompt that lost something
// serves requests with the same settings, and no others. Lossless ones share theirs.
func TestALossyAnswerIsNotGivenToWhoAskedForNone(t *testing.T) {
	chat := "/v1/chat/completions"
	for level, want := range map[compress.Level]string{compress.Lossless: "hit", compress.NearLossless: "miss", compress.Aggressive: "miss"} {
		v, l := compressing(t, level)
		c := fakeCache{}
		v.gateway.seams.Cache, v.gateway.seams.Journal = c, filling{v.journal, c}
		v.send("POST", chat, twice[chat])
		l.compression.Level = compress.Off
		if a, _ := v.send("POST", chat, twice[chat]); sent(a, headerCache) != want {
			t.Errorf("%v: %q", level, sent(a, headerCache))
		}
	}
}

// TestAHiddenHitOfACompressedPromptDoesNotShow: the header of compression would tell.
func TestAHiddenHitOfACompressedPromptDoesNotShow(t *testing.T) {
	v, l := compressing(t, compress.NearLossless)
	l.cache = cacheSet(t, lever.CacheSpec{Headers: "hidden"}).Cache
	c := fakeCache{}
	v.gateway.seams.Cache, v.gateway.seams.Journal = c, filling{v.journal, c}
	chat := "/v1/chat/completions"
	for i := range 2 {
		if a, _ := v.send("POST", chat, twice[chat]); sent(a, headerCompressed) != "" || (v.last().Cache == record.CacheServed) != (i == 1) {
			t.Errorf("%d: %v %v", i, v.last().Cache, a.Header)
		}
	}
}

// TestAStaleAnswerIsOfNoPrompt that was compressed: what was to be sent was not.
func TestAStaleAnswerIsOfNoPrompt(t *testing.T) {
	v, l := compressing(t, compress.NearLossless)
	l.cache = cacheSet(t, lever.CacheSpec{Stale: "1m"}).Cache
	c := flown{fakeCache{}, new([]CacheAsk), new([]*Fill), true}
	v.gateway.seams.Cache, v.gateway.seams.Journal = c, filling{v.journal, c.fakeCache}
	chat := "/v1/chat/completions"
	v.send("POST", chat, twice[chat])
	for _, e := range c.fakeCache {
		e.Stale = true
	}
	v.purse.free = 0
	a, _ := v.send("POST", chat, twice[chat])
	if sent(a, headerCache) != "stale" || sent(a, headerCompressed) != "" || v.last().Shape != (record.Shape{}) {
		t.Errorf("%v %+v", a.Header, v.last().Shape)
	}
}
