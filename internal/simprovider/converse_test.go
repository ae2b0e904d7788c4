package simprovider

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/proxy/dialect/eventstream"
	"purser/proxy/price"
)

const bedrockModel = "global.anthropic.claude-haiku-4-5-20251001-v1:0"

type converseJSON struct {
	Output struct {
		Message struct {
			Content []struct {
				Text    string
				ToolUse *struct {
					Name, ToolUseID string
					Input           json.RawMessage
				}
			}
		}
	}
	StopReason string
	Usage      *struct{ InputTokens, OutputTokens, TotalTokens, CacheReadInputTokens, CacheWriteInputTokens int64 }
}

func conversePath(operation string) string {
	return "/model/" + strings.ReplaceAll(bedrockModel, ":", "%3A") + "/" + operation
}

func converseBody(text, more string) string {
	return fmt.Sprintf(`{"messages":[{"role":"user","content":[{"text":%q}]}],"inferenceConfig":{"maxTokens":500}%s}`, text, more)
}

func TestConverse(t *testing.T) {
	p, addr := start(t, quick())
	tools := `,"toolConfig":{"tools":[{"toolSpec":{"name":"look_up","inputSchema":{"json":{"type":"object","properties":{"word":{"type":"string"}}}}}}],"toolChoice":{"any":{}}}`
	resp, raw := post(t, addr, conversePath("converse"), converseBody("hello", tools))
	a := decode[converseJSON](t, raw)
	if resp.StatusCode != 200 || a.StopReason != "tool_use" || len(a.Output.Message.Content) == 0 || a.Output.Message.Content[0].ToolUse.Name != "look_up" {
		t.Fatalf("%d %s", resp.StatusCode, raw)
	}
	row := p.Bill().Rows()[0]
	if row.Endpoint != "converse" || row.Usage[price.InputText] != a.Usage.InputTokens || row.Usage.TotalOutput() != a.Usage.OutputTokens || row.Cap != 500 {
		t.Errorf("the answer has %+v, the row %+v", a.Usage, row)
	}
	// What lies before a cache point is written, and then read.
	marked := fmt.Sprintf(`,"system":[{"text":%q},{"cachePoint":{"type":"default"}}]`, strings.Repeat("a word ", 3000))
	_, raw = post(t, addr, conversePath("converse"), converseBody("one", marked))
	first := decode[converseJSON](t, raw).Usage
	_, raw = post(t, addr, conversePath("converse"), converseBody("two", marked))
	if again := decode[converseJSON](t, raw).Usage; first.CacheWriteInputTokens < 1024 || again.CacheReadInputTokens != first.CacheWriteInputTokens || again.CacheWriteInputTokens != 0 {
		t.Errorf("first %+v, then %+v", first, again)
	}
}

// TestConverseStream reads streams with the gateway's own decoder of frames, which
// AWS's examples test.
func TestConverseStream(t *testing.T) {
	for mode, want := range map[string]string{
		"":              "messageStart contentBlockDelta contentBlockStop messageStop metadata",
		"split=byte":    "messageStart contentBlockDelta contentBlockStop messageStop metadata",
		"no-usage":      "messageStart contentBlockDelta contentBlockStop messageStop",
		"error-event=2": "messageStart contentBlockDelta internalServerException",
	} {
		_, addr := start(t, quick())
		resp, raw := post(t, addr, conversePath("converse-stream"), converseBody("hello", ""), modeHeader, mode)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" {
			t.Fatalf("%s: %d %v", mode, resp.StatusCode, resp.Header)
		}
		if got := kindsOf(t, raw); got != want {
			t.Errorf("%s: %s", mode, got)
		}
	}
}

// kindsOf names the messages of a stream, neighbours of one kind once.
func kindsOf(t *testing.T, raw string) string {
	t.Helper()
	var kinds []string
	var scan eventstream.Scanner
	scan.Feed([]byte(raw))
	for {
		e, ok, err := scan.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return strings.Join(kinds, " ")
		}
		if !json.Valid(e.Payload) {
			t.Errorf("%s is not JSON", e.Payload)
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != e.Type {
			kinds = append(kinds, e.Type)
		}
	}
}

func TestConverseRefuses(t *testing.T) {
	_, addr := start(t, quick())
	picture := base64.StdEncoding.EncodeToString([]byte("no picture"))
	for _, x := range []struct {
		path, body string
		status     int
	}{
		{conversePath("converse"), `{`, 400},
		{conversePath("converse"), `{"messages":[]}`, 400},
		{conversePath("converse"), `{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":1000000}}`, 400},
		{conversePath("converse"), `{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"` + picture + `"}}}]}]}`, 400},
		{conversePath("invoke"), `{}`, 404},
		{"/model/unknown/converse", converseBody("x", ""), 404},
	} {
		if resp, raw := post(t, addr, x.path, x.body); resp.StatusCode != x.status || !json.Valid([]byte(raw)) {
			t.Errorf("%s %s: %d %s", x.path, x.body, resp.StatusCode, raw)
		}
	}
}

func FuzzConverseRequests(f *testing.F) {
	for _, body := range []string{
		converseBody("use a tool", `,"toolConfig":{"tools":[{"cachePoint":{}},{"toolSpec":{"name":"f"}},{"cachePoint":{}}]}`), `[`, `{"messages":[{"content":[{"toolResult":{}}]}]}`,
		`{"messages":[{"role":"user","content":[{"document":{}},{"reasoningContent":{}},{"json":1}]}],"outputConfig":{"textFormat":{"structure":{"jsonSchema":{"schema":"{\"$ref\":\"#\"}"}}}}}`,
	} {
		f.Add(body, false)
		f.Add(body, true)
	}
	p, err := New(quick(func(c *Config) { c.RequestModes, c.KeepRows = false, 1 }))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string, streamed bool) {
		out := &sink{}
		c := &conn{p: p, nc: out, br: bufio.NewReader(out)}
		c.req.SetRequestURI(conversePath(map[bool]string{false: "converse", true: "converse-stream"}[streamed]))
		c.req.Header.SetMethod("POST")
		c.req.Header.Set("Authorization", "Bearer "+testKey)
		c.req.SetBodyString(body)
		before := p.Bill().Totals().Rows
		c.call.begin(c)
		p.handle(&c.call)
		resp, err := http.ReadResponse(bufio.NewReader(&out.Buffer), nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && !json.Valid(raw) {
			t.Errorf("%d %q", resp.StatusCode, raw)
		}
		if billed := p.Bill().Totals().Rows - before; (billed == 1) != (resp.StatusCode == 200) || billed > 1 {
			t.Errorf("status %d, %d rows", resp.StatusCode, billed)
		}
	})
}
