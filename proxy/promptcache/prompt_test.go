package promptcache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unmark takes marks out of a body, by their texts alone.
func unmark(body []byte) []byte {
	s := string(body)
	for {
		at := strings.Index(s, openBlock)
		if at < 0 {
			break
		}
		// What this package opens, it closes behind the text and its mark.
		end, mark := len(s), ""
		for _, m := range []string{markShort + closeBlock, markLong + closeBlock} {
			if i := strings.Index(s[at:], m); i >= 0 && at+i < end {
				end, mark = at+i, m
			}
		}
		s = s[:end] + s[min(end+len(mark), len(s)):]
		s = s[:at] + s[at+len(openBlock):]
	}
	for _, m := range []string{markShort, markLong, pointShort, pointLong} {
		s = strings.ReplaceAll(s, m, "")
	}
	return []byte(s)
}

// drawBody draws a body of Anthropic's without marks, of odd forms too.
func drawBody(r *rapid.T) []byte {
	space := rapid.SampledFrom([]string{"", " ", "\n\t"})
	text := rapid.SampledFrom([]string{`"hello"`, `""`, `"a \"quoted\" \u00e9 text"`, `"` + strings.Repeat("long ", 300) + `"`})
	block := func(role string) string {
		sp := space.Draw(r, "space")
		switch rapid.SampledFrom([]string{"text", "use", "result", "image", "thinking"}).Draw(r, "block") {
		case "use":
			return `{"type":"tool_use","id":"t1",` + sp + `"name":"f","input":{"a":[1,{"b":null}]}` + sp + `}`
		case "result":
			return `{"tool_use_id":"t1","content":[{ "type":"text","text":` + text.Draw(r, "text") + `}],"type":"tool_result"}`
		case "image":
			return `{"type":"image","source":{"type":"url","url":"https://x/y"}}`
		case "thinking":
			return `{"type":"thinking","thinking":"hm","signature":"s"}`
		}
		return `{ ` + sp + `"type":"text",` + sp + `"text":` + text.Draw(r, "text") + sp + `}`
	}
	list := func(role string, least int) string {
		var all []string
		for range rapid.IntRange(least, 4).Draw(r, "blocks") {
			all = append(all, block(role))
		}
		return "[" + strings.Join(all, ","+space.Draw(r, "space")) + "]"
	}
	var messages []string
	for i := range rapid.IntRange(1, 6).Draw(r, "messages") {
		content := text.Draw(r, "text")
		role := []string{"user", "assistant"}[i%2]
		if rapid.Bool().Draw(r, "list") {
			content = list(role, 0)
		}
		messages = append(messages, fmt.Sprintf(`{"role":%q,"content":%s}`, role, content))
	}
	members := []string{`"model":"m"`, `"messages":[` + strings.Join(messages, ",") + `]`}
	if rapid.Bool().Draw(r, "system") {
		members = append(members, `"system":`+text.Draw(r, "system text"))
	}
	if rapid.Bool().Draw(r, "tools") {
		members = append(members, `"tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{}}]`)
	}
	return []byte(space.Draw(r, "space") + "{" + strings.Join(rapid.Permutation(members).Draw(r, "order"), ","+space.Draw(r, "space")) + "}")
}

// TestBodiesAreTheSameButForMarks: whatever the body, and wherever marks go, it is
// valid JSON, has those marks and no other, and without them it is what it was; and it
// is still the same prompt.
func TestBodiesAreTheSameButForMarks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		body := drawBody(r)
		var p, again Prompt
		p.ReadAnthropic(body, Seed("t"))
		if p.Marked {
			r.Fatalf("%s has marks", body)
		}
		var marks []Mark
		for i, b := range p.Blocks {
			if b.place.at >= 0 && len(marks) < MaxMarks && rapid.Bool().Draw(r, "mark") {
				marks = append(marks, Mark{i, rapid.Bool().Draw(r, "long")})
			}
		}
		marked := p.AppendMarked(nil, body, marks)
		if !json.Valid(marked) {
			r.Fatalf("%s became %s", body, marked)
		}
		if n := bytes.Count(marked, []byte(`"cache_control"`)); n != len(marks) {
			r.Fatalf("%d marks of %d in %s", n, len(marks), marked)
		}
		if got := unmark(marked); !bytes.Equal(got, body) {
			r.Fatalf("%s\nbecame %s\nand without marks %s", body, marked, got)
		}
		again.ReadAnthropic(marked, Seed("t"))
		if again.Marked != (len(marks) > 0) || len(again.Blocks) != len(p.Blocks) || again.root != p.root {
			r.Fatalf("%s and %s are not the same prompt", body, marked)
		}
		for i := range p.Blocks {
			if p.Blocks[i].Hash != again.Blocks[i].Hash || p.Blocks[i].Ends != again.Blocks[i].Ends {
				r.Fatalf("block %d of %s and %s differ", i, body, marked)
			}
		}
	})
}

