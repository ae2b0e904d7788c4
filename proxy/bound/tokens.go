package bound

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Tokens counts the tokens of a call's texts, without what the provider adds and
// without pictures: for comparing two forms of one prompt, not for a hold. JSON that
// the provider renders in its own way counts without white space between its values.
// guessed says that the model's tokenizer is unknown: it is then o200k's count, scaled by
// what was learned of the model, if anything was. ok is false where counting exactly
// would take longer than a request may.
func Tokens(c *dialect.Call, m Model) (n int64, guessed, ok bool) {
	name, scale := m.Tokenizer, int64(1000)
	if loaders[name] == nil {
		name, guessed = o200k, true
		if m.LearnedPermille > 0 {
			scale = m.LearnedPermille
		}
	}
	t, work := load(name), &effort{left: countWork}
	var plain []byte
	for _, x := range c.Texts {
		text := c.Raw[x.Start:x.End]
		switch x.Kind {
		case dialect.EscapedText:
			plain = jsonscan.AppendText(plain[:0], text)
			text = plain
		case dialect.RawJSON:
			plain = appendDense(plain[:0], text)
			text = plain
		case dialect.PlainText:
		}
		n += t.count(text, work)
	}
	return (n*scale + 999) / 1000, guessed, !work.short
}

// countWork is what counting may cost, as mergeWork is of a bound: enough for some
// hundred kilobytes of base64, of which compression leaves out much, and some hundred
// milliseconds.
const countWork = 8 * mergeWork

// appendDense appends JSON without the white space between its values.
func appendDense(dst, doc []byte) []byte {
	inString := false
	for i := 0; i < len(doc); i++ {
		b := doc[i]
		switch {
		case inString && b == '\\' && i+1 < len(doc):
			dst = append(dst, b)
			i++
			b = doc[i]
		case b == '"':
			inString = !inString
		case !inString && (b == ' ' || b == '\n' || b == '\r' || b == '\t'):
			continue
		}
		dst = append(dst, b)
	}
	return dst
}
