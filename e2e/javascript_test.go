package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"purser/api/admin"
)

// npm installs a folder's packages from their registry, in a place of the
// test's own, so it runs where that was asked for: in CI and by `make e2e`.
func npm(t *testing.T, folder string) (dir string) {
	t.Helper()
	if os.Getenv("CI") == "" && os.Getenv("PURSER_E2E_JS") == "" {
		t.Skip("installs packages: set PURSER_E2E_JS=1, or run `make e2e`")
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// TestOpenAIJavaScriptSDK runs js/client.mjs, which uses OpenAI's own client.
func TestOpenAIJavaScriptSDK(t *testing.T) {
	dir := npm(t, "js")
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	b := usd("empty", "0.000000001")
	b.Match = map[string][]string{"customer": {"broke"}}
	r.budget(b)
	run := exec.Command("node", "client.mjs", r.url, r.key(admin.NewKey{Name: "js"}).Secret,
		r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret)
	run.Dir, run.Stderr = dir, os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, out)
	}
	var seen struct {
		Chat, Stream, StreamUsage, Tools, Embeddings, Models, Refusal bool
		Tries                                                         int
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("the client printed %s: %v", out, err)
	}
	if !(seen.Chat && seen.Stream && seen.StreamUsage && seen.Tools && seen.Embeddings && seen.Models && seen.Refusal) || seen.Tries != 1 {
		t.Errorf("the client saw %+v", seen)
	}
}
