package gemini

import (
	"github.com/tidwall/gjson"

	"purser/proxy/dialect"
	"purser/proxy/dialect/question"
)

var shape = question.Shape{List: "contents", Content: "parts", Unsaid: true}

// Question implements dialect.Questions.
func (Format) Question(c *dialect.Call) (dialect.Question, string) { return question.Of(c, &shape) }

// Answered implements dialect.Questions.
func (Format) Answered(answer []byte) (string, bool) {
	candidates := gjson.GetBytes(answer, "candidates").Array()
	if len(candidates) != 1 {
		return "", false
	}
	var t question.Text
	for _, part := range candidates[0].Get("content.parts").Array() {
		switch text := part.Get("text"); {
		case part.Get("thought").Bool():
		case text.Type == gjson.String:
			t.Add(text.Str)
		default:
			t.Spoil()
		}
	}
	return t.Whole(candidates[0].Get("finishReason").Str == "STOP")
}
