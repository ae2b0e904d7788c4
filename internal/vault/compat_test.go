package vault

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var write = flag.Bool("write", false, "write the golden files of the present version")

// TestCompatV1: what this version sealed still opens. The bytes hold random
// numbers, so that they are written once and read for ever.
func TestCompatV1(t *testing.T) {
	v := with(t, key(t, 7))
	file := filepath.Join("testdata", "credential-v1.json")
	if *write {
		c := Credential{ID: "golden", Provider: "openai", Description: "of the golden file", Rotated: 2, Expires: 3, Match: map[string]string{"customer": "acme"}, Weight: 4, Disabled: true}
		c.Sealed, c.Fingerprint = seal(t, v, c.Binding(), "sk-golden", Sealed{})
		b, err := json.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Decode("golden", b)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, v, c.Binding(), c.Sealed); got != "sk-golden" {
		t.Errorf("it opens to %q", got)
	}
	if ok, err := v.Matches(context.Background(), c.Binding(), c.Sealed, []byte("sk-golden")); !ok || err != nil {
		t.Errorf("its fingerprint: %v, %v", ok, err)
	}
	again, err := json.Marshal(c)
	if err != nil || string(again) != string(b) {
		t.Errorf("it is written as\n%s\nnot as\n%s", again, b)
	}
	var next Sealed
	raw, _ := c.Sealed.AppendBinary(nil)
	raw[0]++
	if err := next.UnmarshalBinary(raw); err == nil {
		t.Error("a later version is guessed at")
	}
}
