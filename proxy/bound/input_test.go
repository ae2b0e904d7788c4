package bound

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/openai"

	"pgregory.net/rapid"
)

func decode(t testing.TB, e dialect.Endpoint, body string) *dialect.Call {
	t.Helper()
	c := new(dialect.Call)
	if err := openai.Decode(c, e, []byte(body)); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return c
}

func bounds(t testing.TB, c *dialect.Call, m Model) (tokens [4]int64) {
	t.Helper()
	for s := Bytes; s <= Exact; s++ {
		r, ok := Input(c, m, s)
		if !ok {
			t.Fatalf("step %d cannot be taken", s)
		}
		tokens[s] = r.Tokens
	}
	return tokens
}

// TestStepsTighten: exact <= vocabulary <= bytes, and exact is above the text's
// own tokens, for any messages however they are escaped.
func TestStepsTighten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "texts")
		type message struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}
		body := struct {
			Model    string    `json:"model"`
			Messages []message `json:"messages"`
		}{Model: "m"}
		own := int64(0)
		tok := load(o200k)
		for _, text := range texts {
			text = strings.ToValidUTF8(text, "?")
			body.Messages = append(body.Messages, message{"user", text})
			own += tok.count([]byte(text), enough())
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		c := new(dialect.Call)
		if refusal := openai.Decode(c, dialect.Chat, raw); refusal != nil {
			t.Fatal(refusal)
		}
		var got [4]int64
		for s := Bytes; s <= Exact; s++ {
			r, ok := Input(c, Model{Tokenizer: o200k}, s)
			if !ok {
				t.Fatalf("step %d", s)
			}
			got[s] = r.Tokens
		}
		if got[Exact] > got[Vocabulary] || got[Vocabulary] > got[Bytes] || own+int64(4*len(texts)) > got[Exact] {
			t.Fatalf("own %d, bounds %v", own, got)
		}
	})
}

func TestEnglishIsBoundedClosely(t *testing.T) {
	text := strings.Repeat("The purser keeps the ship's money and hands out allowances to the crew, who ask politely. ", 40)
	c := decode(t, dialect.Chat, fmt.Sprintf(`{"model":"gpt-4o","messages":[{"role":"user","content":%q}]}`, text))
	b := bounds(t, c, Model{Tokenizer: o200k})
	if b[Vocabulary]*100 > b[Exact]*135 {
		t.Errorf("vocabulary %d is more than a third above exact %d", b[Vocabulary], b[Exact])
	}
	if b[Bytes] < 3*b[Exact] {
		t.Errorf("bytes %d, exact %d: the text is no test", b[Bytes], b[Exact])
	}
}

func TestToolsAreBounded(t *testing.T) {
	with := decode(t, dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"weather","description":"Gives the weather","parameters":{"type":"object","properties":{"place":{"type":"string"}}}}}]}`)
	without := decode(t, dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	a, b := bounds(t, with, Model{Tokenizer: cl100k}), bounds(t, without, Model{Tokenizer: cl100k})
	for s := Bytes; s <= Exact; s++ {
		if a[s] < b[s]+perTool+allTools+20 {
			t.Errorf("step %d: %d with the tool, %d without", s, a[s], b[s])
		}
	}
}

func TestContextWindowCapsTheBound(t *testing.T) {
	c := decode(t, dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("word ", 1000)+`"}]}`)
	r, ok := Input(c, Model{Tokenizer: o200k, ContextWindow: 4096}, Bytes)
	if !ok || r.Tokens != 4096 || !r.Window {
		t.Fatalf("%+v %v", r, ok)
	}
	r, ok = Input(c, Model{Tokenizer: o200k, ContextWindow: 4096}, Vocabulary)
	if !ok || r.Window || r.Tokens > 1100 {
		t.Fatalf("%+v %v", r, ok)
	}
}

func TestOnlyTheWindowBoundsWhatIsNotInTheRequest(t *testing.T) {
	for _, body := range []string{
		`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}`,
		`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"previous_response_id":"r"}`,
		`{"model":"gpt-4o","messages":[{"role":"assistant","audio":{"id":"a"}}]}`,
		`{"model":"gpt-9","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}]}`,
	} {
		c := decode(t, dialect.Chat, body)
		if r, ok := Input(c, Model{Name: c.Model, Tokenizer: o200k, ContextWindow: 128_000}, Bytes); !ok || r.Tokens != 128_000 || !r.Window {
			t.Errorf("%s: %+v %v", body, r, ok)
		}
		if _, ok := Input(c, Model{Name: c.Model, Tokenizer: o200k}, Bytes); ok {
			t.Errorf("%s: bounded without a window", body)
		}
	}
}

