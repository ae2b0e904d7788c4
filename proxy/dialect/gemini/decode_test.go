package gemini

import (
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

func target(operation string) dialect.Target {
	t := dialect.Target{Endpoint: dialect.Chat, Operation: operation, Model: "gemini-2.5-flash"}
	switch operation {
	case Stream:
		t.Stream, t.Query = true, "alt=sse"
	case Count:
		t.Endpoint = dialect.CountTokens
	case Embed, EmbedBatch:
		t.Endpoint = dialect.Embeddings
	}
	return t
}

func mustDecode(t testing.TB, operation, body string) *dialect.Call {
	t.Helper()
	c := new(dialect.Call)
	if e := Decode(c, target(operation), []byte(body)); e != nil {
		t.Fatalf("%v (%s) in %s", e, e.Param, body)
	}
	return c
}

// texts are what is counted into the prompt.
func texts(c *dialect.Call) string {
	var all []string
	for _, x := range c.Texts {
		all = append(all, string(c.Raw[x.Start:x.End]))
	}
	return strings.Join(all, "|")
}

const hello = `"contents":[{"parts":[{"text":"hello"}],"role":"user"}]`

func with(members string) string { return `{` + hello + `,` + members + `}` }

func parts(list string) string { return `{"contents":[{"parts":[` + list + `]}]}` }

func TestDecode(t *testing.T) {
	for name, x := range map[string]struct {
		body  string
		check func(c *dialect.Call) bool
	}{
		"plain": {`{` + hello + `}`, func(c *dialect.Call) bool {
			return c.Messages == 1 && c.N == 1 && c.MaxOutput == 0 && texts(c) == "hello|user" && c.TextBytes == 9 && c.Thinks && c.ServiceTier == "standard"
		}},
		"caps": {with(`"generationConfig":{"maxOutputTokens":100,"candidateCount":3}`), func(c *dialect.Call) bool {
			return c.MaxOutput == 100 && c.N == 3 && texts(c) == "hello|user"
		}},
		"caps in the other spelling": {with(`"generation_config":{"max_output_tokens":100,"candidate_count":3,"top_p":0.5}`), func(c *dialect.Call) bool {
			return c.MaxOutput == 100 && c.N == 3 && texts(c) == "hello|user"
		}},
		"nulls": {with(`"generationConfig":{"maxOutputTokens":null,"candidateCount":null,"thinkingConfig":null},"tools":null,"cachedContent":null,"serviceTier":null,"store":null,"labels":null,"systemInstruction":null`), func(c *dialect.Call) bool {
			return c.MaxOutput == 0 && c.N == 1 && c.HiddenContext == "" && !c.NoThinking && texts(c) == "hello|user"
		}},
		"no thinking":   {with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}`), func(c *dialect.Call) bool { return c.NoThinking }},
		"some thinking": {with(`"generationConfig":{"thinkingConfig":{"thinking_budget":512,"includeThoughts":true}}`), func(c *dialect.Call) bool { return !c.NoThinking }},
		"any thinking":  {with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":-1,"thinkingLevel":"HIGH"}}`), func(c *dialect.Call) bool { return !c.NoThinking }},
		"one object for a list": {`{"contents":{"parts":{"text":"hello"}},"system_instruction":{"parts":{"text":"be brief"}},"tools":{"function_declarations":{"name":"f"}}}`, func(c *dialect.Call) bool {
			return c.Messages == 2 && c.Tools == 1 && texts(c) == `hello|be brief|{"name":"f"}`
		}},
		"functions": {with(`"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g","parameters":{"type":"OBJECT"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`), func(c *dialect.Call) bool {
			return c.Tools == 2 && c.RawMembers == 6 && strings.Contains(texts(c), `"mode":"ANY"`)
		}},
		"schema and unknown fields": {with(`"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"STRING"},"novel":"x"},"newer":["y"]`), func(c *dialect.Call) bool {
			return texts(c) == `hello|user|{"type":"STRING"}|"x"|["y"]`
		}},
		"calls and results": {parts(`{"functionCall":{"name":"f","args":{"a":1.5}},"thoughtSignature":"c2ln"},{"functionResponse":{"name":"f","response":{"b":[true,"x"]}}},{"executableCode":{"code":"1+1"}}`), func(c *dialect.Call) bool {
			return c.ToolCalls == 2 && texts(c) == "name|f|args|a|1.5|c2ln|f|b|x|code|1+1"
		}},
		"tier":                {with(`"serviceTier":"flex"`), func(c *dialect.Call) bool { return c.ServiceTier == "flex" }},
		"tier, its long name": {with(`"service_tier":"SERVICE_TIER_PRIORITY"`), func(c *dialect.Call) bool { return c.ServiceTier == "priority" }},
		"tier unsaid":         {with(`"serviceTier":"SERVICE_TIER_UNSPECIFIED"`), func(c *dialect.Call) bool { return c.ServiceTier == "standard" }},
		"store, label":        {with(`"store":true,"labels":{"team":"search"}`), func(c *dialect.Call) bool { return c.Store && len(c.Metadata) == 1 && c.Metadata[0].Value == "search" }},
		"same model":          {with(`"model":"models/gemini-2.5-flash"`), func(c *dialect.Call) bool { return len(c.ModelSites) == 1 }},
		"cached":              {with(`"cachedContent":"cachedContents/x"`), func(c *dialect.Call) bool { return c.HiddenContext == "cachedContent" && c.Meters == 0 }},
		"continuation":        {with(`"continuationToken":"abc"`), func(c *dialect.Call) bool { return c.HiddenContext == "continuationToken" }},
		"file": {parts(`{"text":"x"},{"file_data":{"file_uri":"https://youtu.be/x","mime_type":"video/mp4"}}`), func(c *dialect.Call) bool {
			return c.HiddenContext == "contents[0].parts[1].fileData" && c.Files == 1 && c.Meters == 0
		}},
		"picture": {parts(`{"inlineData":{"mimeType":"image/png","data":"` + pngBase64 + `"}}`), func(c *dialect.Call) bool {
			return len(c.Images) == 1 && c.Images[0].Width == 3 && c.Images[0].Height == 2 && texts(c) == "" && c.Meters == 0
		}},
		"picture in a result": {parts(`{"functionResponse":{"name":"f","parts":[{"inline_data":{"data":"` + pngBase64 + `","mime_type":"image/png"}}]}}`), func(c *dialect.Call) bool {
			return len(c.Images) == 1
		}},
		"a field of a result that is called so": {parts(`{"functionResponse":{"response":{"inlineData":{"data":"x"}}}}`), func(c *dialect.Call) bool {
			return len(c.Images) == 0 && c.Files == 0 && strings.HasSuffix(texts(c), "inlineData|data|x")
		}},
		"sound":        {parts(`{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}`), func(c *dialect.Call) bool { return c.Files == 1 && c.Meters == 0 }},
		"document":     {parts(`{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}`), func(c *dialect.Call) bool { return c.Files == 1 }},
		"no type":      {parts(`{"inlineData":{"data":"AAAA"}}`), func(c *dialect.Call) bool { return c.Files == 1 }},
		"resolution":   {parts(`{"text":"x","mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}`), func(c *dialect.Call) bool { return c.HiddenContext == "" }},
		"any fineness": {parts(`{"text":"x","mediaResolution":{"numTokens":9000}}`), func(c *dialect.Call) bool { return c.HiddenContext != "" }},
		"modalities unsaid": {`{` + hello + `}`, func(c *dialect.Call) bool {
			return c.Meters == price.Text|price.Output
		}},
		"text alone":   {with(`"generationConfig":{"responseModalities":["TEXT"]}`), func(c *dialect.Call) bool { return c.Meters == price.Text }},
		"a picture":    {with(`"generationConfig":{"responseModalities":["TEXT","IMAGE"]}`), func(c *dialect.Call) bool { return c.Meters == price.Text|price.Output }},
		"escaped keys": {with(`"generation\u0043onfig":{"max\u004futputTokens":7}`), func(c *dialect.Call) bool { return c.MaxOutput == 7 }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, operation := range []string{Generate, Stream} {
				if c := mustDecode(t, operation, x.body); !x.check(c) {
					t.Errorf("%s: %+v, texts %q", operation, c, texts(c))
				}
			}
		})
	}
}

