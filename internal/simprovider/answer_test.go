package simprovider

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEveryWordIsOneTokenAloneAndInCompany(t *testing.T) {
	codec := loadO200k()
	count := func(s string) int { n, _ := codec.Count(s); return n }
	multibyte := 0
	for _, w := range vocabulary {
		if n := count(w); n != 1 {
			t.Errorf("%q is %d tokens", w, n)
		}
		if len(w) != utf8.RuneCountInString(w) {
			multibyte++
		}
	}
	if multibyte == 0 {
		t.Error("no word has a rune to split")
	}
	s := stream(1)
	var p part
	for n := range 300 {
		p = part{text: p.text[:0], ends: p.ends[:0]}
		p.words(&s, n)
		if got := count(string(p.text)); got != n || len(p.ends) != n {
			t.Fatalf("%d words are %d tokens: %q", n, got, p.text)
		}
	}
}

func TestSameRequestSameAnswer(t *testing.T) {
	_, one := start(t, quick())
	_, two := start(t, quick())
	_, other := start(t, quick(func(c *Config) { c.Seed = 7 }))
	body := ask("tell me of the sea", `"n":2`)
	a := chat(t, one, body)
	chat(t, two, ask("something else first"))
	b, c := chat(t, two, body), chat(t, other, body)
	if a.content(0) != b.content(0) || a.content(1) != b.content(1) || *a.Usage != *b.Usage {
		t.Errorf("answers differ:\n%v\n%v", a, b)
	}
	if a.content(0) == a.content(1) {
		t.Error("two choices are the same")
	}
	if a.content(0) == c.content(0) {
		t.Error("another seed gives the same answer")
	}
	if s := chatStream(t, two, ask("tell me of the sea", `"n":2`, metered)); s.content[0] != a.content(0) || s.content[1] != a.content(1) || s.usages[0] != *a.Usage {
		t.Errorf("the stream differs from the answer: %v, %v", s.content, s.usages)
	}
	if a.ID == b.ID || !strings.HasPrefix(a.ID, "chatcmpl-") || a.Model != "gpt-4o-2024-08-06" || a.Object != "chat.completion" || a.Fingerprint == "" {
		t.Errorf("identity of %+v", a)
	}
}

func TestOutputRespectsTheCap(t *testing.T) {
	_, addr := start(t, quick())
	whole := chat(t, addr, ask("how long is a story"))
	natural := whole.Usage.Completion
	for _, field := range []string{"max_tokens", "max_completion_tokens"} {
		short := chat(t, addr, ask("how long is a story", `"`+field+`":5`))
		if short.Usage.Completion != 5 || *short.Choices[0].Finish != "length" {
			t.Errorf("%s: %+v", field, short)
		}
		if !strings.HasPrefix(whole.content(0), short.content(0)) {
			t.Errorf("%s: a cut answer is another answer", field)
		}
	}
	long := chat(t, addr, ask("how long is a story", `"max_completion_tokens":16000`))
	if long.Usage.Completion != natural || *long.Choices[0].Finish != "stop" {
		t.Errorf("%+v", long)
	}
	many := chat(t, addr, ask("how long is a story", `"n":3,"max_completion_tokens":4`))
	if many.Usage.Completion != 12 || len(many.Choices) != 3 {
		t.Errorf("%+v", many)
	}
}

const weatherTool = `"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{` +
	`"city":{"type":"string"},"unit":{"type":"string","enum":["c","f"]},"days":{"type":"integer","minimum":1,"maximum":3}},"required":["city"]}}},` +
	`{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{}}}},` +
	`{"type":"custom","custom":{"name":"shell"}}]`

