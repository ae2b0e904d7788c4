package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"purser/proxy/dialect"

	"pgregory.net/rapid"
)

func TestRewrite(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"x"}]`
	all := dialect.Change{Model: "up/1", MaxOutput: 50, IncludeUsage: true}
	for _, x := range []struct {
		name, body, want string
		change           dialect.Change
	}{
		{"nothing", `{"model":"m", ` + messages + `}`, `{"model":"m", ` + messages + `}`, dialect.Change{}},
		{"all added", `{"model":"m",` + messages + `,"stream":true}`,
			`{"model":"up/1",` + messages + `,"stream":true,"max_completion_tokens":50,"stream_options":{"include_usage":true}}`, all},
		{"not a stream", `{"model":"m",` + messages + ` }`, `{"model":"up/1",` + messages + ` ,"max_completion_tokens":50}`, all},
		{"all replaced", `{"stream":true,"stream_options":{"include_usage":false},"max_tokens" : 999,"model" : "m",` + messages + `}`,
			`{"stream":true,"stream_options":{"include_usage":true},"max_tokens" : 50,"model" : "up/1",` + messages + `}`, all},
		{"as it should be", `{"model":"up/1","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":50,` + messages + `}`,
			`{"model":"up/1","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":50,` + messages + `}`, all},
		{"nulls", `{"model":"m","stream":true,"stream_options":null,"max_tokens":null,` + messages + `}`,
			`{"model":"up/1","stream":true,"stream_options":{"include_usage":true},"max_tokens":50,` + messages + `}`, all},
		{"a null beside a cap", `{"model":"m","max_tokens":60,"max_completion_tokens":null,` + messages + `}`,
			`{"model":"m","max_tokens":50,"max_completion_tokens":null,` + messages + `}`, dialect.Change{MaxOutput: 50}},
		{"a null under the cap's name", `{"model":"m","max_tokens":null,"max_completion_tokens":60,` + messages + `}`,
			`{"model":"m","max_tokens":50,"max_completion_tokens":null,` + messages + `}`, dialect.Change{MaxOutput: 50, CapField: CapTokens}},
		{"other options", `{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false},` + messages + `}`,
			`{"model":"m","stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false},` + messages + `}`, dialect.Change{IncludeUsage: true}},
		{"no options", `{"model":"m","stream":true,"stream_options":{ },` + messages + `}`,
			`{"model":"m","stream":true,"stream_options":{"include_usage":true },` + messages + `}`, dialect.Change{IncludeUsage: true}},
		{"other name of the cap", `{"model":"m","max_completion_tokens":99,` + messages + `}`,
			`{"model":"m","max_tokens":50,` + messages + `}`, dialect.Change{MaxOutput: 50, CapField: CapTokens}},
		{"same cap under another name", `{"model":"m","max_completion_tokens":50,` + messages + `}`,
			`{"model":"m","max_tokens":50,` + messages + `}`, dialect.Change{MaxOutput: 50, CapField: CapTokens}},
		{"cap added under its name", `{"model":"m",` + messages + `}`,
			`{"model":"m",` + messages + `,"max_tokens":50}`, dialect.Change{MaxOutput: 50, CapField: CapTokens}},
		{"options not known, in the middle", `{"model":"m" , "stream_options" : {"include_usage":true} ,"stream":true,` + messages + `}`,
			`{"model":"m" ,"stream":true,` + messages + `}`, dialect.Change{IncludeUsage: true, NoStreamOptions: true}},
		{"options not known, first", `{ "stream_options":{"include_usage":true} , "model,":1,"model":"m","stream":true,` + messages + `}`,
			`{  "model,":1,"model":"m","stream":true,` + messages + `}`, dialect.Change{NoStreamOptions: true}},
		{"options not known, last", `{"model":"m","stream":true,` + messages + `,"stream_options":null }`,
			`{"model":"m","stream":true,` + messages + ` ,"max_tokens":50}`, dialect.Change{IncludeUsage: true, NoStreamOptions: true, MaxOutput: 50, CapField: CapTokens}},
		{"options not known, and none", `{"model":"m","stream":true,` + messages + `}`,
			`{"model":"m","stream":true,` + messages + `}`, dialect.Change{IncludeUsage: true, NoStreamOptions: true}},
		{"model in need of escapes", `{"model":"m",` + messages + `}`, `{"model":"a\"b",` + messages + `}`, dialect.Change{Model: `a"b`}},
	} {
		c := mustDecode(t, dialect.Chat, x.body)
		if got := string(AppendUpstream([]byte("+"), c, x.change)); got != "+"+x.want {
			t.Errorf("%s:\n got %s\nwant %s", x.name, got, x.want)
		}
	}
	c := mustDecode(t, dialect.Embeddings, `{"input":"x","model":"m"}`)
	if got := string(AppendUpstream(nil, c, all)); got != `{"input":"x","model":"up/1"}` {
		t.Errorf("embeddings: %s", got)
	}
}