// pngBase64 is the beginning of a picture of 3 by 2 pixels.
const pngBase64 = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAC0lEQVR4nGNgQAcAABIAAT+Hs8EAAAAASUVORK5CYII="

func TestRefusedRequests(t *testing.T) {
	for name, x := range map[string]struct {
		body, param string
		code        dialect.Code
	}{
		"not JSON":            {`{"contents":`, "", dialect.CodeInvalidJSON},
		"text behind":         {`{` + hello + `} x`, "", dialect.CodeInvalidJSON},
		"a list":              {`[]`, "body", dialect.CodeInvalidType},
		"no contents":         {`{}`, "contents", dialect.CodeMissingField},
		"empty contents":      {`{"contents":[]}`, "contents", dialect.CodeMissingField},
		"both spellings":      {with(`"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}`), "generationConfig.maxOutputTokens", dialect.CodeAmbiguous},
		"both configs":        {with(`"generationConfig":{},"generation_config":{"max_output_tokens":9}`), "generationConfig", dialect.CodeAmbiguous},
		"null and a config":   {with(`"generationConfig":null,"generation_config":{}`), "generationConfig", dialect.CodeAmbiguous},
		"twice":               {with(`"contents":[]`), "contents", dialect.CodeAmbiguous},
		"another case":        {with(`"generationConfig":{"MaxOutputTokens":1}`), "generationConfig.maxOutputTokens", dialect.CodeAmbiguous},
		"half a spelling":     {with(`"generationConfig":{"max_OutputTokens":1}`), "generationConfig.maxOutputTokens", dialect.CodeAmbiguous},
		"other underscores":   {with(`"_generationConfig":{}`), "generationConfig", dialect.CodeAmbiguous},
		"a letter like a K":   {with(`"generationConfig":{"maxOutputTo\u212aens":1}`), "generationConfig.maxOutputTokens", dialect.CodeAmbiguous},
		"text twice":          {parts(`{"text":"a","Text":"b"}`), "contents[0].parts[0].text", dialect.CodeAmbiguous},
		"cap of nothing":      {with(`"generationConfig":{"maxOutputTokens":0}`), "generationConfig.maxOutputTokens", dialect.CodeInvalidValue},
		"cap with a fraction": {with(`"generationConfig":{"maxOutputTokens":1.0}`), "generationConfig.maxOutputTokens", dialect.CodeInvalidType},
		"cap in quotes":       {with(`"generationConfig":{"maxOutputTokens":"10"}`), "generationConfig.maxOutputTokens", dialect.CodeInvalidType},
		"too many candidates": {with(`"generationConfig":{"candidateCount":9}`), "generationConfig.candidateCount", dialect.CodeInvalidValue},
		"search":              {with(`"tools":[{"functionDeclarations":[]},{"googleSearch":{}}]`), "tools[1].googleSearch", dialect.CodeUnsupported},
		"code":                {with(`"tools":[{"code_execution":{}}]`), "tools[0].code_execution", dialect.CodeUnsupported},
		"pages":               {with(`"tools":{"urlContext":{}}`), "tools[0].urlContext", dialect.CodeUnsupported},
		"a tool of tomorrow":  {with(`"tools":[{"mindReading":{}}]`), "tools[0].mindReading", dialect.CodeUnsupported},
		"another model":       {with(`"model":"models/gemini-2.5-pro"`), "model", dialect.CodeInvalidValue},
		"model router":        {with(`"generationConfig":{"routingConfig":{}}`), "generationConfig.routingConfig", dialect.CodeUnsupported},
		"model selection":     {with(`"modelSelectionConfig":{}`), "modelSelectionConfig", dialect.CodeUnsupported},
		"armour":              {with(`"model_armor_config":{}`), "modelArmorConfig", dialect.CodeUnsupported},
		"video out":           {with(`"generationConfig":{"responseModalities":["TEXT","VIDEO"]}`), "generationConfig.responseModalities[1]", dialect.CodeUnsupported},
		"blob without data":   {parts(`{"inlineData":{"mimeType":"image/png"}}`), "contents[0].parts[0].inlineData.data", dialect.CodeMissingField},
		"blob twice":          {parts(`{"text":"a"},{"inline_data":{"data":"A","Data":"B"}}`), "contents[0].parts[1].inlineData.data", dialect.CodeAmbiguous},
		"parts twice":         {`{"contents":[{"parts":[]},{"parts":[],"Parts":[]}]}`, "contents[1].parts", dialect.CodeAmbiguous},
		"a number for system": {with(`"systemInstruction":{"parts":{"text":1}}`), "systemInstruction.parts[0].text", dialect.CodeInvalidType},
		"a part of text":      {parts(`"x"`), "contents[0].parts[0]", dialect.CodeInvalidType},
		"a number for text":   {parts(`{"text":5}`), "contents[0].parts[0].text", dialect.CodeInvalidType},
		"broken UTF-8":        {parts("{\"text\":\"\xff\"}"), "", dialect.CodeInvalidJSON},
		"half a surrogate":    {parts(`{"text":"\ud800"}`), "", dialect.CodeInvalidJSON},
		"nested too deep":     {parts(strings.Repeat(`{"functionResponse":{"parts":[`, 60)), "", dialect.CodeInvalidJSON},
	} {
		t.Run(name, func(t *testing.T) {
			var c dialect.Call
			e := Decode(&c, target(Generate), []byte(x.body))
			if e == nil || e.Code != x.code || e.Param != x.param {
				t.Errorf("%v, param %q", e, func() string {
					if e == nil {
						return ""
					}
					return e.Param
				}())
			}
		})
	}
}

