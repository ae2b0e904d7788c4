package audit

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAViewIsCanonical(t *testing.T) {
	a, err := View(struct {
		B int    `json:"b"`
		A string `json:"a"`
	}{1, "<&é"})
	if err != nil || string(a) != `{"a":"<&é","b":1}` {
		t.Errorf("View = %s, %v", a, err)
	}
	if b, err := View(map[string]any{"b": json.Number("1"), "a": "<&é"}); err != nil || string(b) != string(a) {
		t.Errorf("View = %s, %v", b, err)
	}
	if b, err := View(nil); b != nil || err != nil {
		t.Errorf("View(nil) = %s, %v", b, err)
	}
	if b, err := View(json.Number("12345678901234567890")); err != nil || string(b) != "12345678901234567890" {
		t.Errorf("a large number becomes %s, %v", b, err)
	}
}

func TestAViewMasksWhatLooksLikeASecret(t *testing.T) {
	secrets := []string{
		"pk_abcdefghijklmnopqrstuvwxyz234567abcdefgh", "sk-proj-0123456789abcdefghij", "sk-ant-REDACTED", "AKIAIOSFODNN7EXAMPLE",
		"ghp_0123456789abcdefghij0123456789", "whsec_0123456789abcdef", "AIzaSyA0123456789abcdefghijklmnopqrstu", "-----BEGIN PRIVATE KEY-----",
	}
	for _, s := range secrets {
		b, err := View(map[string]any{"note": "uses " + s, "deep": []any{map[string]string{"x": s}}})
		if err != nil || strings.Contains(string(b), s) || strings.Count(string(b), Masked) != 2 {
			t.Errorf("%s, %v", b, err)
		}
	}
	for _, name := range []string{"secret", "Secret", "api_key", "api-key", "signing_secret", "password", "token", "private_key", "hash"} {
		b, err := View(map[string]any{name: "hunter2", "list": map[string]any{name: []string{"hunter2"}}})
		if err != nil || strings.Contains(string(b), "hunter2") {
			t.Errorf("%s, %v", b, err)
		}
	}
	for _, plain := range []string{
		`{"key":["key_a2b3c4d5e6f7g"],"unit":"tokens"}`, `{"team":"task-force-europe-and-asia"}`, `{"secret":true}`, `{"token":""}`, `{"model":"gpt-4.1-nano-2025-04-14"}`,
	} {
		if b, err := View(json.RawMessage(plain)); err != nil || string(b) != plain {
			t.Errorf("%s becomes %s, %v", plain, b, err)
		}
	}
}

func TestAViewThatIsTooLargeIsADigest(t *testing.T) {
	b, err := View(strings.Repeat("x", MaxDetail))
	if err != nil || len(b) > 200 || !strings.Contains(string(b), `"omitted_bytes":16386`) {
		t.Errorf("%s, %v", b, err)
	}
	other, err := View(strings.Repeat("y", MaxDetail))
	if err != nil || string(b) == string(other) {
		t.Errorf("the digest does not tell them apart: %s, %v", other, err)
	}
}