func TestToolCalls(t *testing.T) {
	_, addr := start(t, quick())
	for _, tc := range []struct {
		name, text, more string
		want             []string
		finish           string
	}{
		{"not asked for", "good morning", "", nil, "stop"},
		{"by its name", "please get_weather in Rome", "", []string{"get_weather"}, "tool_calls"},
		{"two by name", "get_weather and get_time", "", []string{"get_weather", "get_time"}, "tool_calls"},
		{"not in parallel", "get_weather and get_time", `,"parallel_tool_calls":false`, []string{"get_weather"}, "tool_calls"},
		{"the word", "use a tool", "", []string{"get_weather"}, "tool_calls"},
		{"required", "good morning", `,"tool_choice":"required"`, []string{"get_weather"}, "tool_calls"},
		{"none", "get_weather", `,"tool_choice":"none"`, nil, "stop"},
		{"named", "good morning", `,"tool_choice":{"type":"function","function":{"name":"get_time"}}`, []string{"get_time"}, "stop"},
		{"custom", "shell", "", []string{"shell"}, "tool_calls"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := chat(t, addr, ask(tc.text, weatherTool+tc.more))
			var names []string
			for _, c := range got.Choices[0].Message.Calls {
				names = append(names, c.Function.Name+c.Custom.Name)
				if c.Type == "function" && !json.Valid([]byte(c.Function.Arguments)) {
					t.Errorf("arguments %q", c.Function.Arguments)
				}
			}
			if !slices.Equal(names, tc.want) || *got.Choices[0].Finish != tc.finish || (got.Choices[0].Message.Content == nil) != (tc.want != nil) {
				t.Errorf("called %v, ended by %s", names, *got.Choices[0].Finish)
			}
			s := chatStream(t, addr, ask(tc.text, weatherTool+tc.more, metered))
			for i, c := range got.Choices[0].Message.Calls {
				if s.args[i] != c.Function.Arguments || s.calls[i].ID != c.ID || s.calls[i].Function.Name != c.Function.Name {
					t.Errorf("the stream calls %v with %v", s.calls, s.args)
				}
			}
			if s.finish[0] != tc.finish || s.usages[0] != *got.Usage {
				t.Errorf("the stream ended by %s with %v, not %v", s.finish[0], s.usages, got.Usage)
			}
		})
	}
	args := chat(t, addr, ask("get_weather", weatherTool)).Choices[0].Message.Calls[0].Function.Arguments
	in := decode[struct {
		City, Unit string
		Days       int
	}](t, args)
	if in.City == "" || in.Unit != "c" && in.Unit != "f" || in.Days < 1 || in.Days > 3 {
		t.Errorf("arguments %s", args)
	}
	done := `{"model":"gpt-4o","messages":[{"role":"user","content":"get_weather"},{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"rain"}],` + weatherTool + `}`
	if got := chat(t, addr, done); len(got.Choices[0].Message.Calls) > 0 || got.content(0) == "" {
		t.Errorf("results given, and it called again: %+v", got)
	}
	for limit := range 20 {
		got := chat(t, addr, ask("get_weather", weatherTool, `"max_completion_tokens":`+string('1'+rune(limit%9))))
		if *got.Choices[0].Finish != "length" || got.Usage.Completion > 9 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestStructuredOutputSatisfiesTheSchema(t *testing.T) {
	_, addr := start(t, quick())
	schema := `"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{` +
		`"title":{"type":"string"},"kind":{"enum":["a","b"]},"when":{"type":"string","format":"date-time"},"score":{"type":"number","minimum":5,"maximum":9},` +
		`"tags":{"type":"array","items":{"type":"string"},"minItems":2},"ok":{"type":"boolean"},"maybe":{"type":["integer","null"]},` +
		`"one":{"anyOf":[{"type":"string"},{"type":"null"}]},"child":{"$ref":"#/$defs/node"},"fixed":{"const":"yes"}},` +
		`"$defs":{"node":{"type":"object","properties":{"value":{"type":"integer"},"next":{"$ref":"#/$defs/node"}}}}}}}`
	got := chat(t, addr, ask("fill it in", schema))
	v := decode[struct {
		Title, Kind, When, Fixed, One string
		Score                         float64
		Tags                          []string
		Ok                            *bool
		Maybe                         *int
		Child                         struct {
			Value *int
			Next  any
		}
	}](t, got.content(0))
	if v.Title == "" || v.Kind == "" || v.Score < 5 || v.Score > 9 || len(v.Tags) != 2 || v.Ok == nil || v.Maybe == nil || v.Fixed != "yes" || v.One == "" || v.Child.Value == nil {
		t.Errorf("%s", got.content(0))
	}
	if got := chat(t, addr, ask("as json", `"response_format":{"type":"json_object"}`)); !json.Valid([]byte(got.content(0))) || got.content(0)[0] != '{' {
		t.Errorf("%s", got.content(0))
	}
	cut := chat(t, addr, ask("fill it in", schema, `"max_tokens":6`))
	if *cut.Choices[0].Finish != "length" || cut.Usage.Completion != 6 || json.Valid([]byte(cut.content(0))) {
		t.Errorf("%+v", cut)
	}
}

func TestReasoningModelsThinkWithinTheCap(t *testing.T) {
	_, addr := start(t, quick())
	body := func(more string) string { return strings.Replace(ask("think", more), "gpt-4o", "gpt-5", 1) }
	free := chat(t, addr, body(`"n":1`))
	if r := free.Usage.CompletionIn.Reasoning; r < 64 || r > 256 || free.Usage.Completion <= r {
		t.Errorf("%+v", free.Usage)
	}
	starved := chat(t, addr, body(`"max_completion_tokens":20`))
	if starved.Usage.CompletionIn.Reasoning != 20 || starved.Usage.Completion != 20 || starved.content(0) != "" || *starved.Choices[0].Finish != "length" {
		t.Errorf("%+v", starved)
	}
	if low := chat(t, addr, body(`"reasoning_effort":"minimal"`)); low.Usage.CompletionIn.Reasoning >= free.Usage.CompletionIn.Reasoning {
		t.Errorf("minimal effort thinks %d", low.Usage.CompletionIn.Reasoning)
	}
	if high := chat(t, addr, body(`"reasoning_effort":"high"`)); high.Usage.CompletionIn.Reasoning <= free.Usage.CompletionIn.Reasoning {
		t.Errorf("high effort thinks %d", high.Usage.CompletionIn.Reasoning)
	}
	if none := chat(t, addr, body(`"reasoning_effort":"none"`)); none.Usage.CompletionIn.Reasoning != 0 {
		t.Errorf("no effort thinks %d", none.Usage.CompletionIn.Reasoning)
	}
}

func TestUsageComesAsAsked(t *testing.T) {
	_, addr := start(t, quick())
	without := chatStream(t, addr, ask("hello", streaming))
	if len(without.usages) != 0 || strings.Contains(strings.Join(without.raws, ""), `"usage"`) || !without.done {
		t.Errorf("usage that nobody asked for: %v", without.raws)
	}
	with := chatStream(t, addr, ask("hello", metered))
	last := with.chunks[len(with.chunks)-1]
	if len(with.usages) != 1 || last.Usage == nil || len(last.Choices) != 0 || !strings.Contains(with.raws[len(with.raws)-1], `"choices":[]`) {
		t.Errorf("the last chunk is %s", with.raws[len(with.raws)-1])
	}
	for _, raw := range with.raws[:len(with.raws)-1] {
		if !strings.HasSuffix(raw, `,"usage":null}`) {
			t.Errorf("a chunk without usage:null: %s", raw)
		}
	}
}

func TestChunksCarryAsManyTokensAsConfigured(t *testing.T) {
	_, one := start(t, quick())
	_, seven := start(t, quick(func(c *Config) { c.ChunkTokens, c.ChunksPerWrite = 7, 3 }))
	for _, more := range []string{`"n":2`, weatherTool} {
		a := chatStream(t, one, ask("please get_weather and a tool", metered, more, `"max_tokens":30`))
		b := chatStream(t, seven, ask("please get_weather and a tool", metered, more, `"max_tokens":30`))
		if a.content[0] != b.content[0] || a.content[1] != b.content[1] || a.args[0] != b.args[0] || a.usages[0] != b.usages[0] || len(a.chunks) < 2*len(b.chunks) {
			t.Errorf("%v\n%v", a.raws, b.raws)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	p, addr := start(t, quick())
	plan, err := ParsePlan("over-cap=60000000")
	if err != nil {
		t.Fatal(err)
	}
	p.SetPlan(plan, 1)
	if got := chat(t, addr, ask("x", `"max_tokens":16000,"n":4`)); got.Usage.Completion != maxAnswer {
		t.Errorf("%d tokens", got.Usage.Completion)
	}
}

func TestPromptTokensStayBelowTheirBytes(t *testing.T) {
	for _, how := range []TokenCount{O200k, Bytes4} {
		_, addr := start(t, quick(func(c *Config) { c.Tokens = how }))
		for _, text := range []string{"a", "hello world", "日本語のテキスト 🙂🙂", strings.Repeat("zq", 500), "\x00\x01\x7f", "<|endoftext|>", strings.Repeat(" ", 300)} {
			got := chat(t, addr, ask(text))
			if most := int64(len(text)+len("user")) + MessageOverhead + ReplyOverhead; got.Usage.Prompt > most || got.Usage.Prompt < 7 {
				t.Errorf("%s: %.20q: %d tokens, bound %d", how, text, got.Usage.Prompt, most)
			}
		}
	}
	_, addr := start(t, quick(func(c *Config) { c.Tokens = O200k }))
	if got := chat(t, addr, ask("hello world")); got.Usage.Prompt != 3+1+2+3 {
		t.Errorf("hello world: %d tokens", got.Usage.Prompt)
	}
}

func TestImagesCountByTheDocumentedFormula(t *testing.T) {
	tiles, patches := ImageRule{Base: 85, Tile: 170}, ImageRule{PatchMille: 1620}
	for _, tc := range []struct {
		rule          ImageRule
		width, height int
		low           bool
		want          int64
	}{
		{tiles, 1024, 1024, false, 765}, {tiles, 2048, 4096, false, 1105}, {tiles, 4096, 8192, true, 85}, {tiles, 1, 1, false, 255},
		{patches, 1024, 1024, false, 1659}, {patches, 8000, 8000, false, 2489},
	} {
		if got := tc.rule.tokens(tc.width, tc.height, tc.low); got != tc.want {
			t.Errorf("%v of %d by %d: %d, want %d", tc.rule, tc.width, tc.height, got, tc.want)
		}
	}
	_, addr := start(t, quick())
	with := func(url string) string {
		return `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"what is it"},{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
	}
	const pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
	if got := chat(t, addr, with(pixel)); got.Usage.Prompt < 255 || got.Usage.Prompt > 280 {
		t.Errorf("a pixel: %d tokens", got.Usage.Prompt)
	}
	if a, b := chat(t, addr, with("https://x.test/a.png")), chat(t, addr, with("https://x.test/a.png")); a.Usage.Prompt != b.Usage.Prompt || a.Usage.Prompt < 255 {
		t.Errorf("%d and %d tokens", a.Usage.Prompt, b.Usage.Prompt)
	}
	for _, bad := range []string{"data:image/png;base64,AAAA", "data:x", "ftp://x"} {
		if resp, raw := post(t, addr, "/v1/chat/completions", with(bad)); resp.StatusCode != 400 || !strings.Contains(raw, "invalid_image_url") {
			t.Errorf("%s: %d %s", bad, resp.StatusCode, raw)
		}
	}
}
