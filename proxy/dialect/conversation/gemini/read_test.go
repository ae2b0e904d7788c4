package gemini

import (
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/gemini"
)

const hello = `"contents":[{"parts":[{"text":"hello"}],"role":"user"}]`

func with(members string) string { return `{` + hello + `,` + members + `}` }

func config(members string) string { return with(`"generationConfig":{` + members + `}`) }

func userParts(list string) string { return `{"contents":[{"role":"user","parts":[` + list + `]}]}` }

// read reads a body that the decoder of the dialect has taken, as the gateway does.
func read(t testing.TB, body string) (*conversation.Request, *dialect.Error) {
	t.Helper()
	var c dialect.Call
	if e := wire.Decode(&c, target(false), []byte(body)); e != nil {
		t.Fatalf("not decoded: %v in %s", e, body)
	}
	return Dialect{}.ReadRequest([]byte(body), target(false))
}

func mustRead(t testing.TB, body string) *conversation.Request {
	t.Helper()
	q, e := read(t, body)
	if e != nil {
		t.Fatalf("%v in %s", e, body)
	}
	return q
}

type request = conversation.Request

func TestReadRequest(t *testing.T) {
	on := func(at string) conversation.Switch { return conversation.Switch{Set: true, On: true, At: at} }
	const cfg = "generationConfig"
	for name, x := range map[string]struct {
		body string
		want func(q *request)
	}{
		"plain":             {`{` + hello + `}`, func(q *request) {}},
		"one object a list": {`{"contents":{"parts":{"text":"hello"}}}`, func(q *request) { q.Turns[0].At, q.Turns[0].Parts[0].At = "contents", "contents.parts" }},
		"without a role":    {`{"contents":[{"parts":[{"text":"hello"}]}]}`, func(q *request) {}},
		"instructions": {with(`"systemInstruction":{"role":"system","parts":[{"text":"be brief"}]}`), func(q *request) {
			q.System = []conversation.Part{{Kind: conversation.Text, Text: "be brief", At: "systemInstruction.parts[0]"}}
		}},
		"the other spelling": {with(`"system_instruction":{"parts":{"text":"be brief"}}`), func(q *request) {
			q.System = []conversation.Part{{Kind: conversation.Text, Text: "be brief", At: "system_instruction.parts"}}
		}},
		"cap": {config(`"maxOutputTokens":7`), func(q *request) { q.MaxOutput = conversation.Number{Digits: "7", At: cfg + ".maxOutputTokens"} }},
		"cap, other spelling": {with(`"generation_config":{"max_output_tokens":7}`), func(q *request) {
			q.MaxOutput = conversation.Number{Digits: "7", At: "generation_config.max_output_tokens"}
		}},
		"sampling": {config(`"temperature":0.50,"topP":1,"topK":3.0,"seed":-4,"presencePenalty":1,"frequencyPenalty":-1`), func(q *request) {
			q.Temperature, q.TopP = conversation.Number{Digits: "0.50", At: cfg + ".temperature"}, conversation.Number{Digits: "1", At: cfg + ".topP"}
			q.TopK, q.Seed = conversation.Number{Digits: "3.0", At: cfg + ".topK"}, conversation.Number{Digits: "-4", At: cfg + ".seed"}
			q.PresencePenalty = conversation.Number{Digits: "1", At: cfg + ".presencePenalty"}
			q.FrequencyPenalty = conversation.Number{Digits: "-1", At: cfg + ".frequencyPenalty"}
		}},
		"stop sequences":  {config(`"stopSequences":["a","b"]`), func(q *request) { q.Stop, q.StopAt = []string{"a", "b"}, cfg+".stopSequences" }},
		"what is default": {config(`"candidateCount":1,"responseModalities":["TEXT"],"responseLogprobs":false,"responseMimeType":"text/plain","thinkingConfig":null`), func(q *request) {}},
		"JSON": {config(`"responseMimeType":"application/json"`), func(q *request) {
			q.Format = conversation.Format{Kind: conversation.JSONObject, At: cfg + ".responseMimeType"}
		}},
		"JSON Schema": {config(`"responseMimeType":"application/json","responseJsonSchema":{"type":["string","null"]}`), func(q *request) {
			q.Format = conversation.Format{Kind: conversation.JSONSchema, Name: "answer", Schema: []byte(`{"type":["string","null"]}`), At: cfg + ".responseMimeType"}
		}},
		"a schema of its own": {config(`"responseMimeType":"application/json","responseSchema":{"type":"STRING","nullable":true}`), func(q *request) {
			q.Format = conversation.Format{Kind: conversation.JSONSchema, Name: "answer", Schema: []byte(`{"type":["string","null"]}`), At: cfg + ".responseMimeType"}
		}},
		"no thinking": {config(`"thinkingConfig":{"thinkingBudget":0}`), func(q *request) {
			q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningOff, At: cfg + ".thinkingConfig"}
		}},
		"any thinking": {config(`"thinkingConfig":{"thinkingBudget":-1}`), func(q *request) {
			q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningByModel, At: cfg + ".thinkingConfig"}
		}},
		"a budget": {config(`"thinkingConfig":{"thinking_budget":512,"include_thoughts":true}`), func(q *request) {
			q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 512, Shown: true, At: cfg + ".thinkingConfig"}
		}},
		"a level": {config(`"thinkingConfig":{"thinkingLevel":"HIGH"}`), func(q *request) {
			q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "high", At: cfg + ".thinkingConfig"}
		}},
		"thoughts alone": {config(`"thinkingConfig":{"includeThoughts":true}`), func(q *request) {
			q.Reasoning = conversation.Reasoning{Shown: true, At: cfg + ".thinkingConfig"}
		}},
		"tier":           {with(`"serviceTier":"SERVICE_TIER_FLEX"`), func(q *request) { q.Tier = conversation.Word{Text: "flex", At: "serviceTier"} }},
		"the usual tier": {with(`"service_tier":"standard"`), func(q *request) { q.Tier = conversation.Word{Text: "default", At: "service_tier"} }},
		"hints": {with(`"labels":{"a":"b"},"store":true,"model":"the-model","safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"},{"category":"X","threshold":"OFF"}],"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}`), func(q *request) {
			q.Left = []string{cfg + ".mediaResolution", "safetySettings", "labels", "store"}
		}},
		"tools": {with(`"tools":[{"functionDeclarations":[{"name":"f","description":"does f","parameters":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}}]},{"function_declarations":[{"name":"g","parametersJsonSchema":{"type":"object"}},{"name":"h","behavior":"BLOCKING"}]}]`), func(q *request) {
			q.Tools = []conversation.Tool{
				{Name: "f", Description: "does f", Schema: []byte(`{"type":"object","properties":{"a":{"type":"integer"}}}`), At: "tools[0].functionDeclarations[0]"},
				{Name: "g", Schema: []byte(`{"type":"object"}`), At: "tools[1].function_declarations[0]"},
				{Name: "h", At: "tools[1].function_declarations[1]"},
			}
		}},
		"validated": {with(`"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}`), func(q *request) {
			q.Choice = conversation.Choice{Kind: conversation.Auto, At: "toolConfig.functionCallingConfig"}
			q.Tools = []conversation.Tool{{Name: "f", Strict: on("toolConfig.functionCallingConfig.mode"), At: "tools[0].functionDeclarations[0]"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := &request{Model: "the-model", Turns: []conversation.Turn{{Role: conversation.User, At: "contents[0]", Parts: []conversation.Part{{Kind: conversation.Text, Text: "hello", At: "contents[0].parts[0]"}}}}}
			x.want(want)
			if got := mustRead(t, x.body); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestReadChoice(t *testing.T) {
	two := `"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}],"toolConfig":{"functionCallingConfig":`
	for mode, want := range map[string]conversation.Choice{
		`{}`: {}, `{"mode":"MODE_UNSPECIFIED"}`: {},
		`{"mode":"AUTO"}`: {Kind: conversation.Auto}, `{"mode":"NONE"}`: {Kind: conversation.None},
		`{"mode":"ANY"}`: {Kind: conversation.Required}, `{"mode":"ANY","allowedFunctionNames":["g","f"]}`: {Kind: conversation.Required},
		`{"mode":"ANY","allowed_function_names":["g"]}`: {Kind: conversation.Named, Name: "g"},
	} {
		want.At = "toolConfig.functionCallingConfig"
		if q := mustRead(t, with(two+mode+"}")); q.Choice != want {
			t.Errorf("%s: %+v", mode, q.Choice)
		}
	}
}

// TestReadParts: what each part of a content is.
func TestReadParts(t *testing.T) {
	for name, x := range map[string]struct {
		part string
		want conversation.Part
	}{
		"image":       {`{"inlineData":{"mimeType":"image/png","data":"_-8"}}`, conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "/+8="}}},
		"sound":       {`{"inline_data":{"mime_type":"audio/wav","data":"AAAA"}}`, conversation.Part{Kind: conversation.Audio, Media: conversation.Media{Type: "audio/wav", Data: "AAAA"}}},
		"document":    {`{"inlineData":{"mimeType":"application/pdf","data":"AAAA","displayName":"a.pdf"}}`, conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: "AAAA", Name: "a.pdf"}}},
		"plain text":  {`{"inlineData":{"mimeType":"text/plain","data":"w7xi"}}`, conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "text/plain", Plain: "üb"}}},
		"linked":      {`{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/x"}}`, conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", URL: "https://example.com/x"}}},
		"linked file": {`{"file_data":{"mime_type":"application/pdf","file_uri":"https://example.com/x"}}`, conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", URL: "https://example.com/x"}}},
		"empty text":  {`{"text":""}`, conversation.Part{Kind: conversation.Text}},
		"no thought":  {`{"text":"a","thought":false}`, conversation.Part{Kind: conversation.Text, Text: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			x.want.At = "contents[0].parts[0]"
			if q := mustRead(t, userParts(x.part)); len(q.Turns) != 1 || !reflect.DeepEqual(q.Turns[0].Parts, []conversation.Part{x.want}) || q.Left != nil {
				t.Errorf("%+v", q)
			}
		})
	}
	q := mustRead(t, userParts(`{"text":"a","partMetadata":{"x":1}},{"inlineData":{"mimeType":"image/png","data":"AAAA","displayName":"n"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}`))
	if want := []string{"contents[0].parts[0].partMetadata", "contents[0].parts[1].mediaResolution", "contents[0].parts[1].inlineData.displayName"}; !reflect.DeepEqual(q.Left, want) {
		t.Errorf("%q", q.Left)
	}
}

