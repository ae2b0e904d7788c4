package gemini

import (
	"encoding/base64"
	"path"
	"strings"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
)

func (w *writing) content(t *conversation.Turn) {
	w.Object(func() {
		role := "user"
		if t.Role == conversation.Assistant {
			role = "model"
		}
		w.Field("role", role)
		w.Key("parts").Array(func() {
			calls := 0
			for i := range t.Parts {
				w.part(&t.Parts[i], calls == 0)
				if t.Parts[i].Kind == conversation.ToolUse {
					calls++
				}
			}
			if older(w.q.Model) {
				for i := range t.Parts {
					w.shown(&t.Parts[i])
				}
			}
		})
	})
}

// part writes one part; first says that the turn has no call of a function before.
func (w *writing) part(p *conversation.Part, first bool) {
	w.Object(func() {
		signature := ownSignature(p.Seal)
		switch p.Kind {
		case conversation.Text, conversation.Refusal:
			w.Field("text", p.Text)
		case conversation.Thought:
			w.Field("text", p.Text)
			if p.Text != "" { // else it is a signature alone, which is part of the answer
				w.Key("thought").Bool(true)
			}
		case conversation.Image, conversation.Document, conversation.Audio:
			w.media(p)
		case conversation.ToolUse:
			signature = w.call(p, first)
		case conversation.ToolResult:
			w.result(p)
		}
		w.Optional("thoughtSignature", signature)
	})
}

// call writes a call of a function and gives its signature: from its seal, or from
// its id. Newer models want one on the first call of a turn, also of a turn that
// another model has written.
func (w *writing) call(p *conversation.Part, first bool) (signature string) {
	stem, signature := unsealedID(p.Call.ID)
	if own := ownSignature(p.Seal); own != "" {
		signature = own
	}
	if signature == "" && first && !older(w.q.Model) {
		signature = noSignature
	}
	arguments, ok := conversation.Arguments(string(p.Call.Arguments))
	if !ok {
		w.refuse(p.At, "the arguments of the call are not a JSON object")
	}
	w.Key("functionCall").Object(func() {
		w.Optional("id", stem)
		w.Field("name", p.Call.Name)
		w.Key("args").Raw(arguments)
	})
	return signature
}

// result writes what a function gave: its texts as the response, its media beside.
func (w *writing) result(p *conversation.Part) {
	for i := range p.Result.Parts {
		w.uncached(p.Result.Parts[i].Cache, p.Result.Parts[i].At)
	}
	texts, media := split(p.Result.Parts)
	stem, _ := unsealedID(p.Result.ID)
	w.Key("functionResponse").Object(func() {
		w.Optional("id", stem)
		w.Field("name", p.Result.Name)
		text, _ := conversation.PlainText(texts)
		w.Key("response")
		w.response(text, len(texts) == 0, p.Result.Failed)
		if len(media) == 0 || older(w.q.Model) {
			return
		}
		w.Key("parts").Array(func() {
			for i := range media {
				w.Object(func() { w.media(&media[i]) })
			}
		})
	})
}

// shown writes the media of a result as what the user shows, for models that take
// none in a result: after all of the results, which have to follow the calls.
func (w *writing) shown(p *conversation.Part) {
	if p.Kind != conversation.ToolResult {
		return
	}
	_, media := split(p.Result.Parts)
	if len(media) == 0 {
		return
	}
	w.Object(func() { w.Field("text", "The result of "+p.Result.Name+" has this:") })
	for i := range media {
		w.Object(func() { w.media(&media[i]) })
	}
}

// split are the texts of a result and what else it has.
func split(parts []conversation.Part) (texts, media []conversation.Part) {
	for _, p := range parts {
		if p.Kind == conversation.Text {
			texts = append(texts, p)
		} else {
			media = append(media, p)
		}
	}
	return texts, media
}

// response writes a result's text. A JSON object stays one, unless it would be read
// as something else: see resultText.
func (w *writing) response(text string, none, failed bool) {
	name := "output"
	switch {
	case failed:
		name = "error"
	case none:
		w.Object(func() {})
		return
	case object([]byte(text)) && !wraps(text):
		w.Raw([]byte(text))
		return
	}
	w.Object(func() { w.Field(name, text) })
}

// object says whether raw is a JSON object.
func object(raw []byte) bool {
	cur := jsonscan.Cursor{Doc: raw}
	return cur.Kind() == jsonscan.Object && cur.Skip() == nil && cur.End() == nil
}

// wraps says whether an object is empty, or has a name by which Gemini tells a
// result and an error from the rest.
func wraps(text string) bool {
	cur := jsonscan.Cursor{Doc: []byte(text)}
	members, named := 0, false
	err := cur.EachMember(func(key jsonscan.Str) error {
		members++
		switch string(cur.Name(key)) {
		case "output", "result", "error":
			named = true
		}
		return cur.Skip()
	})
	return err != nil || members == 0 || named
}

// media writes a picture, a document or a sound.
func (w *writing) media(p *conversation.Part) {
	m := &p.Media
	if m.Detail != "" && m.Detail != "auto" {
		w.q.Leave(p.At)
	}
	if m.Name != "" {
		w.q.Leave(p.At) // only in Google's own tools
	}
	switch {
	case m.URL != "":
		if !public(m.URL) {
			w.refuse(p.At, "the link is not a public one")
		}
		w.Key("fileData").Object(func() {
			w.Optional("mimeType", typeOf(m))
			w.Field("fileUri", m.URL)
		})
	case p.Kind == conversation.Document && m.Data == "":
		w.blob("text/plain", base64.StdEncoding.EncodeToString([]byte(m.Plain)))
	case m.Type == "":
		w.refuse(p.At, "Gemini wants to be told its type")
	default:
		w.blob(m.Type, m.Data)
	}
}

func (w *writing) blob(kind, data string) {
	w.Key("inlineData").Object(func() {
		w.Field("mimeType", kind)
		w.Field("data", data)
	})
}

// linked are the types of links by the ending of their path, for clients whose
// dialect does not say the type.
var linked = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
	".heic": "image/heic", ".heif": "image/heif", ".pdf": "application/pdf",
}

func typeOf(m *conversation.Media) string {
	if m.Type != "" {
		return m.Type
	}
	link, _, _ := strings.Cut(m.URL, "?")
	return linked[strings.ToLower(path.Ext(link))]
}
