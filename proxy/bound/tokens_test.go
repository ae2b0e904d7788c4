package bound

import (
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
	n, sure := Tokens(chatOf(t, tight), Model{Tokenizer: o200k})
	m, _ := Tokens(chatOf(t, loose), Model{Tokenizer: o200k})
	if n != m || !sure || n < 10 {
		t.Errorf("%d tokens, sure %v; with white space %d", n, sure, m)
	}
	guess, sure := Tokens(chatOf(t, tight), Model{})
	scaled, _ := Tokens(chatOf(t, tight), Model{LearnedPermille: 1500})
	if guess != n || sure || scaled != (n*1500+999)/1000 {
		t.Errorf("unknown: %d, sure %v; learned: %d", guess, sure, scaled)
	}
}
