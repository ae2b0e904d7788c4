package converse

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

const aModel = "anthropic.claude-opus-4-6-v1:0"

func target(model string) dialect.Target { return dialect.Target{Endpoint: dialect.Chat, Model: model} }

// sdkRequest is a body that AWS's SDK for Go wrote, with whatever is let through.
func sdkRequest(t testing.TB) []byte {
	body, err := os.ReadFile("testdata/sdk-request.json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDecode(t *testing.T) {
	body := sdkRequest(t)
	var c dialect.Call
	if e := Decode(&c, dialect.Target{Endpoint: dialect.Chat, Model: aModel, Stream: true}, body); e != nil {
		t.Fatal(e)
	}
	var texts []string
	for _, x := range c.Texts {
		texts = append(texts, string(body[x.Start:x.End]))
	}
	all := strings.Join(texts, "|")
	for _, want := range []string{"look", "a-pdf", "document", "hm", "c2ln", "ZGF0YQ==", "Looking.", `{"a":1}`, "late", "s2", `"description":"what to say"`, `"description":"d"`, `{"tool":{"name":"f"}}`} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among the texts", want)
		}
	}
	if c.Messages != 4 || c.Tools != 2 || c.ToolCalls != 4 || len(c.Images) != 2 || c.Files != 1 || c.MaxOutput != 4096 || c.N != 1 || !c.Stream || c.ServiceTier != "flex" {
		t.Errorf("%+v", c)
	}
	if c.Added != addedByTools+addedByFormat || c.TokenInputs < int64(len("plain")) || c.TokenInputs > 16 || c.HiddenContext != "" || c.Thinks {
		t.Errorf("added %d, of documents %d", c.Added, c.TokenInputs)
	}
	if want := price.Meters(price.InputText, price.CacheRead, price.CacheWrite5m, price.CacheWrite1h, price.OutputText); c.Meters != want {
		t.Errorf("meters %b, want %b", c.Meters, want)
	}
	if got := (Format{}).Path(&c, c.Model); got != "/model/anthropic.claude-opus-4-6-v1%3A0/converse-stream" {
		t.Error(got)
	}
	c.Stream = false
	if got := (Format{}).Path(&c, "arn:aws:bedrock:eu-west-1:1:inference-profile/a b"); got != "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fa%20b/converse" {
		t.Error(got)
	}
}

// TestWhatTheModelCachesByItself is held at the prices of writing to a cache.
func TestWhatTheModelCachesByItself(t *testing.T) {
	for model, want := range map[string]bool{aModel: false, "amazon.nova-pro-v1:0": true} {
		var c dialect.Call
		if e := Decode(&c, target(model), []byte(`{"messages":[{"role":"user","content":[{"text":"x"}]}]}`)); e != nil {
			t.Fatal(e)
		}
		if got := c.Meters.Has(price.CacheWriteOther); got != want || c.ServiceTier != "default" {
			t.Errorf("%s: %b, %q", model, c.Meters, c.ServiceTier)
		}
	}
}

// TestRefused has what the cost is not bounded of, and what could be read in two
// ways. What is refused is named.
func TestRefused(t *testing.T) {
	const ok = `"messages":[{"role":"user","content":[{"text":"x"}]}]`
	for body, want := range map[string]string{
		`{}`:                                "messages missing_required_parameter",
		`{"messages":[]}`:                   "messages missing_required_parameter",
		`[]`:                                " invalid_type",
		`{`:                                 " invalid_json",
		`{` + ok + `} x`:                    " invalid_json",
		`{` + ok + `,"messages":[]}`:        "messages ambiguous_field",
		`{` + ok + `,"Messages":[]}`:        "Messages unsupported_parameter",
		`{` + ok + `,"guardrailConfig":{}}`: "guardrailConfig unsupported_parameter",
		`{` + ok + `,"promptVariables":{}}`: "promptVariables unsupported_parameter",
		`{` + ok + `,"performanceConfig":{"latency":"optimized"}}`:                                                       "performanceConfig unsupported_parameter",
		`{` + ok + `,"additionalModelRequestFields":{"max_tokens":99999}}`:                                               "additionalModelRequestFields.max_tokens unsupported_parameter",
		`{` + ok + `,"additionalModelRequestFields":[]}`:                                                                 "additionalModelRequestFields invalid_type",
		`{` + ok + `,"serviceTier":{"type":"reserved"}}`:                                                                 "serviceTier.type invalid_value",
		`{` + ok + `,"inferenceConfig":{"maxTokens":0}}`:                                                                 "inferenceConfig.maxTokens invalid_value",
		`{` + ok + `,"inferenceConfig":{"maxTokens":1.5}}`:                                                               "inferenceConfig.maxTokens invalid_value",
		`{` + ok + `,"inferenceConfig":{"maxTokens":"7"}}`:                                                               "inferenceConfig.maxTokens invalid_type",
		`{` + ok + `,"inferenceConfig":{"maxTokens":7,"maxTokens":8}}`:                                                   "inferenceConfig.maxTokens ambiguous_field",
		`{` + ok + `,"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}}]}}`:                                 "toolConfig.tools[0].systemTool unsupported_parameter",
		`{` + ok + `,"toolConfig":{"tools":7}}`:                                                                          "toolConfig.tools invalid_type",
		`{` + ok + `,"system":[{"guardContent":{}}]}`:                                                                    "system[0].guardContent unsupported_parameter",
		`{` + ok + `,"system":[{"cachePoint":{"type":"default","ttl":"1d"}}]}`:                                           "system[0].cachePoint.ttl invalid_value",
		`{"messages":[{"role":"user","content":[{"video":{}}]}]}`:                                                        "messages[0].content[0].video unsupported_parameter",
		`{"messages":[{"role":"user","content":[{"text":"x"},{"text":7}]}]}`:                                             "messages[0].content[1].text invalid_type",
		`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b"}}}}]}]}`: "messages[0].content[0].image.source.s3Location unsupported_parameter",
		`{"messages":[{"role":"user","content":[{"document":{"name":"a","source":{"content":[]}}}]}]}`:                   "messages[0].content[0].document.source.content unsupported_parameter",
		`{"messages":[{"role":"user","content":[{"toolResult":{"content":[{"json":{}}]}}]}]}`:                            "messages[0].content[0].toolResult.content[0].json unsupported_parameter",
		`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":7}}}]}]}`:                     "messages[0].content[0].image.source.bytes invalid_type",
		`{"messages":[{"role":"user","content":[{"document":{"format":"` + strings.Repeat("x", 65) + `"}}]}]}`:           "messages[0].content[0].document.format limit_exceeded",
	} {
		var c dialect.Call
		e := Decode(&c, target(aModel), []byte(body))
		if e == nil || e.Param+" "+string(e.Code) != want {
			t.Errorf("%s: %+v", body, e)
		}
	}
	for _, model := range []string{"", strings.Repeat("m", MaxModel+1)} {
		var c dialect.Call
		if e := Decode(&c, target(model), []byte(`{`+ok+`}`)); e == nil || e.Param != "model" {
			t.Errorf("a model of %d bytes: %v", len(model), e)
		}
	}
}