func TestQuery(t *testing.T) {
	for _, x := range []struct {
		operation, query string
		code             dialect.Code
		streamType       string
	}{
		{Generate, "", "", ""},
		{Generate, "key=k&alt=json&prettyPrint=false", "", ""},
		{Generate, "alt=sse", dialect.CodeInvalidValue, ""},
		{Stream, "alt=sse&key=k", "", ""},
		{Stream, "%24alt=sse", "", ""},
		{Stream, "", "", "application/json; charset=UTF-8"},
		{Stream, "alt=json", "", "application/json; charset=UTF-8"},
		{Stream, "alt=proto", dialect.CodeInvalidValue, ""},
		{Stream, "alt=sse&alt=json", dialect.CodeAmbiguous, ""},
		{Stream, "alt=sse&$alt=json", dialect.CodeAmbiguous, ""},
		{Generate, "fields=candidates", dialect.CodeUnsupported, ""},
		{Generate, "callback=f", dialect.CodeUnsupported, ""},
		{Generate, "a=%zz", dialect.CodeInvalidValue, ""},
	} {
		var c dialect.Call
		to := target(x.operation)
		to.Query = x.query
		e := Decode(&c, to, []byte(`{`+hello+`}`))
		if x.code == "" && e != nil || x.code != "" && (e == nil || e.Code != x.code) || c.StreamType != x.streamType && e == nil {
			t.Errorf("%s?%s: %v, %q", x.operation, x.query, e, c.StreamType)
		}
	}
	var c dialect.Call
	if e := Decode(&c, dialect.Target{Endpoint: dialect.Chat, Operation: Generate, Model: strings.Repeat("m", MaxModel+1)}, []byte(`{`+hello+`}`)); e == nil {
		t.Error("a model's name without end is taken")
	}
}

