package openai

import (
	"github.com/tidwall/gjson"

	"purser/proxy/dialect"
	"purser/proxy/dialect/question"
)

var (
	chatShape      = question.Shape{List: "messages", Content: "content", Types: []string{"text"}}
	responsesShape = question.Shape{List: "input", Content: "content", Types: []string{"input_text"}, Alone: true}
)

// Question implements dialect.Questions.
func (Format) Question(c *dialect.Call) (dialect.Question, string) { return question.Of(c, &chatShape) }

// Question implements dialect.Questions.
func (ResponsesFormat) Question(c *dialect.Call) (dialect.Question, string) {
	return question.Of(c, &responsesShape)
}

// Answered implements dialect.Questions.
func (Format) Answered(answer []byte) (string, bool) {
	choices := gjson.GetBytes(answer, "choices").Array()
	if len(choices) != 1 {
		return "", false
	}
	var t question.Text
	choice := &choices[0]
	if content := choice.Get("message.content"); content.Type == gjson.String {
		t.Add(content.Str)
	}
	for _, other := range [...]string{"message.refusal", "message.audio", "message.function_call", "message.tool_calls.0"} {
		if v := choice.Get(other); v.Exists() && v.Type != gjson.Null && v.Raw != `""` {
			t.Spoil()
		}
	}
	return t.Whole(choice.Get("finish_reason").Str == "stop")
}

// Answered implements dialect.Questions.
func (ResponsesFormat) Answered(answer []byte) (string, bool) {
	doc := gjson.ParseBytes(answer)
	var t question.Text
	for _, item := range doc.Get("output").Array() {
		switch item.Get("type").Str {
		case "reasoning":
			continue
		case "message":
		default:
			t.Spoil()
		}
		for _, part := range item.Get("content").Array() {
			if part.Get("type").Str != "output_text" {
				t.Spoil()
				continue
			}
			t.Add(part.Get("text").Str)
		}
	}
	return t.Whole(doc.Get("status").Str == "completed")
}
