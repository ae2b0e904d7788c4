package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"purser/api/admin"
)

// codexRun is what `codex exec --json` said.
type codexRun struct {
	messages, errors []string
	failed, ended    bool
	raw              string
}

// codex runs the Codex CLI once against a node, as a custom provider of wire_api
// "responses" that a user would configure.
func codex(t *testing.T, dir, url, key, model, prompt string) codexRun {
	t.Helper()
	home, work := t.TempDir(), t.TempDir()
	config := fmt.Sprintf("model = %q\nmodel_provider = \"purser\"\n[model_providers.purser]\nname = \"purser\"\nbase_url = %q\nenv_key = \"PURSER_KEY\"\nwire_api = \"responses\"\n", model, url+"/v1")
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(filepath.Join(dir, "node_modules", ".bin", "codex"), "exec", "--skip-git-repo-check", "--json", prompt)
	run.Dir, run.Env = work, append(os.Environ(), "CODEX_HOME="+home, "PURSER_KEY="+key)
	out, _ := run.Output() // a failed turn is a status; what was said of it is in out
	seen := codexRun{raw: string(out)}
	for line := range bytes.Lines(out) {
		var e struct {
			Type    string
			Message string
			Item    struct{ Type, Text string }
		}
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		switch {
		case e.Type == "item.completed" && e.Item.Type == "agent_message":
			seen.messages = append(seen.messages, e.Item.Text)
		case e.Type == "error":
			seen.errors = append(seen.errors, e.Message)
		case e.Type == "turn.completed":
			seen.ended = true
		case e.Type == "turn.failed":
			seen.failed = true
		}
	}
	return seen
}

// TestCodex runs the Codex CLI: a turn, a turn with a call of its tools, and one
// that is refused for money, which it must ask for once.
func TestCodex(t *testing.T) {
	dir := npm(t, "js-codex")
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "500"))
	counted := countBefore(t, r.url)
	key := r.key(admin.NewKey{Name: "codex"}).Secret
	if seen := codex(t, dir, counted.url, key, "gpt-5", "Say hello"); !seen.ended || len(seen.messages) == 0 || seen.messages[0] == "" {
		t.Errorf("a turn: %s", seen.raw)
	}
	if n := counted.count.Load(); n != 1 {
		t.Errorf("one turn made %d requests", n)
	}
	if seen := codex(t, dir, counted.url, key, "gpt-5", "Use the tool exec_command"); !seen.ended || len(seen.messages) == 0 {
		t.Errorf("a turn with a tool: %s", seen.raw)
	}
	if n := counted.count.Load(); n < 3 {
		t.Errorf("with a turn that calls a tool there were %d requests", n)
	}
	b := usd("empty", "0.000000001")
	b.Match = map[string][]string{"customer": {"broke"}}
	r.budget(b)
	broke := countBefore(t, r.url)
	seen := codex(t, dir, broke.url, r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret, "gpt-5", "Say hello")
	if !seen.failed || !slices.ContainsFunc(seen.errors, func(m string) bool { return bytes.Contains([]byte(m), []byte("usage limit")) }) {
		t.Errorf("the refusal: %s", seen.raw)
	}
	if n := broke.count.Load(); n != 1 {
		t.Errorf("Codex asked %d times", n)
	}
	r.settled("cap")
	r.stopNode()
	if got := compare(t, r.billRows(), r.records()); got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
}

// TestCodexReachesAnyModel runs the Codex CLI, with nothing configured but where to ask,
// for models that upstreams of other dialects alone serve: with a call of its tools.
func TestCodexReachesAnyModel(t *testing.T) {
	dir := npm(t, "js-codex")
	r := newRig(t, rigOptions{api: "openai-chat", config: eachItsOwn})
	r.budget(usd("cap", "500"))
	counted := countBefore(t, r.url)
	key := r.key(admin.NewKey{Name: "codex"}).Secret
	for _, model := range []string{"gpt-5-mini", "claude-haiku-4-5", "claude-opus-4-8", "gemini-2.5-flash"} {
		before := counted.count.Load()
		if seen := codex(t, dir, counted.url, key, model, "Use the tool exec_command"); !seen.ended || len(seen.messages) == 0 {
			t.Errorf("%s: %s", model, seen.raw)
		}
		if n := counted.count.Load() - before; n < 2 {
			t.Errorf("%s: a turn that calls a tool made %d requests", model, n)
		}
	}
	r.agree(t)
}
