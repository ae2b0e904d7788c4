package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/internal/directory"
	"purser/internal/governance"
	"purser/proxy/redaction"
)

// TestRedactionsOfTheDirectoryAreCompiled: what was put is in force, and one that this
// node cannot compile lets nothing pass.
func TestRedactionsOfTheDirectoryAreCompiled(t *testing.T) {
	k, ok := governance.KindOf("redactions")
	if !ok {
		t.Fatal("there is no such kind")
	}
	put := func(s *directory.State, text string) {
		spec, err := k.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		cmd, err := k.Put("cards", directory.AnyVersion, spec)
		if err != nil {
			t.Fatal(err)
		}
		if out := s.Apply(1, cmd); out.Code != directory.Applied {
			t.Fatal(out.Code)
		}
	}
	b := ruleBook{options: redaction.Options{HashKey: []byte("0123456789abcdef")}}
	r := redactor{book: &b}
	s := directory.New()
	b.compile(s, quiet)
	if set, err := r.Set(); set != nil || err != nil {
		t.Errorf("without an object there is %v, %v", set, err)
	}
	put(s, `{"detectors":["CREDIT_CARD"],"action":"block"}`)
	b.compile(s, quiet)
	set, err := r.Set()
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := set.Plan(nil, redaction.Input).NewScanner().Scan([]byte("4111 1111 1111 1111")); len(found) != 1 || found[0].Spec != "cards" || found[0].Action != redaction.Block {
		t.Errorf("%+v", found)
	}
	put(s, `{"detectors":["no-such-rule"]}`)
	b.compile(s, quiet)
	if set, err := r.Set(); set != nil || err == nil {
		t.Errorf("a redaction that cannot be compiled gives %v, %v", set, err)
	}
	if err := b.checkRedaction("cards", redaction.Spec{Detectors: []string{"no-such-rule"}}); err == nil {
		t.Error("it would be put")
	}
	if _, err := r.Ask(context.Background(), &redaction.Hook{Name: "nobody"}, nil); err == nil {
		t.Error("a hook that is not configured answers")
	}
}

func TestRulesOfAFileTakeThePlaceOfOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := RedactionConfig{RulesFile: file}
	write("[[rules]]\nid='acme'\nregex='acme_[a-z]{8}'\nkeywords=['acme_']\n")
	if list, err := c.rules(); err != nil || len(list) != 1 {
		t.Errorf("%d rules, %v", len(list), err)
	}
	write("[extend]\nuseDefault=true\n[[rules]]\nid='acme'\nregex='acme_[a-z]{8}'\nkeywords=['acme_']\n")
	if list, err := c.rules(); err != nil || len(list) < 80 {
		t.Errorf("%d rules, %v", len(list), err)
	}
	write("[[rules]]\nid='x'\npath='y'\n")
	if _, err := c.rules(); err == nil {
		t.Error("a file without a rule is taken")
	}
	c.RulesFile += ".not"
	if _, err := c.rules(); err == nil || !strings.Contains(err.Error(), "redaction.rules_file") {
		t.Errorf("%v", err)
	}
}

func TestBadRedactionConfigurations(t *testing.T) {
	for says, c := range map[string]RedactionConfig{
		"hash_key":         {HashKey: "short"},
		"hooks[0]":         {Hooks: []HookConfig{{Name: "x", URL: "nowhere"}}},
		"there is another": {Hooks: []HookConfig{{Name: "x", URL: "http://a"}, {Name: "x", URL: "http://a"}}},
		"more than 16":     {Hooks: make([]HookConfig, 17)},
	} {
		c.setDefaults()
		if err := c.validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q in it", err, says)
		}
	}
}

// TestARedactionTooManyIsRefused: each could be compiled alone, and all of them together
// would let nothing pass on any node.
func TestARedactionTooManyIsRefused(t *testing.T) {
	b := ruleBook{options: redaction.Options{HashKey: []byte("0123456789abcdef")}}
	s := directory.New()
	put := func(id, spec string) {
		if out := s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectRedaction, ID: id}, Expect: directory.AnyVersion, Spec: []byte(spec)}); out.Code != directory.Applied {
			t.Fatal(out.Code)
		}
	}
	cards := redaction.Spec{Detectors: []string{"CREDIT_CARD"}, Action: redaction.Block}
	for i := range redaction.MaxSpecs {
		put(fmt.Sprint("r", i), `{"detectors":["CREDIT_CARD"],"action":"block"}`)
	}
	b.compile(s, quiet)
	if _, err := b.Rules(); err != nil {
		t.Fatal(err)
	}
	if err := b.checkRedaction("r0", cards); err != nil {
		t.Errorf("one that is there cannot be changed: %v", err)
	}
	if err := b.checkRedaction("one-more", cards); err == nil {
		t.Error("one more than may be compiled would be put")
	}
	put("r1", `{"detectors":["no-such-rule"]}`) // of another build
	b.compile(s, quiet)
	if err := b.checkRedaction("r1", cards); err != nil {
		t.Errorf("one that stops requests cannot be put right: %v", err)
	}
	put("r1", `{"detectors":["CREDIT_CARD"],"action":"block"}`)
	b.compile(s, quiet)
	if _, err := b.Rules(); err != nil {
		t.Errorf("put right, and yet: %v", err)
	}
}
