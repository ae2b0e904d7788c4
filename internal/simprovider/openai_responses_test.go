package simprovider

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// responseUsageOf is the usage of a response as the gateway would book it: disjoint.
func responseUsageOf(r gjson.Result) price.Usage {
	in, out := r.Get("usage.input_tokens_details"), r.Get("usage.output_tokens_details")
	var u price.Usage
	u[price.CacheRead] = in.Get("cached_tokens").Int()
	u[price.CacheWrite30m] = in.Get("cache_write_tokens_details.ttl_30m_tokens").Int()
	u[price.InputText] = r.Get("usage.input_tokens").Int() - u[price.CacheRead] - in.Get("cache_write_tokens").Int()
	u[price.OutputReasoning] = out.Get("reasoning_tokens").Int()
	u[price.OutputText] = r.Get("usage.output_tokens").Int() - u[price.OutputReasoning]
	u[price.WebSearch] = r.Get("tool_usage.web_search.num_requests").Int()
	for _, item := range r.Get("output").Array() {
		if item.Get("type").Str == "file_search_call" {
			u[price.FileSearch]++
		}
	}
	u[price.Requests] = 1
	return u
}

// eventsOf are the events of a stream, whose names must be their types and
// whose numbers must follow one another.
func eventsOf(t *testing.T, raw string) []gjson.Result {
	t.Helper()
	var events []gjson.Result
	name := ""
	lines := bufio.NewScanner(strings.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line := lines.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		e := gjson.Parse(data)
		if !json.Valid([]byte(data)) || e.Get("type").Str != name || e.Get("sequence_number").Int() != int64(len(events)) {
			t.Fatalf("event %d, named %q: %s", len(events), name, data)
		}
		events = append(events, e)
	}
	return events
}

// TestResponsesAreBilledAsTheySay: JSON and stream say the same, and the bill
// says it too.
func TestResponsesAreBilledAsTheySay(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) {
		c.Models = append(c.Models, Model{ID: "writer", ContextWindow: 100_000, MaxOutput: 1000, Reasoning: true, CacheWrite: true})
	}))
	long := strings.Repeat("a long prompt that a provider caches ", 300)
	for name, fields := range map[string]string{
		"text":       `"model":"gpt-4o","input":"hello"`,
		"reasoning":  `"model":"gpt-5","input":"hello","reasoning":{"effort":"high"},"include":["reasoning.encrypted_content"]`,
		"cut short":  `"model":"gpt-5","input":"hello","max_output_tokens":40`,
		"tools":      `"model":"gpt-5","input":"get_weather and say_it","tools":[{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}},{"type":"custom","name":"say_it"}]`,
		"searches":   `"model":"gpt-4o","input":"search the files","tools":[{"type":"web_search"},{"type":"file_search"}],"max_tool_calls":2`,
		"one search": `"model":"gpt-4o","input":"search","tools":[{"type":"web_search"}],"max_tool_calls":1`,
		"cache":      `"model":"writer","input":"` + long + `"`,
		"object":     `"model":"gpt-4o","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
		"items":      `"model":"gpt-4o","instructions":"be brief","input":[{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"https://x/y.png"}]},{"type":"reasoning","encrypted_content":"gAAAgAAA"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			p.cache.forget()
			resp, raw := post(t, addr, "/v1/responses", "{"+fields+"}", "x-client-request-id", name)
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, raw)
			}
			whole := gjson.Parse(raw)
			row := rowOf(t, p, name)
			if got := responseUsageOf(whole); got != row.Usage || row.Endpoint != "responses" || whole.Get("id").Str != "resp_"+row.Call {
				t.Errorf("billed %+v for %s", row, whole.Get("usage"))
			}
			if limit := whole.Get("max_output_tokens").Int(); limit > 0 && (whole.Get("usage.output_tokens").Int() > limit || whole.Get("status").Str != "incomplete") {
				t.Errorf("over its cap: %s", raw)
			}
			p.cache.forget()
			_, raw = post(t, addr, "/v1/responses", `{"stream":true,`+fields+"}", "x-client-request-id", name+"-stream")
			events := eventsOf(t, raw)
			last := events[len(events)-1]
			if kind := last.Get("type").Str; kind != "response."+whole.Get("status").Str {
				t.Errorf("ends with %s", kind)
			}
			if got := rowOf(t, p, name+"-stream").Usage; got != row.Usage || responseUsageOf(last.Get("response")) != got {
				t.Errorf("streamed: billed %v, whole %v", got, row.Usage)
			}
			said := ""
			for _, e := range events {
				if strings.HasSuffix(e.Get("type").Str, ".delta") {
					said += e.Get("delta").Str
				}
			}
			want := ""
			for _, item := range whole.Get("output").Array() {
				want += item.Get("content.0.text").Str + item.Get("arguments").Str + item.Get("input").Str
			}
			if said != want || said == "" && name != "cut short" {
				t.Errorf("streamed %q, whole %q", said, want)
			}
		})
	}
}

