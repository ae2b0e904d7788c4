package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"

	"pgregory.net/rapid"
)

// member is one of a drawn object: its key and the text of its value.
type member struct{ key, value string }

// drawer writes valid JSON as nobody would: white space, escapes, numbers and
// orders of any form.
type drawer struct {
	*rapid.T
	// answer writes as a provider does: without line ends, and keys as they are.
	answer bool
}

func (d drawer) of(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(d.T, what)
}

func (d drawer) space() string {
	if d.answer {
		return d.of("space", "", "", "", " ", "\t ")
	}
	return d.of("space", "", "", "", " ", "\n\t", "\r\n  ")
}

// text is a JSON string of s, some of its characters escaped without need.
func (d drawer) text(s string) string {
	plain := rapid.Bool().Draw(d.T, "plain")
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r < 0x10000 && !plain && rapid.IntRange(0, 3).Draw(d.T, "escape") == 0:
			fmt.Fprintf(&b, `\u%04X`, r)
		case r == '/' && !plain:
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func (d drawer) anyText() string {
	return d.text(rapid.StringN(0, 12, -1).Draw(d.T, "text"))
}

func (d drawer) key(m member) string {
	if d.answer {
		return `"` + m.key + `"`
	}
	return d.text(m.key)
}

// object writes members in any order.
func (d drawer) object(members ...member) string {
	var b strings.Builder
	b.WriteString("{" + d.space())
	for i, m := range rapid.Permutation(members).Draw(d.T, "order") {
		if i > 0 {
			b.WriteString(d.space() + "," + d.space())
		}
		b.WriteString(d.key(m) + d.space() + ":" + d.space() + m.value)
	}
	return b.String() + d.space() + "}"
}

func (d drawer) list(of ...string) string {
	return "[" + d.space() + strings.Join(of, d.space()+","+d.space()) + d.space() + "]"
}

// any is any value at all, of a member that nobody knows.
func (d drawer) any(depth int) string {
	switch kind := rapid.IntRange(0, 7).Draw(d.T, "kind"); {
	case kind == 0 && depth > 0:
		return d.list(d.any(depth-1), d.any(depth-1))
	case kind == 1 && depth > 0:
		return d.object(member{"max_tokens", d.any(depth - 1)}, member{"model", d.any(depth - 1)}, member{"usage", d.any(depth - 1)})
	case kind <= 3:
		return d.of("number", "0", "-0", "-0.0", "1e400", "1.50", "1E+2", "12345678901234567890123", "0.1e-7")
	case kind <= 5:
		return d.anyText()
	}
	return d.of("word", "true", "false", "null", "[]", "{}")
}

// some are those of the members that were drawn, and a few that nobody knows.
func (d drawer) some(optional ...member) (out []member) {
	for _, m := range optional {
		if rapid.Bool().Draw(d.T, "has "+m.key) {
			out = append(out, m)
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(d.T, "unknown") {
		out = append(out, member{fmt.Sprintf("x-ünknown %d", i), d.any(3)})
	}
	return out
}

// faithful is a kind of request that the gateway passes on.
type faithful struct {
	wire   Wire
	target dialect.Target
	body   func(d drawer) string
	// sets are the paths of what the gateway may set here, the most general last.
	sets []string
}

const faithfulModel = "mödel/1"

var faithfuls = map[string]faithful{
	"chat":         {OpenAI, dialect.Target{Endpoint: dialect.Chat}, drawer.chat, []string{"model", "max_tokens", "max_completion_tokens", "stream_options.include_usage"}},
	"completions":  {OpenAI, dialect.Target{Endpoint: dialect.Completions}, drawer.completion, []string{"model", "max_tokens", "stream_options.include_usage"}},
	"embeddings":   {OpenAI, dialect.Target{Endpoint: dialect.Embeddings}, drawer.embedding, []string{"model"}},
	"moderations":  {OpenAI, dialect.Target{Endpoint: dialect.Moderations}, drawer.embedding, []string{"model"}},
	"responses":    {OpenAIResponses, dialect.Target{Endpoint: dialect.Responses}, drawer.response, []string{"model", "max_output_tokens", "max_tool_calls"}},
	"compact":      {OpenAIResponses, dialect.Target{Endpoint: dialect.Compact}, drawer.input, []string{"model"}},
	"input_tokens": {OpenAIResponses, dialect.Target{Endpoint: dialect.CountTokens}, drawer.input, []string{"model"}},
	"messages":     {Anthropic, dialect.Target{Endpoint: dialect.Chat}, drawer.message, []string{"model", "max_tokens"}},
	"count_tokens": {Anthropic, dialect.Target{Endpoint: dialect.CountTokens}, drawer.message, []string{"model"}},
	"generate":     {Gemini, dialect.Target{Endpoint: dialect.Chat, Operation: gemini.Generate, Model: faithfulModel}, drawer.generate, geminiSets},
	"stream":       {Gemini, dialect.Target{Endpoint: dialect.Chat, Operation: gemini.Stream, Model: faithfulModel, Stream: true, Query: "alt=sse"}, drawer.generate, geminiSets},
	"countTokens":  {Gemini, dialect.Target{Endpoint: dialect.CountTokens, Operation: gemini.Count, Model: faithfulModel}, drawer.count, []string{"generateContentRequest.model"}},
	"embedContent": {Gemini, dialect.Target{Endpoint: dialect.Embeddings, Operation: gemini.Embed, Model: faithfulModel}, drawer.embed, []string{"model"}},
	"batchEmbed":   {Gemini, dialect.Target{Endpoint: dialect.Embeddings, Operation: gemini.EmbedBatch, Model: faithfulModel}, drawer.batch, []string{"requests.*.model"}},
}

var geminiSets = []string{"model", "generationConfig.maxOutputTokens", "generationConfig.max_output_tokens", "generation_config.maxOutputTokens", "generation_config.max_output_tokens"}

func (d drawer) model() member { return member{"model", d.text(faithfulModel)} }

func (d drawer) streaming() []member {
	if !rapid.Bool().Draw(d.T, "streams") {
		return nil
	}
	m := []member{{"stream", "true"}}
	switch rapid.IntRange(0, 4).Draw(d.T, "stream options") {
	case 0:
		m = append(m, member{"stream_options", "null"})
	case 1:
		m = append(m, member{"stream_options", d.object()})
	case 2:
		m = append(m, member{"stream_options", d.object(d.some(member{"include_usage", d.of("usage", "true", "false", "null")})...)})
	}
	return m
}

func (d drawer) cap(names ...string) []member {
	if rapid.Bool().Draw(d.T, "no cap") {
		return nil
	}
	return []member{{d.of("cap's name", names...), d.of("cap", "1", "77", "4096", "null")}}
}

func (d drawer) chat() string {
	tool := member{"tools", d.list(d.object(member{"type", d.text("function")}, member{"function", d.object(member{"name", d.text("f")}, member{"parameters", d.any(2)})}))}
	m := d.some(member{"temperature", d.of("number", "0", "1.50", "null")}, member{"n", d.of("n", "1", "3", "null")}, tool, member{"user", d.anyText()}, member{"service_tier", d.text("default")})
	m = append(m, d.model(), member{"messages", d.list(d.object(append(d.some(), member{"role", d.text("user")}, member{"content", d.anyText()})...))})
	return d.object(append(append(m, d.streaming()...), d.cap("max_tokens", "max_completion_tokens")...)...)
}

func (d drawer) completion() string {
	m := append(d.some(member{"temperature", "1E-1"}), d.model(), member{"prompt", d.anyText()})
	return d.object(append(append(m, d.streaming()...), d.cap("max_tokens")...)...)
}

func (d drawer) embedding() string {
	return d.object(append(d.some(member{"user", d.anyText()}), d.model(), member{"input", d.of("input", d.list(d.anyText(), d.anyText()), d.anyText())})...)
}

func (d drawer) input() string {
	return d.object(append(d.some(member{"instructions", d.anyText()}), d.model(), member{"input", d.anyText()})...)
}

func (d drawer) response() string {
	m := append(d.some(member{"instructions", d.anyText()}, member{"max_tool_calls", d.of("calls", "2", "9", "null")}, member{"stream", d.of("stream", "true", "false", "null")}), d.model(), member{"input", d.anyText()})
	return d.object(append(m, d.cap("max_output_tokens")...)...)
}

func (d drawer) message() string {
	m := d.some(member{"system", d.anyText()}, member{"temperature", "1.0"}, member{"stream", d.of("stream", "true", "false")}, member{"metadata", d.object(member{"user_id", d.anyText()})})
	return d.object(append(m, d.model(), member{"max_tokens", d.of("cap", "1", "77", "4096")},
		member{"messages", d.list(d.object(member{"role", d.text("user")}, member{"content", d.list(d.object(member{"type", d.text("text")}, member{"text", d.anyText()}))}))})...)
}

func (d drawer) named(names ...string) string { return d.of("spelling", names...) }

// own is Gemini's model in the body, where there is one: the path's.
func (d drawer) own() []member {
	return d.some(member{"model", d.text(d.of("prefix", "", "models/") + faithfulModel)})
}

func (d drawer) content() string {
	return d.object(member{"role", d.text("user")}, member{"parts", d.list(d.object(member{"text", d.anyText()}))})
}

func (d drawer) generate() string {
	m := append(d.own(), member{"contents", d.list(d.content())})
	switch rapid.IntRange(0, 3).Draw(d.T, "config") {
	case 0:
		m = append(m, member{d.named("generationConfig", "generation_config"), "null"})
	case 1, 2:
		config := append(d.some(member{"temperature", "1.50"}, member{d.named("topP", "top_p"), "1e-1"}), d.cap("maxOutputTokens", "max_output_tokens")...)
		m = append(m, member{d.named("generationConfig", "generation_config"), d.object(config...)})
	}
	return d.object(m...)
}

func (d drawer) count() string {
	if rapid.Bool().Draw(d.T, "whole request") {
		return d.object(member{"generateContentRequest", d.object(member{"model", d.text("models/" + faithfulModel)}, member{"contents", d.list(d.content())})})
	}
	return d.object(member{"contents", d.list(d.content())})
}

func (d drawer) embed() string { return d.object(append(d.own(), member{"content", d.content()})...) }

func (d drawer) batch() string {
	one := func() string {
		return d.object(member{"model", d.text("models/" + faithfulModel)}, member{"content", d.content()})
	}
	return d.object(member{"requests", d.list(one(), one())})
}

// TestSameDialectIsByteFaithful: of any valid body in any form, every byte goes
// upstream in its order but for the values that the gateway sets and the members
// it adds for them. Without a change the body stays the client's.
func TestSameDialectIsByteFaithful(t *testing.T) {
	for name, f := range faithfuls {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				body := []byte(f.body(drawer{T: t}))
				var c dialect.Call
				if e := formats[f.wire].Decode(&c, f.target, body); e != nil {
					t.Fatalf("not taken: %v (%s) %s", e, e.Param, body)
				}
				if out := formats[f.wire].AppendUpstream(nil, &c, dialect.Change{}); !bytes.Equal(out, body) {
					t.Fatalf("without a change\n%s\nbecame\n%s", body, out)
				}
				ch := dialect.Change{
					Model:        rapid.SampledFrom([]string{"", "up", "ü\n\"/"}).Draw(t, "to model"),
					MaxOutput:    rapid.SampledFrom([]int64{0, 77, 4095}).Draw(t, "to cap"),
					CapField:     rapid.SampledFrom([]string{"", openai.CapCompletion, openai.CapTokens}).Draw(t, "cap's name"),
					IncludeUsage: rapid.Bool().Draw(t, "usage"),
					MaxCalls:     rapid.SampledFrom([]int64{0, 2, 5}).Draw(t, "calls"),
				}
				out := formats[f.wire].AppendUpstream([]byte("+"), &c, ch)[1:]
				was, is := unset(body, f.sets), unset(out, f.sets)
				if was != is || !json.Valid(out) {
					t.Fatalf("%+v made of\n%s\nthis:\n%s\nwithout what is set:\n%q\n%q", ch, body, out, was, is)
				}
				f.check(t, &c, ch, out)
			})
		})
	}
}

