package gemini

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"purser/proxy/dialect/conversation"

	"pgregory.net/rapid"
)

var plainID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// TestIDsCarrySignatures: through any dialect that gives an id back, in the letters
// that all of them allow.
func TestIDsCarrySignatures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a-gemini", "-gemini-", "call_1", strings.Repeat("x", 100)})).Draw(t, "given")
		answer := rapid.OneOf(rapid.String(), rapid.Just("-gemini-")).Draw(t, "answer")
		signature := base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 90).Draw(t, "signature"))
		stem := stemOf(given, answer, "f", 3, []byte("{}"))
		id := sealedID(stem, signature)
		if !plainID.MatchString(id) {
			t.Fatalf("id %q", id)
		}
		if s, sig := unsealedID(id); s != stem || sig != signature {
			t.Fatalf("%q gives %q and %q", id, s, sig)
		}
	})
	long := base64.StdEncoding.EncodeToString(make([]byte, maxSealed+1))
	for _, signature := range []string{"", "***", long} {
		if id := sealedID("call_1", signature); id != "call_1" {
			t.Errorf("%d bytes", len(id))
		}
	}
	for _, id := range []string{"call_1", "toolu_x", "call-gemini-***", ""} {
		if stem, signature := unsealedID(id); stem != id || signature != "" {
			t.Errorf("%q: %q %q", id, stem, signature)
		}
	}
	if a, b := stemOf("", "", "f", 0, []byte("{}")), stemOf("", "", "f", 0, []byte(`{"a":1}`)); a == b {
		t.Error(a)
	}
}

// TestSealsTravel: a foreign seal is a signature that Google's clients can keep, and
// is itself again after that.
func TestSealsTravel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seal := rapid.SampledFrom([]string{"anthropic:", "openai:", "responses:"}).Draw(t, "by") + rapid.StringMatching(`[ -~]{0,40}`).Draw(t, "seal")
		signature := signatureOf(seal)
		if _, err := base64.StdEncoding.DecodeString(signature); err != nil {
			t.Fatal(err)
		}
		if got := sealOf(signature); got != seal {
			t.Fatalf("%q became %q", seal, got)
		}
	})
	for _, signature := range []string{"c2ln", "EqQDabc=", "***", base64.StdEncoding.EncodeToString([]byte("abc:short name")), base64.StdEncoding.EncodeToString([]byte("binary:\x00"))} {
		if seal := sealOf(signature); seal != ours+signature || signatureOf(seal) != signature {
			t.Errorf("%q: %q", signature, seal)
		}
	}
}

// TestACallsSignatureReturns: by its id alone, as from a client of Chat Completions.
func TestACallsSignatureReturns(t *testing.T) {
	a, err := Dialect{}.ReadAnswer([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c2ln+/8="}]},"finishReason":"STOP"}],"responseId":"r-1"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := a.Parts[0].Call
	if c.ID != "call_r_1_0-gemini-c2ln-_8" || a.Parts[0].Seal != "" {
		t.Errorf("%+v", a.Parts[0])
	}
	q := &conversation.Request{Model: "gemini-3-pro", Turns: []conversation.Turn{user(text("x")), model(use(c.ID, c.Name, "{}")), user(result(c.ID, text("y")))}}
	body, e := Dialect{}.AppendRequest(nil, q)
	if e != nil || !strings.Contains(string(body), `{"functionCall":{"id":"call_r_1_0","name":"f","args":{}},"thoughtSignature":"c2ln+/8="}`) || !strings.Contains(string(body), `{"functionResponse":{"id":"call_r_1_0"`) {
		t.Errorf("%v %s", e, body)
	}
}
