package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"purser/api/admin"
	"purser/internal/record"
)

func anthropicRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, rigOptions{api: "anthropic"})
	r.budget(usd("cap", "50"))
	b := usd("empty", "0.000000001")
	b.Match = map[string][]string{"customer": {"broke"}}
	r.budget(b)
	return r
}

func (r *rig) broke() string {
	return r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret
}

// agree stops the node and compares its records with the provider's bill.
func (r *rig) agree(t *testing.T) map[string]*record.Record {
	t.Helper()
	r.settled("cap")
	r.stopNode()
	records := r.records()
	if got := compare(t, r.billRows(), records); got.billed == 0 || got.unrecorded != 0 || got.different != 0 || got.unbilled != 0 {
		t.Errorf("records and bill differ: %+v", got)
	}
	return records
}

// TestAnthropicGoSDK asks what TestClients does not.
func TestAnthropicGoSDK(t *testing.T) {
	r := anthropicRig(t)
	key := r.key(admin.NewKey{Name: "sdk"}).Secret
	ctx := context.Background()
	question := func(text string) anthropic.MessageNewParams {
		return anthropic.MessageNewParams{Model: "claude-haiku-4-5", MaxTokens: 4096,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
	}
	client := anthropic.NewClient(option.WithBaseURL(r.url), option.WithAPIKey(key))

	t.Run("stream", func(t *testing.T) {
		p := question("Tell me of pursers.")
		p.Thinking = anthropic.ThinkingConfigParamOfEnabled(1024)
		stream := client.Messages.NewStreaming(ctx, p)
		var all anthropic.Message
		for stream.Next() {
			if err := all.Accumulate(stream.Current()); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if len(all.Content) != 2 || all.Content[0].Type != "thinking" || all.Content[1].Text == "" || all.Usage.OutputTokens < 10 {
			t.Errorf("accumulated: %+v", all)
		}
	})
	t.Run("the same stream again is a hit, and whole", func(t *testing.T) {
		var texts []string
		for range 2 {
			stream := client.Messages.NewStreaming(ctx, question("Again and again."))
			var all anthropic.Message
			for stream.Next() {
				if err := all.Accumulate(stream.Current()); err != nil {
					t.Fatal(err)
				}
			}
			if err := stream.Err(); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, fmt.Sprint(all.ID, all.Content[0].Text, all.StopReason, all.Usage.OutputTokens))
		}
		if texts[0] != texts[1] {
			t.Errorf("told twice:\n%s\n%s", texts[0], texts[1])
		}
	})
	t.Run("prompt cache", func(t *testing.T) {
		for i, want := range []string{"written", "read"} {
			p := question(fmt.Sprint("Question ", i))
			p.System = []anthropic.TextBlockParam{{Text: strings.Repeat("You are a purser on a ship. ", 900),
				CacheControl: anthropic.CacheControlEphemeralParam{TTL: anthropic.CacheControlEphemeralTTLTTL1h}}}
			res, err := client.Messages.New(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if u := res.Usage; (u.CacheCreation.Ephemeral1hInputTokens > 0) != (want == "written") || (u.CacheReadInputTokens > 0) != (want == "read") {
				t.Errorf("%s: %+v", want, u)
			}
		}
	})
	t.Run("models", func(t *testing.T) {
		pages := client.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
		found := false
		for pages.Next() {
			found = found || pages.Current().ID == "claude-haiku-4-5"
		}
		if err := pages.Err(); err != nil || !found {
			t.Errorf("claude-haiku-4-5 is listed: %v, %v", found, err)
		}
		if one, err := client.Models.Get(ctx, "claude-haiku-4-5", anthropic.ModelGetParams{}); err != nil || one.ID != "claude-haiku-4-5" {
			t.Errorf("the model: %+v, %v", one, err)
		}
	})
	t.Run("counting costs nothing, and is not refused for money", func(t *testing.T) {
		poor := anthropic.NewClient(option.WithBaseURL(r.url), option.WithAPIKey(r.broke()))
		res, err := poor.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: "claude-haiku-4-5", Messages: question("x").Messages})
		if err != nil || res.InputTokens == 0 {
			t.Errorf("%+v, %v", res, err)
		}
	})
	r.agree(t)
}

const anthropicBody = `{"model":"claude-haiku-4-5","max_tokens":%d,"messages":[{"role":"user","content":%q}]%s}`