// check reads what was sent as the upstream would.
func (f *faithful) check(t *rapid.T, c *dialect.Call, ch dialect.Change, out []byte) {
	target, again := f.target, new(dialect.Call)
	if target.Model != "" && ch.Model != "" {
		target.Model = ch.Model
	}
	if e := formats[f.wire].Decode(again, target, out); e != nil {
		t.Fatalf("%v in %s", e, out)
	}
	want := *c
	if ch.Model != "" {
		want.Model = ch.Model
	}
	if ch.MaxOutput > 0 && c.Endpoint.Generates() && c.Endpoint != dialect.Compact {
		want.MaxOutput = ch.MaxOutput
	}
	if ch.IncludeUsage && c.Stream && slices.Contains(f.sets, "stream_options.include_usage") {
		want.IncludeUsage = true
	}
	if ch.MaxCalls > 0 && slices.Contains(f.sets, "max_tool_calls") {
		want.MaxCalls = ch.MaxCalls
	}
	if again.Model != want.Model || again.MaxOutput != want.MaxOutput || again.IncludeUsage != want.IncludeUsage || again.MaxCalls != want.MaxCalls ||
		again.Stream != c.Stream || again.TextBytes != c.TextBytes || again.Messages != c.Messages {
		t.Fatalf("%+v made of\n%s\nthis:\n%s", ch, c.Raw, out)
	}
}

