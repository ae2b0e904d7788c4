package anthropic

import (
	"github.com/tidwall/gjson"

	"purser/proxy/dialect"
	"purser/proxy/dialect/question"
)

var shape = question.Shape{List: "messages", Content: "content", Types: []string{"text"}}

// Question implements dialect.Questions.
func (Format) Question(c *dialect.Call) (dialect.Question, string) { return question.Of(c, &shape) }

// Answered implements dialect.Questions.
func (Format) Answered(answer []byte) (string, bool) {
	doc := gjson.ParseBytes(answer)
	var t question.Text
	for _, part := range doc.Get("content").Array() {
		switch part.Get("type").Str {
		case "text":
			t.Add(part.Get("text").Str)
		case "thinking", "redacted_thinking":
		default:
			t.Spoil()
		}
	}
	why := doc.Get("stop_reason").Str
	return t.Whole(why == "end_turn" || why == "stop_sequence")
}
