package question_test

import (
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"
	"purser/proxy/dialect/question"
)

// asked decodes a body in a dialect and looks for its question.
func asked(t *testing.T, f dialect.Format, target dialect.Target, body string) (dialect.Question, string, *dialect.Call) {
	t.Helper()
	var c dialect.Call
	if e := f.Decode(&c, target, []byte(body)); e != nil {
		t.Fatalf("%s: %v", body, e)
	}
	q, why := f.Question(&c)
	return q, why, &c
}

var (
	chat      = dialect.Target{Endpoint: dialect.Chat}
	responses = dialect.Target{Endpoint: dialect.Responses}
	generate  = dialect.Target{Endpoint: dialect.Chat, Operation: gemini.Generate, Model: "m"}
)

func TestQuestionOfEachDialect(t *testing.T) {
	tests := []struct {
		name      string
		format    dialect.Format
		target    dialect.Target
		body      string
		want, why string
	}{
		{"chat", openai.Format{}, chat, `{"model":"m","messages":[{"role":"system","content":"s"},{"content":"what \"is\" it?","role":"user"}]}`, `what "is" it?`, ""},
		{"chat, parts", openai.Format{}, chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"the document"},{"type":"text","text":"and why?"}]}]}`, "and why?", ""},
		{"chat, the assistant last", openai.Format{}, chat, `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, "", question.WhyRole},
		{"chat, a tool", openai.Format{}, chat, `{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, "", question.WhyTools},
		{"chat, a tool was called", openai.Format{}, chat, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"},{"role":"user","content":"a"}]}`, "", question.WhyTools},
		{"chat, a picture", openai.Format{}, chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"what?"}]}]}`, "", question.WhyMedia},
		{"chat, two answers", openai.Format{}, chat, `{"model":"m","n":2,"messages":[{"role":"user","content":"a"}]}`, "", question.WhyAnswers},
		{"embeddings", openai.Format{}, dialect.Target{Endpoint: dialect.Embeddings}, `{"model":"m","input":"a"}`, "", question.WhyEndpoint},
		{"responses, a text", openai.ResponsesFormat{}, responses, `{"model":"m","store":false,"input":"why?"}`, "why?", ""},
		{"responses, items", openai.ResponsesFormat{}, responses, `{"model":"m","store":false,"input":[{"role":"user","content":"a"},{"type":"message","role":"user","content":[{"type":"input_text","text":"b"}]}]}`, "b", ""},
		{"responses, an earlier answer", openai.ResponsesFormat{}, responses, `{"model":"m","store":false,"previous_response_id":"resp_1","input":"why?"}`, "", question.WhyHidden},
		{"messages", anthropic.Format{}, chat, `{"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"so?","cache_control":{"type":"ephemeral"}}]}]}`, "so?", ""},
		{"messages, the answer begun", anthropic.Format{}, chat, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"{"}]}`, "", question.WhyRole},
		{"gemini", gemini.Format{}, generate, `{"contents":[{"role":"model","parts":[{"text":"hi"}]},{"parts":[{"text":"doc"},{"text":"so?"}]}]}`, "so?", ""},
		{"gemini, data", gemini.Format{}, generate, `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"text":"so?"}]}]}`, "", question.WhyMedia},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, why, c := asked(t, tt.format, tt.target, tt.body)
			if q.Text != tt.want || why != tt.why {
				t.Fatalf("%q, %q", q.Text, why)
			}
			if why == "" && c.Raw[q.Span.Start-1] != '"' || why == "" && c.Raw[q.Span.End] != '"' {
				t.Errorf("the span is not the inside of a string: %q", c.Raw[q.Span.Start:q.Span.End])
			}
		})
	}
}

func TestAnsweredIsWholeOnlyWhereTheTextIsAll(t *testing.T) {
	tests := []struct {
		name   string
		format dialect.Format
		body   string
		want   string
		whole  bool
	}{
		{"chat", openai.Format{}, `{"choices":[{"finish_reason":"stop","message":{"content":"yes","refusal":null}}]}`, "yes", true},
		{"chat, cut", openai.Format{}, `{"choices":[{"finish_reason":"length","message":{"content":"ye"}}]}`, "ye", false},
		{"chat, refused", openai.Format{}, `{"choices":[{"finish_reason":"stop","message":{"content":"","refusal":"no"}}]}`, "", false},
		{"chat, a tool", openai.Format{}, `{"choices":[{"finish_reason":"stop","message":{"content":"yes","tool_calls":[{"id":"1"}]}}]}`, "yes", false},
		{"responses", openai.ResponsesFormat{}, `{"status":"completed","output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"yes"}]}]}`, "yes", true},
		{"responses, refused", openai.ResponsesFormat{}, `{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}`, "", false},
		{"responses, cut", openai.ResponsesFormat{}, `{"status":"incomplete","output":[{"type":"message","content":[{"type":"output_text","text":"ye"}]}]}`, "ye", false},
		{"messages", anthropic.Format{}, `{"stop_reason":"end_turn","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"yes"}]}`, "yes", true},
		{"messages, refused", anthropic.Format{}, `{"stop_reason":"refusal","content":[{"type":"text","text":"no"}]}`, "no", false},
		{"messages, a tool", anthropic.Format{}, `{"stop_reason":"end_turn","content":[{"type":"text","text":"a"},{"type":"tool_use"}]}`, "a", false},
		{"gemini", gemini.Format{}, `{"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"hm","thought":true},{"text":"yes"}]}}]}`, "yes", true},
		{"gemini, safety", gemini.Format{}, `{"candidates":[{"finishReason":"SAFETY","content":{"parts":[{"text":"y"}]}}]}`, "y", false},
		{"no answer", gemini.Format{}, `{}`, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if text, whole := tt.format.Answered([]byte(tt.body)); whole != tt.whole || whole && text != tt.want {
				t.Errorf("%q, %v", text, whole)
			}
		})
	}
}