func TestUnknownTokenizer(t *testing.T) {
	c := decode(t, dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"some words to be counted here, one after the other"}]}`)
	if _, ok := Input(c, Model{}, Bytes); !ok {
		t.Error("bytes need no tokenizer")
	}
	if _, ok := Input(c, Model{}, Vocabulary); ok {
		t.Error("a vocabulary for an unknown tokenizer")
	}
	plain, _ := Input(c, Model{LearnedPermille: 1000}, Exact)
	scaled, ok := Input(c, Model{LearnedPermille: 1300}, Exact)
	if !ok || !scaled.Learned || scaled.Tokens <= plain.Tokens {
		t.Errorf("learned: %+v, at par %+v", scaled, plain)
	}
	most, _ := Input(c, Model{LearnedPermille: 1 << 30}, Exact)
	if bytes, _ := Input(c, Model{}, Bytes); most.Tokens > bytes.Tokens {
		t.Errorf("scaled to %d, above the %d bytes", most.Tokens, bytes.Tokens)
	}
	if Warm("") || Warm("claude") || !Warm(o200k) {
		t.Error("warm")
	}
}

func TestEmbeddings(t *testing.T) {
	c := decode(t, dialect.Embeddings, `{"model":"e","input":[[1,2,3],[4]]}`)
	if r, _ := Input(c, Model{}, Bytes); r.Tokens != 4+2*perInput {
		t.Errorf("%d for 4 tokens", r.Tokens)
	}
	c = decode(t, dialect.Embeddings, `{"model":"e","input":"hello world"}`)
	if r, _ := Input(c, Model{Tokenizer: cl100k}, Exact); r.Tokens != 2+perInput {
		t.Errorf("%d for 2 tokens", r.Tokens)
	}
	if Output(c, Model{}, 100) != 0 {
		t.Error("an embedding has output")
	}
}

func TestOutput(t *testing.T) {
	c := decode(t, dialect.Chat, `{"model":"m","n":3,"messages":[{"role":"user","content":"x"}],"prediction":{"type":"content","content":"abc"}}`)
	if got, want := Output(c, Model{}, 100), 3*(100+c.PredictionBytes); got != want || c.PredictionBytes == 0 {
		t.Errorf("%d, want %d", got, want)
	}
}

// The examples of OpenAI's guide, and the limits around them.
func TestImageFormulas(t *testing.T) {
	for _, x := range []struct {
		model  string
		detail dialect.Detail
		w, h   int
		want   int64
	}{
		{"gpt-4o", dialect.DetailHigh, 1024, 1024, 765},
		{"gpt-4o-2024-11-20", dialect.DetailAuto, 2048, 4096, 1105},
		{"gpt-4o", dialect.DetailLow, 4096, 8192, 85},
		{"gpt-4o", dialect.DetailHigh, 512, 512, 255},
		{"gpt-4o", dialect.DetailHigh, 0, 0, 85 + 8*170},
		{"gpt-4o-mini", dialect.DetailLow, 10, 10, 2833},
		{"gpt-4.1-mini", dialect.DetailHigh, 1024, 1024, 1659},
		{"gpt-4.1-mini", dialect.DetailHigh, 9000, 9000, 2489},
		{"o4-mini-2025-04-16", dialect.DetailLow, 0, 0, 2642},
		{"gpt-5", dialect.DetailHigh, 60_000, 1, 70 + 4*140},
	} {
		img := []dialect.Image{{Detail: x.detail, Width: x.w, Height: x.h}}
		if got, ok := imageTokens(img, x.model); !ok || got != x.want {
			t.Errorf("%s %d x %d: %d, want %d", x.model, x.w, x.h, got, x.want)
		}
	}
	for _, model := range []string{"gpt-5.9", "gpt-4o-audio-preview", "gpt-5-codex", "gpt-6", ""} {
		if _, ok := imageTokens(make([]dialect.Image, 1), model); ok {
			t.Errorf("a formula for %q", model)
		}
	}
	if _, ok := imageTokens([]dialect.Image{{Detail: dialect.DetailOriginal}}, "gpt-4o"); ok {
		t.Error("a formula for the original detail")
	}
}

// No picture costs more than one of unknown size.
func TestUnknownSizeIsTheWorst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(formulas).Draw(t, "model")
		img := dialect.Image{Detail: dialect.DetailHigh}
		worst := f.tokens(&img)
		img.Width, img.Height = rapid.IntRange(1, 1<<16).Draw(t, "w"), rapid.IntRange(1, 1<<16).Draw(t, "h")
		if got := f.tokens(&img); got > worst {
			t.Fatalf("%s: %d tokens, worst %d", f.model, got, worst)
		}
	})
}

func TestImageOfARequest(t *testing.T) {
	gif := base64.StdEncoding.EncodeToString([]byte("GIF89a\x00\x04\x00\x04\x00\x00\x00"))
	c := decode(t, dialect.Chat, `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,`+gif+`"}}]}]}`)
	r, ok := Input(c, Model{Name: "gpt-4o"}, Bytes)
	if want := int64(765 + perImage + perCall + perMessage); !ok || r.Tokens != want {
		t.Errorf("%+v, want %d", r, want)
	}
}

// TestSealedTextIsBoundedByItsBytes: what only the provider can read is at most
// a token a byte, at every step.
func TestSealedTextIsBoundedByItsBytes(t *testing.T) {
	for _, step := range []Step{Bytes, Vocabulary, Exact} {
		m := Model{Tokenizer: "o200k", ContextWindow: 100_000}
		without, ok := Input(&dialect.Call{Endpoint: dialect.Responses, Messages: 1}, m, step)
		with, also := Input(&dialect.Call{Endpoint: dialect.Responses, Messages: 1, TokenInputs: 5000}, m, step)
		if !ok || !also || with.Tokens != without.Tokens+5000 {
			t.Errorf("step %d: %d with, %d without", step, with.Tokens, without.Tokens)
		}
	}
}
