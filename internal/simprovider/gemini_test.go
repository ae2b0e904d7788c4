package simprovider

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

const geminiTestModel = "gemini-2.5-flash"

func geminiAsk(text string, more ...string) string {
	return `{"contents":[{"role":"user","parts":[{"text":"` + text + `"}]}]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

// geminiPost asks the model; the key is where Google's clients have it.
func geminiPost(t testing.TB, addr, operation, body string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	return try(addr, geminiPrefix+operation, body, append([]string{"X-Goog-Api-Key", testKey}, headers...)...)
}

// lastRow is the newest row of the bill, which has n.
func lastRow(t testing.TB, p *Provider, n int) Row {
	t.Helper()
	rows := p.Bill().Rows()
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
	return rows[n-1]
}

// TestGeminiUsageIsTheBills: thoughts come beside the candidates, cached tokens
// are within the prompt, and a stream says at its end what a whole answer says.
func TestGeminiUsageIsTheBills(t *testing.T) {
	p, addr := start(t, quick())
	long := strings.Repeat("many words to remember ", 400)
	for i, operation := range []string{":generateContent", ":streamGenerateContent?alt=sse", ":generateContent"} {
		resp, raw, err := geminiPost(t, addr, geminiTestModel+operation, geminiAsk(long, `"generation_config":{"max_output_tokens":400,"candidateCount":2}`))
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %s", err, raw)
		}
		if strings.HasPrefix(raw, "data: ") {
			events := strings.Split(strings.TrimSpace(raw), "\n\n")
			raw = strings.TrimPrefix(events[len(events)-1], "data: ")
		}
		u, row := gjson.Get(raw, "usageMetadata"), lastRow(t, p, i+1)
		prompt, cached := u.Get("promptTokenCount").Int(), u.Get("cachedContentTokenCount").Int()
		shown, thoughts := u.Get("candidatesTokenCount").Int(), u.Get("thoughtsTokenCount").Int()
		if row.Usage[price.InputText] != prompt-cached || row.Usage[price.CacheRead] != cached || row.Usage[price.OutputText] != shown || row.Usage[price.OutputReasoning] != thoughts {
			t.Errorf("%s says %s, billed %v", operation, u, row.Usage)
		}
		if thoughts == 0 || shown == 0 || u.Get("totalTokenCount").Int() != prompt+shown+thoughts || shown+thoughts > 800 || (cached > 0) != (i > 0) {
			t.Errorf("%s says %s", operation, u)
		}
		if n := len(gjson.Get(raw, "candidates").Array()); n != 2 || gjson.Get(raw, "responseId").Str != row.Call {
			t.Errorf("%d candidates, call %s: %s", n, row.Call, raw)
		}
		if row.Cap != 800 || row.Tier != "standard" {
			t.Errorf("%+v", row)
		}
	}
}

func TestGeminiStreamIsTheAnswer(t *testing.T) {
	_, addr := start(t, quick())
	for _, body := range []string{
		geminiAsk("hi"), geminiAsk("hi", `"generationConfig":{"maxOutputTokens":300,"candidateCount":3}`),
		geminiAsk("use a tool", `"tools":[{"functionDeclarations":[{"name":"look_up","parameters":{"type":"object"}}]}]`),
	} {
		texts := func(raw string) (all [3]string) {
			for _, line := range strings.Split(raw, "\n\n") {
				for i, c := range gjson.Get(strings.TrimPrefix(line, "data: "), "candidates").Array() {
					if x := c.Get("index"); x.Exists() {
						i = int(x.Int())
					}
					all[i] += c.Get("content.parts.#.text").Raw + c.Get("content.parts.#.functionCall").Raw
				}
			}
			for i := range all {
				all[i] = strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(all[i])
			}
			return all
		}
		_, whole, err := geminiPost(t, addr, geminiTestModel+":generateContent", body)
		if err != nil {
			t.Fatal(err)
		}
		_, stream, err := geminiPost(t, addr, geminiTestModel+":streamGenerateContent?alt=sse", body)
		if err != nil {
			t.Fatal(err)
		}
		if texts(strings.ReplaceAll(whole, "\n", "")) != texts(stream) || texts(stream)[0] == "" {
			t.Errorf("whole\n%s\nstream\n%s", whole, stream)
		}
	}
}

func TestGeminiOtherOperations(t *testing.T) {
	p, addr := start(t, quick())
	_, raw, err := geminiPost(t, addr, geminiTestModel+":countTokens", geminiAsk("how many"))
	if err != nil || gjson.Get(raw, "totalTokens").Int() == 0 || len(p.Bill().Rows()) != 0 {
		t.Errorf("%v %s, %d rows", err, raw, len(p.Bill().Rows()))
	}
	_, raw, err = geminiPost(t, addr, "gemini-embedding-001:batchEmbedContents", `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]},"outputDimensionality":4},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"two words"}]},"outputDimensionality":4}]}`)
	if err != nil || len(gjson.Get(raw, "embeddings.1.values").Array()) != 4 || gjson.Get(raw, "usageMetadata.promptTokenCount").Int() != lastRow(t, p, 1).Usage[price.InputText] {
		t.Errorf("%v %s", err, raw)
	}
	_, raw, err = geminiPost(t, addr, "gemini-embedding-001:embedContent?key="+testKey, `{"content":{"parts":[{"text":"one"}]}}`, "X-Goog-Api-Key", "")
	if err != nil || len(gjson.Get(raw, "embedding.values").Array()) != 3072 {
		t.Errorf("%v %.200s", err, raw)
	}
}

func TestGeminiRefusals(t *testing.T) {
	p, addr := start(t, quick())
	for name, x := range map[string]struct {
		operation, body string
		headers         []string
		status          int
		says            string
	}{
		"no key":        {geminiTestModel + ":generateContent", geminiAsk("x"), []string{"X-Goog-Api-Key", "other"}, 400, "INVALID_ARGUMENT"},
		"no model":      {"none:generateContent", geminiAsk("x"), nil, 404, "NOT_FOUND"},
		"no operation":  {geminiTestModel + ":predict", geminiAsk("x"), nil, 404, "NOT_FOUND"},
		"no contents":   {geminiTestModel + ":generateContent", `{}`, nil, 400, "contents is not specified"},
		"above the cap": {geminiTestModel + ":generateContent", geminiAsk("x", `"generationConfig":{"maxOutputTokens":65537}`), nil, 400, "maxOutputTokens"},
		"an array":      {geminiTestModel + ":streamGenerateContent", geminiAsk("x"), nil, 400, "alt=sse"},
		"rate":          {geminiTestModel + ":generateContent", geminiAsk("x"), []string{modeHeader, "429=2s"}, 429, `"retryDelay":"2s"`},
		"quota":         {geminiTestModel + ":generateContent", geminiAsk("x"), []string{modeHeader, "quota"}, 429, "PerDay"},
		"busy":          {geminiTestModel + ":generateContent", geminiAsk("x"), []string{modeHeader, "503"}, 503, "UNAVAILABLE"},
	} {
		resp, raw, err := geminiPost(t, addr, x.operation, x.body, x.headers...)
		if err != nil || resp.StatusCode != x.status || !strings.Contains(raw, x.says) || gjson.Get(raw, "error.code").Int() != int64(x.status) {
			t.Errorf("%s: %v %d %s", name, err, resp.StatusCode, raw)
		}
	}
	if n := len(p.Bill().Rows()); n != 0 {
		t.Errorf("%d refusals are billed", n)
	}
}

// TestGeminiMisbehaves: what each mode of a stream does to it.
func TestGeminiMisbehaves(t *testing.T) {
	p, addr := start(t, quick())
	for mode, x := range map[string]struct{ usages, ends int }{
		"ok": {1, 1}, "no-usage": {0, 1}, "null-usage": {0, 1}, "dup-usage": {2, 2}, "no-done": {0, 0}, "error-event=1": {0, 0}, "over-cap=3": {1, 1},
	} {
		rows := len(p.Bill().Rows())
		_, raw, err := geminiPost(t, addr, geminiTestModel+":streamGenerateContent?alt=sse", geminiAsk("x", `"generationConfig":{"maxOutputTokens":30,"thinkingConfig":{"thinkingBudget":0}}`), modeHeader, mode)
		if err != nil {
			t.Fatal(err)
		}
		usages, ends := 0, 0
		for _, line := range strings.Split(raw, "\n\n") {
			data := strings.TrimPrefix(line, "data: ")
			if gjson.Get(data, "candidates.0.finishReason").Exists() {
				ends++
				if gjson.Get(data, "usageMetadata.candidatesTokenCount").Int() > 0 {
					usages++
				}
			}
		}
		if usages != x.usages || ends != x.ends {
			t.Errorf("%s: %d usages and %d ends in %s", mode, usages, ends, raw)
		}
		row := lastRow(t, p, rows+1)
		if over := row.Usage[price.OutputText] > 30; over != (mode == "over-cap=3") || row.Usage[price.OutputReasoning] != 0 {
			t.Errorf("%s: billed %v", mode, row.Usage)
		}
	}
}

// FuzzGeminiRequests: whatever the body, there is one well-formed answer, and a
// bill row if and only if it succeeded and was no count, with no bucket below zero.
func FuzzGeminiRequests(f *testing.F) {
	for _, body := range []string{
		geminiAsk("hi"), geminiAsk("use a tool", `"tools":{"function_declarations":{"name":"f","parameters":{"$ref":"#"}}}`),
		geminiAsk("x", `"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"array","minItems":99,"items":{"$ref":"#"}}}`),
		`{"contents":{"parts":{"inlineData":{"mimeType":"image/gif","data":"R0lGODlhAQABAIAAAAAAAP"}}}}`,
		`{"content":{"parts":[{"text":"x"}]},"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"x"}]}}]}`, `[`,
	} {
		for i := range uint8(5) {
			f.Add(body, i)
		}
	}
	p, err := New(quick(func(c *Config) { c.RequestModes, c.KeepRows = false, 1 }))
	if err != nil {
		f.Fatal(err)
	}
	operations := []string{geminiTestModel + ":generateContent", geminiTestModel + ":streamGenerateContent?alt=sse", geminiTestModel + ":countTokens", "gemini-embedding-001:embedContent", "gemini-embedding-001:batchEmbedContents"}
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		operation := operations[int(which)%len(operations)]
		out := &sink{}
		c := &conn{p: p, nc: out, br: bufio.NewReader(out)}
		c.req.SetRequestURI(geminiPrefix + operation)
		c.req.Header.SetMethod("POST")
		c.req.Header.Set("X-Goog-Api-Key", testKey)
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
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && !gjson.ValidBytes(raw) {
			t.Errorf("%d %q", resp.StatusCode, raw)
		}
		billed := p.Bill().Totals().Rows - before
		if wanted := resp.StatusCode == 200 && !strings.HasSuffix(operation, "countTokens"); (billed == 1) != wanted || billed > 1 {
			t.Errorf("status %d, %d rows", resp.StatusCode, billed)
		}
		if billed == 1 {
			for m, n := range p.Bill().Rows()[0].Usage {
				if n < 0 {
					t.Errorf("%s of %d", meterNames[m], n)
				}
			}
		}
	})
}

