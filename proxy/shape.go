package proxy

import (
	"strconv"

	"purser/internal/record"
	"purser/proxy/bound"
	"purser/proxy/compress"
	"purser/proxy/dialect"
)

// headerCompressed says what became of the prompt: the level, and its tokens before and
// after. They are "about" so many where the model's tokenizer is not known.
const headerCompressed = headerPrefix + "compressed"

// compressed are the dialects of bodies that can be, by the client's format.
var compressed = map[Wire]compress.Dialect{OpenAI: compress.Chat, OpenAIResponses: compress.Responses, Anthropic: compress.Messages, Gemini: compress.Gemini}

// shape makes the call what is sent, once for each candidate: compressed, then marked for
// the provider's cache. It stands behind the caches, which know requests as they came.
func (x *exchange) shape() *dialect.Error {
	if x.routing.shaped {
		return nil
	}
	x.routing.shaped = true
	if e := x.compress(); e != nil {
		return e
	}
	x.hint()
	return nil
}

// compress compresses the client's body where its levers say so. What goes wrong in it
// leaves the request as it is.
func (x *exchange) compress() *dialect.Error {
	d, ok := x.compressible()
	if !ok {
		return nil
	}
	c, call := x.levers.Compression, x.asked()
	s := c.Settings
	s.Ask = x.outside()
	r, err := compress.Apply(x.veil.body, d, &s)
	if err != nil {
		x.g.log.Warn("a prompt could not be compressed; it goes as it is", "request", x.rec.ID, "error", err)
		return nil
	}
	if !r.Changed {
		return nil
	}
	before, guessed, counted := bound.Tokens(call, x.boundModel())
	if counted && before < c.MinTokens {
		return nil
	}
	was, model := x.veil.body, call.Model
	if e := x.reread(r.Body); e != nil {
		x.g.log.Error("a prompt that was compressed could not be read; it goes as it was", "request", x.rec.ID, "code", e.Code)
		x.asked().Model = model
		return x.reread(was)
	}
	x.rec.Shape.Level = c.Level.String()
	if !counted { // then nothing is claimed
		return nil
	}
	after, _, _ := bound.Tokens(x.asked(), x.boundModel())
	x.rec.Shape.Before, x.rec.Shape.After, x.guessed = before, after, guessed
	return nil
}

// compressible says whether the levers let the prompt be compressed, and as which dialect.
func (x *exchange) compressible() (compress.Dialect, bool) {
	c, call := x.levers.Compression, x.asked()
	d, ok := compressed[x.endpoint.speaks]
	return d, ok && c.Level != compress.Off && (x.endpoint.kind == dialect.Chat || x.endpoint.kind == dialect.Responses) && call.TextBytes+call.ToolBytes >= c.MinTokens
}

// appendLoss appends what a compression that loses something adds to the key of the
// caches: its answer is not for a request of the same tenant that asks for none.
// Nothing, where nothing can be lost.
func (x *exchange) appendLoss(dst []byte) []byte {
	c := x.levers.Compression
	if c.Level <= compress.Lossless {
		return dst
	}
	if _, ok := x.compressible(); !ok {
		return dst
	}
	return append(append(append(dst, byte(c.Level)), c.Hook...), 0)
}

// outside asks the compressor outside that the levers name; nil where there is none.
func (x *exchange) outside() compress.Asker {
	c := x.levers.Compression
	if c.Hook == "" || x.g.seams.Compressors == nil {
		return nil
	}
	return func(texts []string) []string {
		ctx, stop := x.present()
		defer stop()
		list, err := x.g.seams.Compressors.Shorten(ctx, c.Hook, x.tenant(), texts, c.HookRatio)
		if err != nil {
			x.g.log.Warn("a compressor outside gave no answer; the prompt goes without it", "request", x.rec.ID, "hook", c.Hook, "error", err)
			return nil
		}
		return list
	}
}

// shapedHeaders are those of an answer to a prompt that was compressed.
func shapedHeaders(h []HeaderField, s *record.Shape, guessed bool) []HeaderField {
	if s.Level == "" {
		return h
	}
	about := ""
	if guessed {
		about = "about "
	}
	text := s.Level
	if s.Before > 0 {
		text += " " + about + strconv.FormatInt(s.Before, 10) + " " + strconv.FormatInt(s.After, 10)
	}
	return append(h, HeaderField{headerCompressed, text})
}
