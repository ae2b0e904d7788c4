package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
)

// TestCompressedAndChunked: clients that send gzip, with a length or in chunks, to
// an upstream that answers gzip, whole and streamed, in every dialect: what they
// get reads as what a plain client gets, and the books agree with the bill.
func TestCompressedAndChunked(t *testing.T) {
	r := newRig(t, rigOptions{config: "  - name: anthropic\n    api: anthropic\n    base_url: PROVIDER/v1\n    key: sk-e2e\n" + geminiUpstream + "cache:\n  enabled: false\n"})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "k"}).Secret
	calls := 0
	for name, c := range map[string]struct{ path, body, says string }{
		"chat":                {"/v1/chat/completions", hello, `"usage":{`},
		"chat, streamed":      {"/v1/chat/completions", strings.Replace(hello, "{", `{"stream":true,`, 1), "data: [DONE]"},
		"responses":           {"/v1/responses", `{"model":"gpt-4o-mini","input":"hello"}`, `"output_text"`},
		"responses, streamed": {"/v1/responses", `{"model":"gpt-4o-mini","input":"hello","stream":true}`, "event: response.completed"},
		"messages":            {"/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`, `"stop_reason"`},
		"messages, streamed":  {"/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hello"}]}`, "event: message_stop"},
		"gemini":              {"/v1beta/models/gemini-2.0-flash:generateContent", geminiBody, `"usageMetadata"`},
		"gemini, streamed":    {"/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", geminiBody, `"finishReason"`},
	} {
		for _, chunked := range []bool{false, true} {
			for _, mode := range []string{"ok", "gzip"} {
				t.Run(fmt.Sprintf("%s, chunked %v, upstream %s", name, chunked, mode), func(t *testing.T) {
					calls++
					status, answer := r.compressed(t, c.path, key, c.body, chunked, mode)
					if status != 200 || !strings.Contains(answer, c.says) {
						t.Errorf("status %d: %.300s", status, answer)
					}
				})
			}
		}
	}
	if records := r.agree(t); len(records) != calls {
		t.Errorf("%d records of %d calls", len(records), calls)
	}
}

// compressed posts a body as gzip and reads the answer whole.
func (r *rig) compressed(t *testing.T, path, key, body string, chunked bool, mode string) (int, string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var sent io.Reader = &b
	if chunked {
		sent = io.MultiReader(&b) // of a length that nobody knows
	}
	req, err := http.NewRequest(http.MethodPost, r.url+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}, "X-Sim-Mode": {mode}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if coding := res.Header.Get("Content-Encoding"); coding != "" {
		t.Errorf("the answer's coding is %q", coding)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}
