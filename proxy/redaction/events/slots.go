package events

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Dialect is the form of a stream's events.
type Dialect uint8

// The dialects.
const (
	Chat Dialect = iota // and completions
	Responses
	Anthropic
	Gemini
)

// slot is a string of an event that is a piece of a longer text.
type slot struct {
	start, end int // its inside, in the event's data
	channel    string
	inJSON     bool
}

// heard is what an event says of channels.
type heard struct {
	slots []slot
	ended []string // prefixes of channels that are over with it
	all   bool     // everything is
}

// add takes a string as a slot. Results of gjson say where they are in the data.
func (h *heard) add(r gjson.Result, channel string, inJSON bool) {
	if r.Type != gjson.String || r.Index == 0 || len(r.Raw) <= 2 {
		return
	}
	h.slots = append(h.slots, slot{r.Index + 1, r.Index + len(r.Raw) - 1, channel, inJSON})
}

// hear reads an event's data. In text of JSON's own, such as where the request asks
// for JSON, values are written as JSON has them.
func (d Dialect) hear(data []byte, jsonText bool) heard {
	if !gjson.ValidBytes(data) {
		return heard{all: true} // such as [DONE]
	}
	switch d {
	case Responses:
		return hearResponses(data, jsonText)
	case Anthropic:
		return hearAnthropic(data, jsonText)
	case Gemini:
		return hearGemini(data, jsonText)
	default:
		return hearChat(data, jsonText)
	}
}

func hearChat(data []byte, jsonText bool) (h heard) {
	h.all = gjson.GetBytes(data, "error").Exists()
	each(gjson.GetBytes(data, "choices"), func(_ int, c gjson.Result) {
		of := strconv.FormatInt(c.Get("index").Int(), 10) + "/"
		h.add(c.Get("text"), of+"text", jsonText)
		for _, name := range [...]string{"content", "refusal", "reasoning_content", "reasoning"} {
			h.add(c.Get("delta."+name), of+name, jsonText && name == "content")
		}
		h.add(c.Get("delta.function_call.arguments"), of+"call", true)
		each(c.Get("delta.tool_calls"), func(i int, t gjson.Result) {
			n := i
			if index := t.Get("index"); index.Exists() {
				n = int(index.Int())
			}
			h.add(t.Get("function.arguments"), of+"tool"+strconv.Itoa(n), true)
			h.add(t.Get("custom.input"), of+"custom"+strconv.Itoa(n), false)
		})
		if f := c.Get("finish_reason"); f.Type == gjson.String {
			h.ended = append(h.ended, of)
		}
	})
	return h
}

// each calls do with the elements of an array.
func each(array gjson.Result, do func(i int, r gjson.Result)) {
	if !array.IsArray() {
		return
	}
	i := 0
	array.ForEach(func(_, r gjson.Result) bool {
		do(i, r)
		i++
		return true
	})
}

func hearResponses(data []byte, jsonText bool) (h heard) {
	kind := gjson.GetBytes(data, "type").String()
	place := func(of string) string {
		s := of
		for _, name := range [...]string{"output_index", "content_index", "summary_index"} {
			s += "/" + gjson.GetBytes(data, name).Raw
		}
		return s + "/"
	}
	if of, ok := strings.CutSuffix(kind, ".delta"); ok {
		args := strings.HasSuffix(of, "arguments")
		h.add(gjson.GetBytes(data, "delta"), place(of), args || jsonText && of == "response.output_text")
		return h
	}
	switch of, done := strings.CutSuffix(kind, ".done"); {
	case kind == "response.output_item.done", kind == "response.completed", kind == "response.incomplete", kind == "response.failed", kind == "error":
		h.all = true
	case done:
		h.ended = []string{place(of)}
	}
	return h
}

func hearAnthropic(data []byte, jsonText bool) (h heard) {
	of := gjson.GetBytes(data, "index").Raw + "/"
	switch gjson.GetBytes(data, "type").Str {
	case "content_block_delta":
		h.add(gjson.GetBytes(data, "delta.text"), of+"text", jsonText)
		h.add(gjson.GetBytes(data, "delta.thinking"), of+"thinking", false)
		h.add(gjson.GetBytes(data, "delta.partial_json"), of+"json", true)
	case "content_block_stop":
		h.ended = []string{of}
	case "message_delta", "message_stop", "error":
		h.all = true
	}
	return h
}

func hearGemini(data []byte, jsonText bool) (h heard) {
	h.all = gjson.GetBytes(data, "error").Exists()
	each(gjson.GetBytes(data, "candidates"), func(i int, c gjson.Result) {
		of := strconv.Itoa(i) + "/"
		if index := c.Get("index"); index.Exists() {
			of = index.Raw + "/"
		}
		each(c.Get("content.parts"), func(_ int, p gjson.Result) {
			kind := "text"
			if p.Get("thought").Bool() {
				kind = "thought"
			}
			h.add(p.Get("text"), of+kind, jsonText && kind == "text")
		})
		if c.Get("finishReason").Exists() {
			h.ended = append(h.ended, of)
		}
	})
	return h
}