// TestAnthropicBillEqualsRecords asks for everything whose tokens are counted in a
// way of their own, under every misbehaviour of the provider.
func TestAnthropicBillEqualsRecords(t *testing.T) {
	r := anthropicRig(t)
	key := r.key(admin.NewKey{Name: "k"}).Secret
	long := strings.Repeat("word ", 2000)
	cached := fmt.Sprintf(`,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":%q,"cache_control":{"type":"ephemeral"}}]`, long, long)
	for _, x := range []struct {
		mode, text, more string
		status           int
	}{
		{"", "plain", "", 200},
		{"", "cached once", cached, 200},
		{"", "cached twice", cached, 200},
		{"", "thinking", `,"thinking":{"type":"adaptive"}`, 200},
		{"", "use web_search now", `,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]`, 200},
		{"", long, `,"context_management":{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":1000}}]}`, 200},
		{"no-usage", "no usage", "", 200},
		{"null-usage", "null usage", "", 200},
		{"dup-usage", "usage twice", "", 200},
		{"split=byte", "byte by byte", "", 200},
		{"split=rune+comments+crlf", "runes", "", 200},
		{"no-done", "no end", "", 200},
		{"error-event", "an error", "", 200},
		{"over-cap", "above the cap", "", 200},
		{"gzip", "packed", "", 200},
	} {
		for _, stream := range []string{"", `,"stream":true`} {
			status, body, _ := r.post("/v1/messages?beta=true", key, fmt.Sprintf(anthropicBody, 200, x.text+stream, x.more+stream), "x-sim-mode", x.mode, "anthropic-version", "2023-06-01")
			if status != x.status {
				t.Errorf("%s %q: %d %.300s", x.mode, x.text[:min(20, len(x.text))], status, body)
			}
		}
	}
	for mode, want := range map[string]int{"429=1ms": 429, "529": 529, "500": 500} {
		status, body, _ := r.post("/v1/messages", key, fmt.Sprintf(anthropicBody, 20, "refused "+mode, ""), "x-sim-mode", mode)
		if status != want || !strings.Contains(body, `"type":"error"`) {
			t.Errorf("%s: %d %s", mode, status, body)
		}
	}
	records, over := r.agree(t), 0
	for _, row := range r.billRows() {
		rec := records[row.ClientRequestID]
		if rec == nil || rec.Dialect != "anthropic" {
			t.Errorf("the record of %+v: %+v", row, rec)
			continue
		}
		if rec.Overrun > 0 {
			over++
		}
		// Only a provider that bills above the cap is not covered by the hold.
		if rec.Overrun > 0 && row.Mode != "over-cap" {
			t.Errorf("mode %q: held %d, cost %d", row.Mode, rec.Hold, rec.Cost)
		}
	}
	if over == 0 {
		t.Error("usage above the cap is no overrun")
	}
}

// TestAnthropicHangUp settles a stream that the client left by the usage that the
// provider still sends.
func TestAnthropicHangUp(t *testing.T) {
	r := anthropicRig(t)
	key := r.key(admin.NewKey{Name: "k"}).Secret
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(fmt.Sprintf(anthropicBody, 300, "a long story", `,"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("x-sim-mode", "tokens=60+slow-chunks=5ms")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: message_start\n" {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	res.Body.Close()
	r.eventually("the abandoned stream is settled", func() error {
		if n := r.holds(); n > 0 {
			return fmt.Errorf("%d holds", n)
		}
		return nil
	})
	for _, rec := range r.agree(t) {
		if rec.Outcome != record.Disconnected || rec.Basis != record.Reported || rec.Cost == 0 {
			t.Errorf("the record: %+v", rec)
		}
	}
}

// TestAnthropicProbes are answered without a key.
func TestAnthropicProbes(t *testing.T) {
	r := newRig(t, rigOptions{api: "anthropic"})
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		req, err := http.NewRequest(method, r.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s /: %d", method, res.StatusCode)
		}
	}
	status, body, header := r.post("/v1/messages", "pk_wrong", "{}")
	if status != 401 || !strings.Contains(body, `"authentication_error"`) || header.Get("request-id") == "" || !strings.Contains(body, header.Get("request-id")) {
		t.Errorf("a wrong key: %d %s", status, body)
	}
	if status, body, _ := r.post("/v1/messages/batches", "pk_wrong", "{}"); status != 403 || !strings.Contains(body, `"route_not_priced"`) {
		t.Errorf("a route that cannot be metered: %d %s", status, body)
	}
}