// unset is a document without the members at the paths given: keys, values and
// the commas of the objects they are in. An object that has nothing but such a
// member, or stands in its place as null, is left out too. It is a JSON reader of
// its own, of what is known to be valid.
func unset(doc []byte, paths []string) string {
	u := unsetter{doc: doc, paths: paths}
	u.value("")
	u.out.Write(doc[u.pos:])
	return u.out.String()
}

type unsetter struct {
	doc   []byte
	pos   int
	paths []string
	out   strings.Builder
}

// covers says whether path is set, or holds something that is.
func (u *unsetter) covers(path string) (set, parent bool) {
	for _, p := range u.paths {
		set = set || p == path
		parent = parent || path == "" || strings.HasPrefix(p, path+".")
	}
	return set, parent
}

// value copies one value with the space before it, but for what is set.
func (u *unsetter) value(path string) {
	u.copySpace()
	switch u.doc[u.pos] {
	case '{':
		u.collection(path, '}')
	case '[':
		u.collection(path, ']')
	default:
		u.out.Write(u.doc[u.pos:u.scalar()])
		u.pos = u.scalar()
	}
}

func (u *unsetter) collection(path string, end byte) {
	_, parent := u.covers(path)
	u.out.WriteByte(u.doc[u.pos])
	u.pos++
	for {
		u.copySpace()
		switch c := u.doc[u.pos]; {
		case c == end:
			u.out.WriteByte(c)
			u.pos++
			return
		case c == ',':
			if !parent {
				u.out.WriteByte(c)
			}
			u.pos++
		case end == ']':
			u.value(join(path, "*"))
		default:
			u.member(path)
		}
	}
}