// TestDocumentsOfPlainTextAreBounded by their bytes, all others by the window.
func TestDocumentsOfPlainTextAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "content")
		format := rapid.SampledFrom([]string{"txt", "md", "pdf", "csv", "html"}).Draw(t, "format")
		body := fmt.Sprintf(`{"messages":[{"content":[{"document":{"source":{"bytes":%q},"format":%q,"name":"a"}}]}]}`, base64.StdEncoding.EncodeToString(content), format)
		var c dialect.Call
		if e := Decode(&c, target(aModel), []byte(body)); e != nil {
			t.Fatal(e)
		}
		plain := format == "txt" || format == "md"
		if plain != (c.Files == 0) || plain && c.TokenInputs < int64(len(content)) {
			t.Fatalf("%d files, %d tokens for %d bytes", c.Files, c.TokenInputs, len(content))
		}
	})
}

// TestTheCapIsWritten wherever the body has a place for it, and nothing else.
func TestTheCapIsWritten(t *testing.T) {
	const m = `"messages":[{"role":"user","content":[{"text":"x"}]}]`
	for _, x := range [][2]string{
		{`{` + m + `}`, `{` + m + `,"inferenceConfig":{"maxTokens":77}}`},
		{`{` + m + ` }`, `{` + m + ` ,"inferenceConfig":{"maxTokens":77}}`},
		{`{"inferenceConfig":null,` + m + `}`, `{"inferenceConfig":{"maxTokens":77},` + m + `}`},
		{`{"inferenceConfig":{ },` + m + `}`, `{"inferenceConfig":{"maxTokens":77 },` + m + `}`},
		{`{"inferenceConfig":{"topP":1},` + m + `}`, `{"inferenceConfig":{"maxTokens":77,"topP":1},` + m + `}`},
		{`{"inferenceConfig":{"topP":1,"maxTokens": 9},` + m + `}`, `{"inferenceConfig":{"topP":1,"maxTokens": 77},` + m + `}`},
		{`{"inferenceConfig":{"maxTokens":77},` + m + `}`, `{"inferenceConfig":{"maxTokens":77},` + m + `}`},
	} {
		var c dialect.Call
		if e := Decode(&c, target(aModel), []byte(x[0])); e != nil {
			t.Fatal(x[0], e)
		}
		if got := string(AppendUpstream(nil, &c, dialect.Change{})); got != x[0] {
			t.Errorf("without a change: %s", got)
		}
		got := AppendUpstream(nil, &c, dialect.Change{MaxOutput: 77, Model: "other", CapField: "max_tokens"})
		if string(got) != x[1] {
			t.Errorf("%s\n%s", got, x[1])
		}
		if e := Decode(&c, target(aModel), got); e != nil || c.MaxOutput != 77 {
			t.Errorf("%s: cap %d, %v", got, c.MaxOutput, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sdkRequest(f))
	f.Add([]byte(`{"messages":[{"content":[{"toolResult":{"content":[{"toolResult":{}}]}}]}],"inferenceConfig":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var c dialect.Call
		if Decode(&c, target(aModel), body) != nil {
			return
		}
		for _, x := range c.Texts {
			if x.Start < 0 || x.End > len(body) || x.Start > x.End {
				t.Fatalf("%+v of %d bytes", x, len(body))
			}
		}
		capped := AppendUpstream(nil, &c, dialect.Change{MaxOutput: 77})
		if e := Decode(&c, target(aModel), capped); e != nil || c.MaxOutput != 77 {
			t.Fatalf("%s: %d, %v", capped, c.MaxOutput, e)
		}
	})
}