// TestAPathMayNameTheModel: it counts, whatever the body says, and a body without
// one gets it.
func TestAPathMayNameTheModel(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"x"}]`
	for _, x := range []struct {
		endpoint   dialect.Endpoint
		body, want string
	}{
		{dialect.Chat, `{` + messages + `}`, `{` + messages + `,"model":"up","max_completion_tokens":9}`},
		{dialect.Chat, `{"model":"other",` + messages + `}`, `{"model":"up",` + messages + `,"max_completion_tokens":9}`},
		{dialect.Chat, `{"model":"up",` + messages + `}`, `{"model":"up",` + messages + `,"max_completion_tokens":9}`},
		{dialect.Completions, `{"prompt":"x"}`, `{"prompt":"x","model":"up","max_tokens":9}`},
		{dialect.Embeddings, `{"input":"x"}`, `{"input":"x","model":"up"}`},
	} {
		var c dialect.Call
		if e := (Format{}).Decode(&c, dialect.Target{Endpoint: x.endpoint, Model: "named"}, []byte(x.body)); e != nil {
			t.Fatal(x.body, e)
		}
		if c.Model != "named" {
			t.Errorf("%s: model %q", x.body, c.Model)
		}
		if got := string(AppendUpstream(nil, &c, dialect.Change{Model: "up", MaxOutput: 9})); got != x.want {
			t.Errorf("%s:\n got %s\nwant %s", x.body, got, x.want)
		}
	}
}

// TestStreamOptionsAreLeftOutWhole: whatever the body, all else stays as it was.
func TestStreamOptionsAreLeftOutWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := anyBody(t)
		var c dialect.Call
		if err := Decode(&c, dialect.Chat, body); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		out := AppendUpstream(nil, &c, dialect.Change{IncludeUsage: true, NoStreamOptions: true})
		var before, after map[string]any
		if json.Unmarshal(body, &before) != nil || json.Unmarshal(out, &after) != nil {
			t.Fatalf("%s made of %s", out, body)
		}
		delete(before, "stream_options")
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s made of %s", out, body)
		}
	})
}

// anyBody draws a valid chat body with its fields in any order and white space
// anywhere, some of them extensions.
func anyBody(t *rapid.T) []byte {
	value := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	members := []string{
		`"model":` + value("m"+rapid.String().Draw(t, "model")),
		`"messages":` + value([]any{map[string]any{"role": "user", "content": rapid.String().Draw(t, "content")}}),
	}
	maybe := func(name string, values ...string) {
		if rapid.Bool().Draw(t, "has "+name) {
			members = append(members, `"`+name+`":`+rapid.SampledFrom(values).Draw(t, name))
		}
	}
	maybe("temperature", "0", "1.50", "null")
	maybe("n", "1", "3", "null")
	maybe("x-extension", `{"stream":true,"max_tokens":9}`, `"]}"`, `[[],{}]`)
	maybe("user", value(rapid.String().Draw(t, "user")))
	maybe("tools", `[{"type":"function","function":{"name":"f","parameters":{"a":[1,2]}}}]`)
	if rapid.Bool().Draw(t, "stream") {
		members = append(members, `"stream":true`)
		maybe("stream_options", "null", "{}", `{"include_usage":false}`, `{"include_usage":true}`, `{"include_obfuscation":true}`,
			`{"include_obfuscation":true,"include_usage":null}`)
	}
	switch rapid.IntRange(0, 3).Draw(t, "cap") {
	case 1:
		maybe("max_tokens", "1", "4096", "null")
	case 2:
		maybe("max_completion_tokens", "1", "4096", "null")
	case 3:
		members = append(members, `"max_tokens":null`, `"max_completion_tokens":12`)
	}
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r\n"})
	var b bytes.Buffer
	b.WriteString("{")
	for i, m := range rapid.Permutation(members).Draw(t, "order") {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(space.Draw(t, "space") + m + space.Draw(t, "space"))
	}
	b.WriteString("}" + space.Draw(t, "space"))
	return b.Bytes()
}

// TestRewriteChangesOnlyWhatItSets parses both bodies: they are equal but for
// the fields set, and every byte of the client's outside its edits is there in
// its order.
func TestRewriteChangesOnlyWhatItSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := anyBody(t)
		var c dialect.Call
		if err := Decode(&c, dialect.Chat, body); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		ch := dialect.Change{
			Model:        rapid.SampledFrom([]string{"", "up", "ü\n\""}).Draw(t, "to model"),
			MaxOutput:    rapid.SampledFrom([]int64{0, 7, 4096}).Draw(t, "to cap"),
			CapField:     rapid.SampledFrom([]string{"", CapCompletion, CapTokens}).Draw(t, "cap field"),
			IncludeUsage: rapid.Bool().Draw(t, "usage"),
		}
		before := append([]byte(nil), body...)
		out := AppendUpstream(nil, &c, ch)
		if !bytes.Equal(before, body) {
			t.Fatal("the client's body was written to")
		}
		checkFields(t, body, out, ch)
		checkBytes(t, body, out, &c)
		again := new(dialect.Call)
		if err := Decode(again, dialect.Chat, out); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if ch.MaxOutput > 0 && again.MaxOutput != ch.MaxOutput || ch.IncludeUsage && c.Stream && !again.IncludeUsage {
			t.Fatalf("%s made of %s", out, body)
		}
	})
}

func checkFields(t *rapid.T, body, out []byte, ch dialect.Change) {
	var a, b map[string]any
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if ch.Model != "" {
		a["model"] = ch.Model
	}
	if ch.MaxOutput > 0 {
		setCap(a, ch)
		// Where the other name stays, it is null: as good as absent.
		dropNull(a, CapTokens, CapCompletion)
		dropNull(b, CapTokens, CapCompletion)
	}
	if ch.IncludeUsage && a["stream"] == true {
		options, _ := a["stream_options"].(map[string]any)
		if options == nil {
			options = map[string]any{}
		}
		options["include_usage"] = true
		a["stream_options"] = options
	}
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("fields differ:\n got %s\nfrom %s\nwant %v", out, body, a)
	}
}

// setCap says what the caps of a body should be.
func setCap(body map[string]any, ch dialect.Change) {
	name := ch.CapField
	if name == "" {
		name = CapCompletion
		for _, n := range []string{CapCompletion, CapTokens} {
			if v, has := body[n]; has && (v != nil || body[name] == nil) {
				name = n
			}
		}
		if body[CapCompletion] != nil {
			name = CapCompletion
		}
	}
	delete(body, CapTokens)
	delete(body, CapCompletion)
	body[name] = float64(ch.MaxOutput)
}

func dropNull(body map[string]any, names ...string) {
	for _, n := range names {
		if v, has := body[n]; has && v == nil {
			delete(body, n)
		}
	}
}

// checkBytes removes the places of edits from the body: what is left between
// them must be in out, in order.
func checkBytes(t *rapid.T, body, out []byte, c *dialect.Call) {
	s := c.Sites
	mask := make([]bool, len(body))
	for _, span := range []dialect.Span{s.Model, s.CapKey, s.CapValue, s.CapNull, s.StreamOptions, s.IncludeUsage} {
		for i := span.Start; i < span.End; i++ {
			mask[i] = true
		}
	}
	rest := out
	for i := 0; i < len(body); {
		j := i
		for j < len(body) && !mask[j] && (j == i || j != s.Close) {
			j++
		}
		at := bytes.Index(rest, body[i:j])
		if j == len(body) && bytes.HasSuffix(rest, body[i:j]) {
			return
		}
		if at < 0 {
			t.Fatalf("%q of %s is not in %s", body[i:j], body, out)
		}
		rest = rest[at+j-i:]
		for j < len(body) && mask[j] {
			j++
		}
		i = j
	}
	if len(rest) != 0 {
		t.Fatalf("%q follows the end", rest)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{400, 4_000, 40_000} {
		body := []byte(benchBody(size))
		b.Run(fmt.Sprint(len(body)), func(b *testing.B) {
			c := new(dialect.Call)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Decode(c, dialect.Chat, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendUpstream(b *testing.B) {
	c := mustDecode(b, dialect.Chat, benchBody(4_000))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendUpstream(dst[:0], c, dialect.Change{Model: "gpt-4o-2024-11-20", MaxOutput: 8192, IncludeUsage: true})
	}
}

func BenchmarkCanonical(b *testing.B) {
	c := mustDecode(b, dialect.Chat, benchBody(4_000))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendCanonical(dst[:0], c)
	}
}

// benchBody is a request of about size bytes: turns of prose and code, a tool.
func benchBody(size int) string {
	turn := `{"role":"user","content":"The purser keeps the ship's money.\nfunc main() {\n\tprintln(\"hi\")\n}\nUnd Überraschungen."},`
	var b bytes.Buffer
	b.WriteString(`{"model":"gpt-4o","stream":true,"temperature":0.7,"user":"u-123","tools":[{"type":"function","function":{"name":"look","description":"Looks","parameters":{"type":"object","properties":{"at":{"type":"string"}}}}}],"messages":[`)
	for b.Len() < size-200 {
		b.WriteString(turn)
	}
	b.WriteString(`{"role":"user","content":"Go on."}]}`)
	return b.String()
}
