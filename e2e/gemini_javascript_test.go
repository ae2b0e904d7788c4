package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"purser/api/admin"
)

// TestGoogleJavaScriptSDK runs js/google/client.mjs, which uses Google's own
// client. It installs the client from its registry, so it runs where that was
// asked for: in CI and by `make e2e`.
func TestGoogleJavaScriptSDK(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("PURSER_E2E_JS") == "" {
		t.Skip("installs packages: set PURSER_E2E_JS=1, or run `make e2e`")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("js", "google"))); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	r := geminiRig(t, rigOptions{})
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
	seen := map[string]any{}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("the client printed %s: %v", out, err)
	}
	for _, what := range []string{"generate", "stream", "tools", "structured", "picture", "count", "embeddings", "models", "cancel", "errors", "refusal"} {
		if seen[what] != true {
			t.Errorf("%s: %v of %s", what, seen[what], out)
		}
	}
	if seen["tries"] != 1.0 {
		t.Errorf("a refusal was tried %v times", seen["tries"])
	}
	if over := r.geminiAccounts(); over != 0 {
		t.Errorf("%d nano-dollars were billed beyond the holds", over)
	}
}