func (u *unsetter) member(path string) {
	end := u.scalar()
	key := u.doc[u.pos:end]
	var name string
	if err := json.Unmarshal(key, &name); err != nil {
		panic(err)
	}
	at := join(path, name)
	before := u.out.String()
	u.out.Write(key)
	u.pos = end
	u.copySpace()
	u.out.WriteByte(u.doc[u.pos])
	u.pos++
	start := u.out.Len()
	u.value(at)
	got := strings.TrimSpace(u.out.String()[start:])
	if set, parent := u.covers(at); set || parent && (got == "null" || strings.Join(strings.Fields(got), "") == "{}") {
		u.out.Reset()
		u.out.WriteString(before)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (u *unsetter) copySpace() {
	for strings.IndexByte(" \t\r\n", u.doc[u.pos]) >= 0 {
		u.out.WriteByte(u.doc[u.pos])
		u.pos++
	}
}

// scalar is where the string, number or word ahead ends.
func (u *unsetter) scalar() int {
	i := u.pos
	if u.doc[i] == '"' {
		for i++; u.doc[i] != '"'; i++ {
			if u.doc[i] == '\\' {
				i++
			}
		}
		return i + 1
	}
	for i < len(u.doc) && strings.IndexByte(",:]} \t\r\n", u.doc[i]) < 0 {
		i++
	}
	return i
}
