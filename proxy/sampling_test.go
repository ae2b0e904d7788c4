package proxy

import (
	"encoding/json"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/gemini"
	"purser/proxy/policy"
)

func TestReadSampling(t *testing.T) {
	for body, want := range map[string][2]float64{
		`{"temperature":0.5,"top_p":1}`:                      {0.5, 1},
		`{"temperature":null}`:                               {policy.Unset, policy.Unset},
		`{"temperature":0.5,"temperature":1.5}`:              {1.5, policy.Unset},
		`{"Temperature":1.5,"temperature":0.1}`:              {1.5, policy.Unset},
		`{"temperature":"0.1"}`:                              {policy.Unreadable, policy.Unset},
		`{"temperature":1e999,"top_p":[0]}`:                  {policy.Unreadable, policy.Unreadable},
		`{"x":{"temperature":2},"messages":[{"top_p":2}]}`:   {policy.Unset, policy.Unset},
		"{\"temp\\u0065rature\":0.75 , \"top_p\"\n:\t0.25 }": {0.75, 0.25},
	} {
		if a, b := readSampling(OpenAI, []byte(body)); a != want[0] || b != want[1] {
			t.Errorf("%s: %v, %v", body, a, b)
		}
	}
	a, b := readSampling(Gemini, []byte(`{"temperature":2,"generationConfig":{"temperature":0.5},"generation_config":{"top_p":0.25,"topP":0.5}}`))
	if a != 0.5 || b != 0.5 {
		t.Errorf("Gemini's: %v, %v", a, b)
	}
}

// FuzzLoweredBodies: a body with lowered parameters is one, it has none above its cap,
// and all else stays as it was.
func FuzzLoweredBodies(f *testing.F) {
	for _, c := range lowered {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e3,"Temperature":"2","top_p":{"a":[1]},"n":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		caps := policy.Params{N: 2, Temperature: 0.5, TopP: 0.9}
		for _, w := range [...]Wire{OpenAI, Anthropic, Gemini} {
			target := dialect.Target{Endpoint: dialect.Chat, Model: "m", Operation: gemini.Generate}
			var c dialect.Call
			if formats[w].Decode(&c, target, body) != nil {
				continue
			}
			out := appendLowered(nil, w, body, caps)
			if !json.Valid(out) {
				t.Fatalf("%s became %s", body, out)
			}
			temperature, topP := readSampling(w, out)
			if temperature > caps.Temperature || topP > caps.TopP {
				t.Fatalf("%s became %s, with %v and %v", body, out, temperature, topP)
			}
			if again := appendLowered(nil, w, out, caps); string(again) != string(out) {
				t.Fatalf("%s became %s, and then %s", body, out, again)
			}
			if e := formats[w].Decode(&c, target, out); e != nil || w != Anthropic && c.N > caps.N {
				t.Fatalf("%s became %s: %v, n %d", body, out, e, c.N)
			}
		}
	})
}