// TestWhatAPromptIsMadeOf, in each dialect.
func TestWhatAPromptIsMadeOf(t *testing.T) {
	for name, x := range map[string]struct {
		read func(*Prompt, []byte, Hash)
		body string
		want string // parts and turns of the blocks, ! at the end of a turn, _ where no mark goes
	}{
		"anthropic":  {(*Prompt).ReadAnthropic, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"},{"type":"text","text":"c"}]}],"system":"s","tools":[{"name":"f"}]}`, "T0 S0 M1! M1_ M1 M2 M2!"},
		"late tools": {(*Prompt).ReadAnthropic, `{"tools":[{"name":"f","defer_loading":true},{"name":"g"}],"messages":[{"role":"user","content":""}]}`, "T0_ T0_ M1!_"},
		"converse":   {(*Prompt).ReadConverse, `{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"}]},{"role":"assistant","content":[{"reasoningContent":{}},{"text":"c"}]},{"role":"user","content":[{"text":"d"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}`, "T0 S0 M1 M1! M1_ M1 M2!"},
		"chat":       {(*Prompt).ReadChat, `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"tool","content":"c"},{"role":"tool","content":"d"}],"tools":[{"type":"function"}]}`, "T0_ S0_ M1!_ M1_ M2_ M2!_"},
		"responses":  {(*Prompt).ReadResponses, `{"instructions":"i","input":[{"role":"developer","content":"s"},{"role":"user","content":"a"},{"type":"function_call"},{"type":"function_call_output"}]}`, "S0_ S0_ M1!_ M1_ M2!_"},
		"one input":  {(*Prompt).ReadResponses, `{"input":"a"}`, "M1!_"},
		"gemini":     {(*Prompt).ReadGemini, `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[]},{"parts":[{"text":"b"}]}],"systemInstruction":{"parts":[]},"tools":[{}]}`, "S0_ T0_ M1!_ M1_ M2!_"},
		"no object":  {(*Prompt).ReadAnthropic, `[1]`, ""},
	} {
		var p Prompt
		x.read(&p, []byte(x.body), Seed("t"))
		var got []string
		for _, b := range p.Blocks {
			s := fmt.Sprintf("%c%d", "TSM"[b.Part], b.Turn)
			if b.Ends {
				s += "!"
			}
			if b.place.at < 0 {
				s += "_"
			}
			got = append(got, s)
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: %s, not %s", name, strings.Join(got, " "), x.want)
		}
	}
}

// TestClientsMarksAreSeen wherever they may be.
func TestClientsMarksAreSeen(t *testing.T) {
	for _, body := range []string{
		`{"cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"a"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}`,
		`{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}]}`,
		`{"system":[{"cache_control":{"type":"ephemeral"},"type":"text","text":"a"}],"messages":[]}`,
		`{"tools":[{"name":"f","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[]}`,
	} {
		var p Prompt
		if p.ReadAnthropic([]byte(body), Hash{}); !p.Marked {
			t.Errorf("%s", body)
		}
	}
	var p Prompt
	if p.ReadConverse([]byte(`{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}}]}]}`), Hash{}); !p.Marked {
		t.Error("converse")
	}
	if p.ReadAnthropic([]byte(`{"cache_control":null,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":null}]}]}`), Hash{}); p.Marked || p.Blocks[0].place.at >= 0 {
		t.Error("null is no mark, and leaves no room for one")
	}
}

// TestConverseMarksAreElements.
func TestConverseMarksAreElements(t *testing.T) {
	body := []byte(`{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"a"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}`)
	var p Prompt
	p.ReadConverse(body, Hash{})
	got := p.AppendMarked(nil, body, []Mark{{0, false}, {1, false}, {2, false}})
	const want = `{"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"cachePoint":{"type":"default"}}]}}`
	if string(got) != want || !bytes.Equal(unmark(got), body) {
		t.Errorf("%s", got)
	}
}

// TestKeysAreATenantsOwn: the same prompt has another key for another tenant, and the
// same for each turn of a conversation.
func TestKeysAreATenantsOwn(t *testing.T) {
	first := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat("word ", 2000) + `"}]}`)
	second := []byte(strings.Replace(string(first), `"}]}`, `"},{"role":"assistant","content":"x"},{"role":"user","content":"y"}]}`, 1))
	key := func(tenant string, body []byte) string {
		var l Learner
		var p Prompt
		p.ReadChat(body, Seed(tenant))
		plan := l.Visit(&p, &Terms{}, 1)
		if plan.Home.Zero() || len(plan.Marks) > 0 {
			t.Fatalf("%+v", plan)
		}
		if k := plan.Home.Key(); len(k) <= 64 {
			return k
		}
		t.Fatal("the key is longer than OpenAI takes")
		return ""
	}
	if key("a", first) != key("a", second) || key("a", first) == key("b", first) {
		t.Error("keys do not follow conversations, or cross tenants")
	}
}

// FuzzReadAnthropic: no body panics, and marks leave a valid body valid.
func FuzzReadAnthropic(f *testing.F) {
	f.Add([]byte(`{"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":"b"}],"tools":[{}]}`))
	f.Add([]byte(`{"messages":{"role":1},"tools":"x","system":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Prompt
		for _, read := range []func(*Prompt, []byte, Hash){(*Prompt).ReadChat, (*Prompt).ReadResponses, (*Prompt).ReadGemini, (*Prompt).ReadConverse, (*Prompt).ReadAnthropic} {
			read(&p, body, Hash{})
		}
		var marks []Mark
		for i, b := range p.Blocks {
			if b.place.at >= 0 && len(marks) < MaxMarks {
				marks = append(marks, Mark{Block: i})
			}
		}
		if got := p.AppendMarked(nil, body, marks); json.Valid(body) && !json.Valid(got) {
			t.Errorf("%q became %q", body, got)
		}
	})
}

func BenchmarkVisit(b *testing.B) {
	q := talk{system: words(1, 2000)}
	for i := range 19 {
		q.said = append(q.said, words(10+i, 500))
	}
	body := q.body()
	var l Learner
	var p Prompt
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p.ReadAnthropic(body, Hash{})
		l.Visit(&p, &claude, 1)
	}
}