func TestResponsesMisbehave(t *testing.T) {
	p, addr := start(t, quick())
	const body = `{"model":"gpt-5","input":"hello","stream":true}`
	for mode, want := range map[string]struct {
		last      string // type of the last event
		delivered Delivery
	}{
		"ok": {"response.completed", Complete}, "no-done": {"response.output_item.done", Complete}, "error-event=5": {"error", Cut}, "cut=5": {"response.output_item.added", Cut},
		"comments": {"response.completed", Complete}, "split=byte": {"response.completed", Complete}, "no-usage": {"response.completed", Complete}, "null-usage": {"response.completed", Complete},
	} {
		_, raw, _ := try(addr, "/v1/responses", body, "x-sim-mode", mode, "x-client-request-id", mode)
		events := eventsOf(t, raw)
		if row := rowOf(t, p, mode); row.Delivered != want.delivered || row.Usage[price.OutputText] == 0 || len(events) == 0 || events[len(events)-1].Get("type").Str != want.last {
			t.Errorf("%s: %+v after %d events: %s", mode, row, len(events), raw[max(0, len(raw)-300):])
		}
		usage := events[len(events)-1].Get("response.usage")
		if has := usage.IsObject(); has != (mode == "ok" || mode == "comments" || mode == "split=byte") {
			t.Errorf("%s: usage is %s", mode, usage.Raw)
		}
	}
}