// history is what a model's content amounts to, in brief.
func history(q *request) string {
	var b strings.Builder
	for _, t := range q.Turns {
		if b.WriteString("user:"); t.Role == conversation.Assistant {
			b.Reset()
			b.WriteString("model:")
		}
		for _, p := range t.Parts {
			switch p.Kind {
			case conversation.Thought:
				b.WriteString(" thought " + p.Text)
			case conversation.ToolUse:
				b.WriteString(" call " + p.Call.ID + " " + p.Call.Name + string(p.Call.Arguments))
			default:
				b.WriteString(" text " + p.Text)
			}
			if p.Seal != "" {
				b.WriteString(" <" + p.Seal + ">")
			}
		}
	}
	return b.String()
}

// TestReadSeals: to whom a signature belongs. Foreign is anthropic:abc in base64.
func TestReadSeals(t *testing.T) {
	const foreign = `"thoughtSignature":"YW50aHJvcGljOmFiYw=="`
	for name, x := range map[string]struct{ parts, want string }{
		"own, on a thought":            {`{"text":"a","thought":true,"thoughtSignature":"c2ln"}`, "model: thought a <gemini:c2ln>"},
		"own, on a text":               {`{"text":"a","thought":true},{"text":"b","thoughtSignature":"c2ln"}`, "model: thought a text b <gemini:c2ln>"},
		"own, after a text":            {`{"text":"b"},{"text":"","thought_signature":"c2ln"}`, "model: text b thought  <gemini:c2ln>"},
		"own, without a text":          {`{"text":"b"},{"thoughtSignature":"c2ln"}`, "model: text b thought  <gemini:c2ln>"},
		"own, on a call":               {`{"text":"a","thought":true},{"functionCall":{"id":"x","name":"f"},"thoughtSignature":"c2ln"}`, "model: thought a call x f{} <gemini:c2ln>"},
		"foreign, on a thought":        {`{"text":"a","thought":true,` + foreign + `}`, "model: thought a <anthropic:abc>"},
		"foreign, on a text":           {`{"text":"a","thought":true},{"text":"b",` + foreign + `}`, "model: thought a <anthropic:abc> text b"},
		"foreign, on a call":           {`{"text":"a","thought":true},{"functionCall":{"id":"x","name":"f","args":{"a":1}},` + foreign + `}`, `model: thought a <anthropic:abc> call x f{"a":1}`},
		"foreign, of a hidden thought": {`{"text":"b",` + foreign + `}`, "model: thought  <anthropic:abc> text b"},
		"foreign, of another thought":  {`{"text":"a","thought":true,"thoughtSignature":"c2ln"},{"text":"","thought":true,` + foreign + `}`, "model: thought a <gemini:c2ln> thought  <anthropic:abc>"},
		"a stream in pieces":           {`{"text":"a","thought":true},{"text":"b","thought":true},{"text":"c"},{"text":"d"}`, "model: thought ab text cd"},
		"a seal ends a text":           {`{"text":"a"},{"text":"b","thoughtSignature":"c2ln"},{"text":"c"}`, "model: text ab <gemini:c2ln> text c"},
	} {
		t.Run(name, func(t *testing.T) {
			q := mustRead(t, `{"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[`+x.parts+`]}]}`)
			if got := history(q); got != x.want {
				t.Errorf("%s", got)
			}
		})
	}
	q := mustRead(t, `{"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}`)
	if got := history(q); got != "model: text ab" || len(q.Turns) != 2 {
		t.Errorf("contents that follow each other: %s", got)
	}
}