// TestGeminiFollowsSchemas in Google's words and in those of JSON Schema, for
// answers and for what it calls functions with.
func TestGeminiFollowsSchemas(t *testing.T) {
	const google = `{"type":"OBJECT","properties":{"word":{"type":"STRING"},"grams":{"type":"INTEGER"}}}`
	const json = `{"type":"object","properties":{"word":{"type":"string"},"grams":{"type":"integer"}}}`
	_, addr := start(t, quick())
	for name, body := range map[string]string{
		"answer":             geminiAsk("x", `"generationConfig":{"responseMimeType":"application/json","responseSchema":`+google+`}`),
		"answer, JSON":       geminiAsk("x", `"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":`+json+`}`),
		"answer, snake case": geminiAsk("x", `"generation_config":{"response_mime_type":"application/json","response_json_schema":`+json+`}`),
		"function":           geminiAsk("look_up", `"tools":[{"functionDeclarations":[{"name":"look_up","parameters":`+google+`}]}]`),
		"function, JSON":     geminiAsk("look_up", `"tools":[{"functionDeclarations":[{"name":"look_up","parametersJsonSchema":`+json+`}]}]`),
	} {
		resp, raw, err := geminiPost(t, addr, geminiTestModel+":generateContent", body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v %s", name, err, raw)
		}
		part := gjson.Get(raw, "candidates.0.content.parts.0")
		made := part.Get("functionCall.args")
		if !strings.HasPrefix(name, "function") {
			made = gjson.Parse(part.Get("text").Str)
		}
		if made.Get("word").Type != gjson.String || made.Get("grams").Type != gjson.Number {
			t.Errorf("%s: %s", name, part)
		}
	}
}