func TestResponsesThatAreKept(t *testing.T) {
	p, addr := start(t, quick())
	_, raw := post(t, addr, "/v1/responses", `{"model":"gpt-4o","input":"a first question of some length"}`, "x-client-request-id", "first")
	id, item := gjson.Get(raw, "id").Str, gjson.Get(raw, "output.0.id").Str
	do := func(method, path, key string) (int, string) {
		req, err := http.NewRequest(method, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if status, got := do("GET", "/v1/responses/"+id, testKey); status != 200 || got != raw {
		t.Errorf("%d %s", status, got)
	}
	if status, _ := do("GET", "/v1/responses/"+id, "sk-test-0002"); status != 404 {
		t.Errorf("another key reads it: %d", status)
	}
	post(t, addr, "/v1/responses", fmt.Sprintf(`{"model":"gpt-4o","input":"more","previous_response_id":%q}`, id), "x-client-request-id", "second")
	post(t, addr, "/v1/responses", `{"model":"gpt-4o","input":"more"}`, "x-client-request-id", "alone")
	if with, without, first := rowOf(t, p, "second").Usage, rowOf(t, p, "alone").Usage, rowOf(t, p, "first").Usage; with.TotalInput() <= without.TotalInput()+first.TotalInput()-8 {
		t.Errorf("what came before is not billed: %v, alone %v", with, without)
	}
	if resp, got := post(t, addr, "/v1/responses", fmt.Sprintf(`{"model":"gpt-4o","input":[{"type":"item_reference","id":%q},{"role":"user","content":"more"}]}`, item)); resp.StatusCode != 200 {
		t.Errorf("an item: %d %s", resp.StatusCode, got)
	}
	rows := p.Bill().Totals().Rows
	if status, _ := do("POST", "/v1/responses/"+id+"/cancel", testKey); status != 400 {
		t.Errorf("cancel: %d", status)
	}
	if status, _ := do("DELETE", "/v1/responses/"+id, testKey); status != 200 {
		t.Errorf("delete: %d", status)
	}
	if status, _ := do("GET", "/v1/responses/"+id, testKey); status != 404 {
		t.Errorf("a deleted response: %d", status)
	}
	if resp, _ := post(t, addr, "/v1/responses", `{"model":"gpt-4o","input":"x","previous_response_id":"resp_none"}`); resp.StatusCode != 400 {
		t.Errorf("an unknown one: %d", resp.StatusCode)
	}
	if _, raw := post(t, addr, "/v1/responses/input_tokens", `{"model":"gpt-4o","input":"hello"}`); gjson.Get(raw, "input_tokens").Int() == 0 {
		t.Error(raw)
	}
	if _, raw := post(t, addr, "/v1/moderations", `{"input":"hello"}`); !gjson.Get(raw, "results.0.flagged").Exists() {
		t.Error(raw)
	}
	if n := p.Bill().Totals().Rows; n != rows {
		t.Errorf("%d calls that cost nothing were billed", n-rows)
	}
	_, raw = post(t, addr, "/v1/responses/compact", `{"model":"gpt-4o","input":"hello"}`, "x-client-request-id", "compact")
	if row := rowOf(t, p, "compact"); row.Endpoint != "responses.compact" || row.Usage != responseUsageOf(gjson.Parse(raw)) || gjson.Get(raw, "object").Str != "response.compaction" {
		t.Errorf("%+v for %s", row, raw)
	}
}

func TestLegacyCompletions(t *testing.T) {
	p, addr := start(t, quick())
	const body = `{"model":"gpt-3.5-turbo-instruct","prompt":["one","two"],"n":2,"echo":true%s}`
	_, raw := post(t, addr, "/v1/completions", fmt.Sprintf(body, ""), "x-client-request-id", "whole")
	whole := decode[struct {
		Choices []struct {
			Text   string
			Index  int
			Finish string `json:"finish_reason"`
		}
		Usage usageJSON
	}](t, raw)
	row := rowOf(t, p, "whole")
	if len(whole.Choices) != 4 || whole.Usage.bucketed() != row.Usage || row.Usage[price.OutputText] != 64 || row.Cap != 64 || !strings.HasPrefix(whole.Choices[2].Text, "two") || whole.Choices[0].Finish != "length" {
		t.Errorf("%+v for %s", row, raw)
	}
	_, raw = post(t, addr, "/v1/completions", fmt.Sprintf(body, `,"stream":true,"stream_options":{"include_usage":true}`), "x-client-request-id", "stream")
	said := map[int64]string{}
	var usage gjson.Result
	for line := range bytes.Lines([]byte(raw)) {
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		if !ok || string(data) == "[DONE]" {
			continue
		}
		for _, c := range gjson.GetBytes(data, "choices").Array() {
			said[c.Get("index").Int()] += c.Get("text").Str
		}
		if u := gjson.GetBytes(data, "usage"); u.IsObject() {
			usage = u
		}
	}
	for _, c := range whole.Choices {
		if said[int64(c.Index)] != c.Text {
			t.Errorf("choice %d streamed as %q, whole %q", c.Index, said[int64(c.Index)], c.Text)
		}
	}
	if usage.Get("completion_tokens").Int() != 64 || rowOf(t, p, "stream").Usage != row.Usage {
		t.Errorf("usage %s", usage)
	}
}