// TestReadResults: which call a result answers, and what it says.
func TestReadResults(t *testing.T) {
	calls := func(list string) string {
		return `{"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"id":"b","name":"g"}},{"functionCall":{"name":"f"}}]},{"role":"function","parts":[` + list + `]}]}`
	}
	for name, x := range map[string]struct{ results, ids string }{
		"in order":      {`{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"g","response":{}}},{"functionResponse":{"name":"f","response":{}}}`, "function_call_1 b function_call_3"},
		"by id":         {`{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"id":"b","name":"g","response":{}}}`, "function_call_1 b"},
		"by id, before": {`{"functionResponse":{"id":"function_call_1","name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}`, "function_call_1 function_call_3"},
	} {
		t.Run(name, func(t *testing.T) {
			q := mustRead(t, calls(x.results))
			var ids []string
			for _, p := range q.Turns[2].Parts {
				ids = append(ids, p.Result.ID)
			}
			if got := strings.Join(ids, " "); got != x.ids {
				t.Errorf("%s", got)
			}
			if e := q.NameResults(); e != nil {
				t.Error(e)
			}
		})
	}
	for response, want := range map[string]string{
		`{}`: "", `{"output":"a"}`: "a", `{"result":"a"}`: "a", `{"error":"a"}`: "failed a", `{"output":{"b":1}}`: `{"b":1}`,
		`{"b": 1,"output":"a"}`: `{"b": 1,"output":"a"}`, `{"output":null}`: `{"output":null}`, `{"result":5}`: "5",
	} {
		q := mustRead(t, calls(`{"functionResponse":{"name":"f","response":`+response+`}}`))
		r := q.Turns[2].Parts[0].Result
		got, _ := conversation.PlainText(r.Parts)
		if r.Failed {
			got = "failed " + got
		}
		if got != want || (len(r.Parts) == 0) != (want == "") {
			t.Errorf("%s: %q", response, got)
		}
	}
	q := mustRead(t, calls(`{"functionResponse":{"name":"f","response":{"output":"a"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/"}}]}}`))
	if parts := q.Turns[2].Parts[0].Result.Parts; len(parts) != 3 || parts[1].Media.Data != "AAAA" || parts[2].Media.URL != "https://example.com/" {
		t.Errorf("%+v", parts)
	}
}

