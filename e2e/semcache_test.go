package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
)

// TestSemanticHits: a question that was answered is answered again in other words,
// whole and as a stream, to OpenAI's own SDK, without a call of the provider.
func TestSemanticHits(t *testing.T) {
	r := newRig(t, rigOptions{})
	if _, err := r.admin.PutObject(t.Context(), "levers", "semantic", nil, json.RawMessage(`{"semantic":{"mode":"serve","explore_percent":0.1}}`)); err != nil {
		t.Fatal(err)
	}
	key := r.key(admin.NewKey{Name: "k", KeyRights: admin.KeyRights{Scopes: []string{"inference", "cache:trace"}}})
	plain := r.key(admin.NewKey{Name: "plain"})
	ask := func(text string) string {
		return fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":200,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":%q}]}`, text)
	}
	status, first, header := r.ask(key.Secret, ask("What does a purser do on a ship?"))
	if status != 200 || header.Get("x-purser-cache") != "miss" {
		t.Fatalf("%d %v %s", status, header, first)
	}
	bills := len(r.billRows())
	const again = "Hi, what does a purser do on a ship? Thanks!"
	spelling := ""
	r.eventually("a semantic hit", func() error {
		spelling += " " // the exact cache has those that were asked
		if _, _, header = r.ask(key.Secret, ask("Please, what does a purser do on a ship?"+spelling)); header.Get("x-purser-cache") != "semantic" {
			return fmt.Errorf("the cache says %q", header.Get("x-purser-cache"))
		}
		return nil
	})
	if header.Get("x-purser-semantic-similarity") != "1.0000" || len(header.Get("x-purser-semantic-entry")) != 16 || header.Get("Age") == "" {
		t.Errorf("headers %v", header)
	}
	bills = max(bills, len(r.billRows())) // the lesson may have come after a question

	client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key.Secret), option.WithMaxRetries(0))
	question := openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini", MaxCompletionTokens: openai.Int(200),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("be brief"), openai.UserMessage(again)},
	}
	whole, err := client.Chat.Completions.New(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	var told openai.ChatCompletion
	if err := json.Unmarshal([]byte(first), &told); err != nil || whole.Choices[0].Message.Content != told.Choices[0].Message.Content || whole.Choices[0].FinishReason != "stop" {
		t.Errorf("%v: %+v", err, whole.Choices)
	}
	question.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := client.Chat.Completions.NewStreaming(t.Context(), question)
	var text strings.Builder
	var usage int64
	for stream.Next() {
		chunk := stream.Current()
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
		usage = max(usage, chunk.Usage.CompletionTokens)
	}
	if stream.Err() != nil || text.String() != told.Choices[0].Message.Content || usage == 0 {
		t.Errorf("%v, %d tokens: %q, want %q", stream.Err(), usage, text.String(), told.Choices[0].Message.Content)
	}
	if n := len(r.billRows()); n != bills {
		t.Errorf("%d calls of the provider for hits", n-bills)
	}

	// Another key shares nothing, and sees nothing of how hits come about.
	if _, _, h := r.ask(plain.Secret, ask(again)); h.Get("x-purser-cache") != "miss" || h.Get("x-purser-semantic-entry") != "" {
		t.Errorf("another key: %v", h)
	}
	r.explainsSemantic(t, key.ID, ask(again))
}

// explainsSemantic asks the command line about the semantic cache, and purges it.
func (r *rig) explainsSemantic(t *testing.T, key, body string) {
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, says string
		code       int
	}{
		{"semcache explain --key " + key + " --body " + file, "normal", 0},
		{"semcache explain --key " + key + " --body " + file + " --text what-does-a-cook-do-on-a-ship", "miss", 0},
		{"semcache explain --key none --body " + file, "no key none", 1},
		{"semcache explain --key " + key + " --path /v1/nothing --body " + file, "does not reach the caches", 1},
		{"semcache stats", "verdict served", 0},
		{"semcache purge", "give --tenant", 1},
		{"semcache purge --entry xyz", "16 hexadecimal digits", 1},
		{"semcache reset --route nowhere", "nothing was measured", 1},
		{"semcache purge --all", "removed", 0},
		{"semcache explain --key " + key + " --body " + file, "empty", 0},
	} {
		out, code := r.command(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: ended with %d\n%s", c.args, code, out)
		}
	}
}

// TestSemanticHitOverLoopback measures goal 11: a hit from end to end. It says what it
// measured; machines that run other tests at the same time are slower.
func TestSemanticHitOverLoopback(t *testing.T) {
	r := newRig(t, rigOptions{})
	if _, err := r.admin.PutObject(t.Context(), "levers", "semantic", nil, json.RawMessage(`{"semantic":{"mode":"serve","explore_percent":0.1}}`)); err != nil {
		t.Fatal(err)
	}
	key := r.key(admin.NewKey{Name: "k", KeyRights: admin.KeyRights{Scopes: []string{"inference", "cache:trace"}}})
	ask := func(i int) string {
		return fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":"What does a purser do on a ship?%s"}]}`, strings.Repeat(" ", i))
	}
	r.ask(key.Secret, ask(0))
	asked := 0
	r.eventually("a semantic hit", func() error {
		asked++ // another spelling: the exact cache has those that were asked
		if _, _, h := r.ask(key.Secret, ask(asked)); h.Get("x-purser-cache") != "semantic" {
			return fmt.Errorf("the cache says %q", h.Get("x-purser-cache"))
		}
		return nil
	})
	var took []time.Duration
	for i := range 300 {
		began := time.Now()
		_, _, h := r.ask(key.Secret, ask(asked+1+i))
		if d := time.Since(began); h.Get("x-purser-cache") == "semantic" {
			took = append(took, d)
		}
	}
	if len(took) < 200 {
		t.Fatalf("%d hits of 300", len(took))
	}
	slices.Sort(took)
	t.Logf("%d hits: p50 %v, p99 %v", len(took), took[len(took)/2], took[len(took)*99/100])
}
