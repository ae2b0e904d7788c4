package anthropic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"purser/proxy/dialect/conversation"
)

// turns writes the messages.
func (w *writing) turns() {
	turns, err := w.q.Arranged(w.keeps)
	if w.err == nil {
		w.err = err
	}
	w.out.Key("messages").Array(func() {
		for i := range turns {
			w.out.Object(func() {
				w.out.Field("role", roles[turns[i].Role])
				w.out.Key("content").Array(func() { w.parts(turns[i].Role, turns[i].Parts) })
			})
		}
	})
}

var roles = map[conversation.Role]string{
	conversation.User: "user", conversation.Assistant: "assistant", conversation.System: "system",
}

// keeps says whether a part is written: not the thoughts of others, nor texts
// without anything in them.
func (w *writing) keeps(p *conversation.Part) bool {
	switch p.Kind {
	case conversation.Thought:
		if !strings.HasPrefix(p.Seal, sealOwn) {
			w.q.Leave(p.At)
			return false
		}
	case conversation.Text, conversation.Refusal:
		return p.Text != ""
	}
	return true
}

// parts writes blocks of content, but for empty texts.
func (w *writing) parts(role conversation.Role, parts []conversation.Part) {
	for i := range parts {
		if p := &parts[i]; p.Kind != conversation.Text || p.Text != "" {
			w.out.Object(func() { w.part(role, p) })
		}
	}
}

func (w *writing) part(role conversation.Role, p *conversation.Part) {
	out := &w.out
	if media := p.Kind == conversation.Image || p.Kind == conversation.Document; media && role != conversation.User {
		w.refuse(p.At, "only what the user says may have it there")
	}
	switch p.Kind {
	case conversation.Text, conversation.Refusal:
		out.Field("type", "text")
		out.Field("text", p.Text)
	case conversation.Image:
		w.image(p)
	case conversation.Document:
		w.document(p)
	case conversation.ToolUse:
		out.Field("type", "tool_use")
		out.Field("id", callID(p.Call.ID))
		out.Field("name", p.Call.Name)
		out.Key("input")
		if len(p.Call.Arguments) == 0 {
			out.Raw([]byte("{}"))
		} else {
			w.object(p.Call.Arguments, p.At)
		}
	case conversation.ToolResult:
		w.result(p)
	case conversation.Thought:
		w.thought(p)
		return // it is cached with what follows
	default:
		w.refuse(p.At, "")
	}
	w.cache(p.Cache)
}

// maxCallID is longer than any id of a call that the API gives itself. One with
// another provider's signature in it would be paid for as a part of each prompt.
const maxCallID = 64

func callID(id string) string {
	return conversation.PlainID(conversation.ShortID(id, maxCallID))
}

func (w *writing) cache(l conversation.Lifetime) {
	if l == conversation.NotCached {
		return
	}
	w.out.Key("cache_control").Object(func() {
		w.out.Field("type", "ephemeral")
		if l == conversation.Hour {
			w.out.Field("ttl", "1h")
		}
	})
}

func (w *writing) result(p *conversation.Part) {
	w.out.Field("type", "tool_result")
	w.out.Field("tool_use_id", callID(p.Result.ID))
	if len(p.Result.Parts) > 0 {
		w.out.Key("content").Array(func() { w.parts(conversation.User, p.Result.Parts) })
	}
	if p.Result.Failed {
		w.out.Key("is_error").Bool(true)
	}
}

func (w *writing) thought(p *conversation.Part) {
	if data, ok := strings.CutPrefix(p.Seal, sealRedacted); ok {
		w.out.Field("type", "redacted_thinking")
		w.out.Field("data", data)
		return
	}
	w.out.Field("type", "thinking")
	w.out.Field("thinking", p.Text)
	w.out.Field("signature", signature(p.Seal))
}

func (w *writing) image(p *conversation.Part) {
	if p.Media.Detail != "" && p.Media.Detail != "auto" {
		w.q.Leave(p.At + ".detail")
	}
	w.out.Field("type", "image")
	if p.Media.URL != "" {
		w.source("url", "url", p.Media.URL, "")
		return
	}
	media := strings.Replace(p.Media.Type, "image/jpg", "image/jpeg", 1) // a name that many use
	switch media {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
	default:
		w.refuse(p.At, "images are JPEG, PNG, GIF or WebP there")
	}
	w.source("base64", "data", p.Media.Data, media)
}

// source writes where an image or a document comes from.
func (w *writing) source(kind, field, value, media string) {
	w.out.Key("source").Object(func() {
		w.out.Field("type", kind)
		w.out.Optional("media_type", media)
		w.out.Field(field, value)
	})
}

const plainText, pdf = "text/plain", "application/pdf"

func (w *writing) document(p *conversation.Part) {
	w.out.Field("type", "document")
	m := &p.Media
	isText := strings.HasPrefix(m.Type, "text/")
	switch {
	case m.URL != "":
		w.source("url", "url", m.URL, "")
	case m.Plain != "":
		w.source("text", "data", m.Plain, plainText)
	case isText:
		text, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil || !utf8.Valid(text) {
			w.refuse(p.At, "a document of text has to be UTF-8 in base64")
		}
		w.source("text", "data", string(text), plainText)
	case m.Type == pdf:
		w.source("base64", "data", m.Data, pdf)
	default:
		w.refuse(p.At, "documents are PDF or text there")
	}
	w.out.Optional("title", m.Name)
}