// TestReadRefuses: what has no meaning apart from Gemini, by its name.
func TestReadRefuses(t *testing.T) {
	model := func(part string) string {
		return `{"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[` + part + `]}]}`
	}
	const part = "contents[0].parts[0]"
	for body, param := range map[string]string{
		with(`"cachedContent":"cachedContents/x"`): "cachedContent",
		with(`"continuationToken":"x"`):            "continuationToken",
		with(`"novel":1`):                          "novel",
		with(`"safetySettings":[{"category":"X","threshold":"BLOCK_ONLY_HIGH"}]`): "safetySettings[0].threshold",
		with(`"serviceTier":"fast"`):                                                          "serviceTier",
		with(`"systemInstruction":{"parts":[{"inlineData":{"data":""}}]}`):                    "systemInstruction.parts[0].inlineData",
		with(`"systemInstruction":{"parts":[{}]}`):                                            "systemInstruction.parts[0].text",
		config(`"candidateCount":2`):                                                          "generationConfig.candidateCount",
		config(`"responseModalities":["TEXT","IMAGE"]`):                                       "generationConfig.responseModalities[1]",
		config(`"speechConfig":{}`):                                                           "generationConfig.speechConfig",
		config(`"responseLogprobs":true`):                                                     "generationConfig.responseLogprobs",
		config(`"logprobs":2`):                                                                "generationConfig.logprobs",
		config(`"responseMimeType":"text/x.enum"`):                                            "generationConfig.responseMimeType",
		config(`"responseJsonSchema":{}`):                                                     "generationConfig.responseMimeType",
		config(`"responseSchema":{},"responseJsonSchema":{}`):                                 "generationConfig.responseJsonSchema",
		config(`"responseFormat":[]`):                                                         "generationConfig.responseFormat",
		config(`"imageConfig":{}`):                                                            "generationConfig.imageConfig",
		config(`"thinkingConfig":{"thinkingBudget":5,"thinkingLevel":"LOW"}`):                 "generationConfig.thinkingConfig.thinkingBudget",
		config(`"thinkingConfig":{"thinkingLevel":"EXTREME"}`):                                "generationConfig.thinkingConfig.thinkingLevel",
		config(`"thinkingConfig":{"novel":1}`):                                                "generationConfig.thinkingConfig.novel",
		config(`"temperature":"1"`):                                                           "generationConfig.temperature",
		with(`"tools":[{"functionDeclarations":[{"description":"x"}]}]`):                      "tools[0].functionDeclarations[0].name",
		with(`"tools":[{"functionDeclarations":[{"name":"f","behavior":"NON_BLOCKING"}]}]`):   "tools[0].functionDeclarations[0].behavior",
		with(`"tools":[{"functionDeclarations":[{"name":"f","response":{}}]}]`):               "tools[0].functionDeclarations[0].response",
		with(`"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":true}]}]`): "tools[0].functionDeclarations[0].parametersJsonSchema",
		with(`"toolConfig":{"retrievalConfig":{}}`):                                           "toolConfig.retrievalConfig",
		with(`"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}`):                        "toolConfig.functionCallingConfig.mode",
		with(`"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"},{"name":"h"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}`): "toolConfig.functionCallingConfig.allowedFunctionNames",
		with(`"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}}`):                                                                                "toolConfig.functionCallingConfig.allowedFunctionNames",
		`{"contents":[{"role":"system","parts":[{"text":"x"}]}]}`:                                                                                                                  "contents[0].role",
		userParts(`{}`): part,
		userParts(`{"text":"a","inlineData":{"mimeType":"image/png","data":""}}`):                                               part,
		userParts(`{"executableCode":{"code":"1"}}`):                                                                            part + ".executableCode",
		userParts(`{"text":"a","videoMetadata":{}}`):                                                                            part + ".videoMetadata",
		userParts(`{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}`):                                                      part + ".inlineData.mimeType",
		userParts(`{"inlineData":{"mimeType":"image/png","data":"***"}}`):                                                       part + ".inlineData.data",
		userParts(`{"inlineData":{"mimeType":"text/plain","data":"/w=="}}`):                                                     part + ".inlineData.data",
		userParts(`{"fileData":{"mimeType":"image/png","fileUri":"gs://b/x"}}`):                                                 part + ".fileData.fileUri",
		userParts(`{"fileData":{"mimeType":"image/png","fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}`): part + ".fileData.fileUri",
		userParts(`{"fileData":{"fileUri":"https://example.com/x"}}`):                                                           part + ".fileData",
		userParts(`{"functionCall":{"name":"f"}}`):                                                                              part,
		userParts(`{"text":"a","thought":true}`):                                                                                part,
		userParts(`{"functionResponse":{"name":"f","response":{}}}`):                                                            part + ".functionResponse",
		model(`{"functionResponse":{"id":"a","name":"f","response":{}}}`):                                                       "contents[1].parts[0]",
		model(`{"functionCall":{"name":"f","willContinue":true}}`):                                                              "contents[1].parts[0].functionCall.willContinue",
		model(`{"functionCall":{"args":{}}}`):                                                                                   "contents[1].parts[0].functionCall.name",
		model(`{"functionCall":{"name":"f","args":[]}}`):                                                                        "contents[1].parts[0].functionCall.args",
	} {
		if q, e := read(t, body); e == nil || e.Param != param || q != nil {
			t.Errorf("%s: %+v, want %s", body, e, param)
		}
	}
	for _, operation := range []string{wire.Count, wire.Embed} {
		to := dialect.Target{Endpoint: dialect.CountTokens, Operation: operation, Model: "m"}
		if _, e := (Dialect{}).ReadRequest([]byte(`{`+hello+`}`), to); e == nil || e.Code != dialect.CodeUnsupported {
			t.Errorf("%s: %v", operation, e)
		}
	}
}
