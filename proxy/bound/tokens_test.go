package bound

import (
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/openai"
)

func chatOf(t *testing.T, body string) *dialect.Call {
	t.Helper()
	c := &dialect.Call{}
	if e := (openai.Format{}).Decode(c, dialect.Target{Endpoint: dialect.Chat}, []byte(body)); e != nil {
		t.Fatal(e.Message)
	}
	return c
}

func TestTokensAreThoseOfTheTexts(t *testing.T) {
	tight := `{"model":"gpt-4o","messages":[{"role":"user","content":"hello \"world\" again"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"a b":["x  y",1]}}}]}`
	loose := `{"model":"gpt-4o","messages":[{"role":"user","content":"hello \"world\" again"}],"tools":[{"type":"function","function":{"name":"f","parameters":{ "a b" : [ "x  y",
		1 ] } } }]}`
	n, guessed, ok := Tokens(chatOf(t, tight), Model{Tokenizer: o200k})
	m, _, _ := Tokens(chatOf(t, loose), Model{Tokenizer: o200k})
	if n != m || guessed || !ok || n < 10 {
		t.Errorf("%d tokens, guessed %v; with white space %d", n, guessed, m)
	}
	guess, guessed, _ := Tokens(chatOf(t, tight), Model{})
	scaled, _, _ := Tokens(chatOf(t, tight), Model{LearnedPermille: 1500})
	if guess != n || !guessed || scaled != (n*1500+999)/1000 {
		t.Errorf("unknown: %d, guessed %v; learned: %d", guess, guessed, scaled)
	}
}

// TestTokensOfWhatCannotBeCountedInTime: a text of long odd words, which only a hostile
// client sends, has no count rather than one by its worst case.
func TestTokensOfWhatCannotBeCountedInTime(t *testing.T) {
	words := make([]byte, 0, 4<<20)
	for i := range uint32(4 << 20) {
		words = append(words, 'a'+byte(i*2654435761>>27)%26)
	}
	c := chatOf(t, `{"model":"gpt-4o","messages":[{"role":"user","content":"`+string(words)+`"},{"role":"user","content":"`+strings.Repeat(string(words[:250])+" ", 400)+`"}]}`)
	if _, _, ok := Tokens(c, Model{Tokenizer: o200k}); ok {
		t.Error("it was counted")
	}
}