func TestOtherOperations(t *testing.T) {
	c := mustDecode(t, Embed, `{"content":{"parts":[{"text":"one"},{"text":"two"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64,"title":"t"}`)
	if c.Messages != 1 || texts(c) != `one|two|"t"` {
		t.Errorf("%+v %q", c, texts(c))
	}
	c = mustDecode(t, EmbedBatch, `{"requests":[{"model":"models/gemini-2.5-flash","content":{"parts":[{"text":"one"}]}},{"model":"models/gemini-2.5-flash","content":{"parts":{"text":"two"}}}]}`)
	if c.Messages != 2 || texts(c) != "one|two" || len(c.ModelSites) != 2 {
		t.Errorf("%+v %q", c, texts(c))
	}
	c = mustDecode(t, Count, `{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[],"tools":[{"googleSearch":{}}]}}`)
	if len(c.ModelSites) != 1 || texts(c) != "" {
		t.Errorf("%+v", c)
	}
	for operation, bodies := range map[string][]string{
		Embed:      {`{}`, `{"content":{"parts":[{"text":"x"}]},"model":"other"}`, `{"content":1}`},
		EmbedBatch: {`{}`, `{"requests":[]}`, `{"requests":[{}]}`, `{"requests":[{"model":"models/x","content":{}}]}`},
		Count:      {`[]`, `{"generateContentRequest":{"model":"models/x"}}`, `{"generateContentRequest":{},"generate_content_request":{}}`},
	} {
		for _, body := range bodies {
			var c dialect.Call
			if e := Decode(&c, target(operation), []byte(body)); e == nil {
				t.Errorf("%s takes %s", operation, body)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{` + hello + `}`, with(`"generationConfig":{"maxOutputTokens":5,"candidateCount":2,"thinkingConfig":{"thinkingBudget":0}}`),
		parts(`{"inlineData":{"mimeType":"image/png","data":"` + pngBase64 + `"}}`), `{"requests":[{"content":{"parts":{"text":"x"}}}]}`,
		`{"content":{"parts":[]}}`, `{"generate_content_request":{"model":"m"}}`, with(`"tools":[{"function_declarations":[{}]}]`),
	} {
		for i := range uint8(5) {
			f.Add(i, body)
		}
	}
	operations := []string{Generate, Stream, Count, Embed, EmbedBatch}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		c := new(dialect.Call)
		operation := operations[int(which)%len(operations)]
		if e := Decode(c, target(operation), []byte(body)); e != nil {
			if e.Message == "" || len(e.Message) > 1<<10 {
				t.Fatalf("message of %d bytes", len(e.Message))
			}
			return
		}
		for _, x := range c.Texts {
			if x.Start < 0 || x.End > len(body) || x.Start >= x.End {
				t.Fatalf("span %+v of %d bytes", x, len(body))
			}
		}
		out := AppendUpstream(nil, c, dialect.Change{Model: "other", MaxOutput: 77})
		again := new(dialect.Call)
		to := target(operation)
		to.Model = "other"
		if e := Decode(again, to, out); e != nil {
			t.Fatalf("%v: rewritten %s", e, out)
		}
		if again.Endpoint == dialect.Chat && again.MaxOutput != 77 {
			t.Fatalf("cap %d in %s", again.MaxOutput, out)
		}
		if again.TextBytes != c.TextBytes || again.Messages != c.Messages {
			t.Fatalf("another prompt: %s", out)
		}
	})
}
