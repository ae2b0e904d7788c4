package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/canonical"

	"pgregory.net/rapid"
)

func canonicalOf(t testing.TB, body string) string {
	t.Helper()
	got, err := AppendCanonical(nil, mustDecode(t, dialect.Chat, body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return string(got)
}

func TestCanonicalForm(t *testing.T) {
	got := canonicalOf(t, ` { "temperature" : 1.50, "stream":true, "model":"m\u0041\/", "user":"u", "messages":[ {"role":"user","content":"a\u000ab\t é"} ], "logit_bias":{"9":-1e2,"10":0.0} } `)
	want := `openai.1 chat {"logit_bias":{"10":0,"9":-1e2},"messages":[{"content":"a\nb\t é","role":"user"}],"model":"mA/","temperature":15e-1}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c := mustDecode(t, dialect.Embeddings, `{"input":[1,2],"model":"e"}`)
	if got, err := AppendCanonical([]byte("+"), c); err != nil || string(got) != `+openai.1 embeddings {"input":[1,2],"model":"e"}` {
		t.Errorf("%s %v", got, err)
	}
}

func TestSameRequest(t *testing.T) {
	base := canonicalOf(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1,"tools":[{"type":"function","function":{"name":"f"}}]}`)
	for _, same := range []string{
		`{"messages":[{"content":"x","role":"user"}],"tools":[{"function":{"name":"f"},"type":"function"}],"temperature":1.0,"model":"m"}`,
		`{"model":"m","messages":[{"role":"user","content":"\u0078"}],"temperature":10e-1,"tools":[{"type":"function","function":{"name":"f"}}],"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.1E1,"tools":[{"type":"function","function":{"name":"f"}}],"user":"u","metadata":{"a":"b"},"store":false,"prompt_cache_key":"k","safety_identifier":"s"}`,
	} {
		if got := canonicalOf(t, same); got != base {
			t.Errorf("differs:\n%s\n%s", got, base)
		}
	}
	for _, other := range []string{
		`{"model":"m2","messages":[{"role":"user","content":"x"}],"temperature":1,"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"model":"m","messages":[{"role":"system","content":"x"}],"temperature":1,"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"model":"m","messages":[{"role":"user","content":"X"}],"temperature":1,"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1.0000000000000000001,"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1,"n":1,"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"model":"m","messages":[{"role":"user","content":"x","user":"u"}],"temperature":1,"tools":[{"type":"function","function":{"name":"f"}}]}`,
	} {
		if got := canonicalOf(t, other); got == base {
			t.Errorf("the same: %s", other)
		}
	}
}

// TestCanonicalFormIsOneForOneValue draws a body, writes it in two ways, and
// compares; then the canonical form must parse to the same value.
func TestCanonicalFormIsOneForOneValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := anyBody(t)
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		other, err := json.MarshalIndent(v, " ", "\t") // keys sorted, HTML escaped
		if err != nil {
			t.Fatal(err)
		}
		var a, b dialect.Call
		if err := Decode(&a, dialect.Chat, body); err != nil {
			t.Fatal(err)
		}
		if err := Decode(&b, dialect.Chat, other); err != nil {
			t.Fatal(err)
		}
		x, err := AppendCanonical(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := AppendCanonical(nil, &b)
		if err != nil || !bytes.Equal(x, y) {
			t.Fatalf("%v\n%s\n%s", err, x, y)
		}
		if !json.Valid(bytes.TrimPrefix(x, []byte("openai.1 chat "))) {
			t.Fatalf("not JSON: %s", x)
		}
	})
}

func TestCanonicalRefusesDuplicateKeys(t *testing.T) {
	for _, body := range []string{
		with(`"temperature":1,"temperature":1`),
		with(`"x":{"a":1,"b":2,"\u0061":3}`),
		with(`"tools":[{"type":"function","function":{"name":"f","name":"g"}}]`),
	} {
		if _, err := AppendCanonical(nil, mustDecode(t, dialect.Chat, body)); !errors.Is(err, canonical.ErrDuplicateKey) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestCacheable(t *testing.T) {
	for body, want := range map[string]bool{
		user(`"x"`):                                      true,
		with(`"temperature":2,"n":3`):                    true,
		with(`"store":true`):                             false,
		with(`"previous_response_id":"r"`):               false,
		user(`[{"type":"file","file":{"file_id":"f"}}]`): false,
		user(`[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]`):            false,
		user(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]`): true,
	} {
		ok, why := Cacheable(mustDecode(t, dialect.Chat, body))
		if ok != want || ok == (why != "") {
			t.Errorf("%s: %v %q", body, ok, why)
		}
	}
}

func TestDeepBodiesStayInTheirBounds(t *testing.T) {
	deep := with(`"x":` + strings.Repeat(`{"a":[`, 60) + strings.Repeat(`]}`, 60))
	if got := canonicalOf(t, deep); !strings.Contains(got, strings.Repeat(`{"a":[`, 60)) {
		t.Error(got)
	}
}
