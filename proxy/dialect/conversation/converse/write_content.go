package converse

import (
	"encoding/base64"
	"fmt"
	"strings"

	"purser/proxy/dialect/conversation"
)

// keeps says whether a part is written: not the thoughts of others, nor texts that
// are blank, which the API refuses.
func (w *writing) keeps(p *conversation.Part) bool {
	switch p.Kind {
	case conversation.Thought:
		if !strings.HasPrefix(p.Seal, sealOwn) {
			w.q.Leave(p.At)
			return false
		}
	case conversation.Text, conversation.Refusal:
		return strings.TrimSpace(p.Text) != ""
	}
	return true
}

// parts writes blocks of content, but for blank texts.
func (w *writing) parts(role conversation.Role, parts []conversation.Part) {
	for i := range parts {
		p := &parts[i]
		if p.Kind == conversation.Text && strings.TrimSpace(p.Text) == "" {
			continue
		}
		w.out.Object(func() { w.part(role, p) })
		w.cache(p.Cache)
	}
}

// cache writes the point up to which the prompt may be cached.
func (w *writing) cache(l conversation.Lifetime) {
	if l == conversation.NotCached {
		return
	}
	w.out.Object(func() {
		w.out.Key("cachePoint").Object(func() {
			w.out.Field("type", "default")
			if l == conversation.Hour {
				w.out.Field("ttl", "1h")
			}
		})
	})
}

func (w *writing) part(role conversation.Role, p *conversation.Part) {
	out := &w.out
	if media := p.Kind == conversation.Image || p.Kind == conversation.Document; media && role != conversation.User {
		w.refuse(p.At, "only what the user says may have it there")
	}
	switch p.Kind {
	case conversation.Text, conversation.Refusal:
		out.Field("text", p.Text)
	case conversation.Image:
		w.image(p)
	case conversation.Document:
		w.document(p)
	case conversation.ToolUse:
		out.Key("toolUse").Object(func() {
			out.Field("toolUseId", callID(p.Call.ID))
			out.Field("name", p.Call.Name)
			out.Key("input")
			if len(p.Call.Arguments) == 0 {
				out.Raw([]byte("{}"))
			} else {
				w.object(p.Call.Arguments, p.At)
			}
		})
	case conversation.ToolResult:
		out.Key("toolResult").Object(func() {
			out.Field("toolUseId", callID(p.Result.ID))
			out.Key("content").Array(func() { w.parts(conversation.User, p.Result.Parts) })
			if p.Result.Failed {
				out.Field("status", "error")
			}
		})
	case conversation.Thought:
		w.thought(p)
	default:
		w.refuse(p.At, "")
	}
}

// maxCallID is the longest id of a call that the API takes.
const maxCallID = 64

func callID(id string) string {
	return conversation.PlainID(conversation.ShortID(id, maxCallID))
}

func (w *writing) thought(p *conversation.Part) {
	w.out.Key("reasoningContent").Object(func() {
		if content, ok := strings.CutPrefix(p.Seal, sealRedacted); ok {
			w.out.Field("redactedContent", content)
			return
		}
		w.out.Key("reasoningText").Object(func() {
			w.out.Field("text", p.Text)
			w.out.Field("signature", conversation.SealFor(p.Seal, own))
		})
	})
}

// source writes content in base64.
func (w *writing) source(data string) {
	w.out.Key("source").Object(func() { w.out.Field("bytes", data) })
}

var imageFormats = map[string]string{
	"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp",
}

func (w *writing) image(p *conversation.Part) {
	format := imageFormats[p.Media.Type]
	switch {
	case p.Media.URL != "":
		w.refuse(p.At, "links are not followed there: send the image itself")
	case format == "":
		w.refuse(p.At, "images are PNG, JPEG, GIF or WebP there")
	}
	if p.Media.Detail != "" && p.Media.Detail != "auto" {
		w.q.Leave(p.At + ".detail")
	}
	w.out.Key("image").Object(func() {
		w.out.Field("format", format)
		w.source(p.Media.Data)
	})
}

var documentFormats = map[string]string{
	"application/pdf": "pdf", "text/csv": "csv", "text/html": "html", "text/plain": "txt", "text/markdown": "md",
	"application/msword": "doc", "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
	"application/vnd.ms-excel": "xls", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}

func (w *writing) document(p *conversation.Part) {
	m := p.Media
	if m.Plain != "" {
		m.Type, m.Data = "text/plain", base64.StdEncoding.EncodeToString([]byte(m.Plain))
	}
	format := documentFormats[m.Type]
	switch {
	case m.URL != "":
		w.refuse(p.At, "links are not followed there: send the document itself")
	case format == "":
		w.refuse(p.At, "documents are PDF, text, Markdown, HTML, CSV, Word or Excel there")
	}
	w.out.Key("document").Object(func() {
		w.out.Field("format", format)
		w.out.Field("name", w.documentName(m.Name))
		w.source(m.Data)
	})
}

// maxDocumentName is the longest name of a document that the API takes, in
// characters.
const maxDocumentName = 200

// documentName is a name that the API takes: letters and digits, single spaces,
// hyphens and brackets, and no other document's.
func (w *writing) documentName(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-()[] ", r):
			return r
		}
		return '-'
	}, name)
	plain = strings.Join(strings.Fields(plain), " ")
	if plain = plain[:min(len(plain), maxDocumentName-8)]; plain == "" {
		plain = "document"
	}
	unique := plain
	for n := 2; w.named[unique]; n++ {
		unique = fmt.Sprintf("%s (%d)", plain, n)
	}
	w.named[unique] = true
	return unique
}
