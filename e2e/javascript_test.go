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

// client runs client.mjs of an installed folder with the node's URL, a key, and
// a key whose budget is exhausted, and reads the JSON it prints into seen.
func (r *rig) client(dir string, seen any) {
	r.t.Helper()
	r.budget(usd("cap", "50"))
	b := usd("empty", "0.000000001")
	b.Match = map[string][]string{"customer": {"broke"}}
	r.budget(b)
	run := exec.Command("node", "client.mjs", r.url, r.key(admin.NewKey{Name: "js"}).Secret,
		r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret)
	run.Dir, run.Stderr = dir, os.Stderr
	out, err := run.Output()
	if err != nil {
		r.t.Fatalf("the client: %v\n%s", err, out)
	}
	if err := json.Unmarshal(out, seen); err != nil {
		r.t.Fatalf("the client printed %s: %v", out, err)
	}
}

// TestOpenAIJavaScriptSDK runs js/client.mjs, which uses OpenAI's own client.
func TestOpenAIJavaScriptSDK(t *testing.T) {
	dir := npm(t, "js")
	var seen struct {
		Chat, Stream, StreamUsage, Tools, Embeddings, Models, Refusal bool
		Tries                                                         int
	}
	newRig(t, rigOptions{}).client(dir, &seen)
	if !(seen.Chat && seen.Stream && seen.StreamUsage && seen.Tools && seen.Embeddings && seen.Models && seen.Refusal) || seen.Tries != 1 {
		t.Errorf("the client saw %+v", seen)
	}
}

// TestResponsesJavaScript runs js-responses/client.mjs: OpenAI's own client and
// Vercel's AI SDK, which uses /v1/responses where it is not told otherwise.
func TestResponsesJavaScript(t *testing.T) {
	dir := npm(t, "js-responses")
	var seen struct {
		Response, Stream, Previous, Structured, Completions, Refusal bool
		AIText, AIStream, AITools, AIObject, AIRefusal               bool
		Tries, AITries                                               int
	}
	r := newRig(t, rigOptions{})
	r.client(dir, &seen)
	if !(seen.Response && seen.Stream && seen.Previous && seen.Structured && seen.Completions && seen.Refusal) || seen.Tries != 1 {
		t.Errorf("OpenAI's client saw %+v", seen)
	}
	if !(seen.AIText && seen.AIStream && seen.AITools && seen.AIObject && seen.AIRefusal) || seen.AITries != 1 {
		t.Errorf("Vercel's client saw %+v", seen)
	}
	r.settled("cap")
	r.stopNode()
	if got := compare(t, r.billRows(), r.records()); got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
}
