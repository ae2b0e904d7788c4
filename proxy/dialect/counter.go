package dialect

import "purser/proxy/dialect/jsonscan"

// Counter is a format whose providers count the tokens of a prompt, at no charge.
// What they say is an estimate: it may be off by a little.
type Counter interface {
	// AppendCount appends the body that asks how many input tokens c has, with the
	// upstream's name of the model. It is false for calls that the provider does not
	// count. c was decoded without error, and its Raw is unchanged.
	AppendCount(dst []byte, c *Call, model string) ([]byte, bool)
	// CountPath is where the question goes, below the upstream's base URL.
	CountPath(model string) string
	// ReadCount reads the answer; it is false if that is none.
	ReadCount(body []byte) (tokens int64, ok bool)
}

// AppendCounted appends those fields of c's body that in accepts, with the
// upstream's name of the model, as the question for a count. It is false where the
// body has a field that neither in nor beside accepts: such a field may add to the
// prompt what no count would show.
func (c *Call) AppendCounted(dst []byte, model string, in, beside func(name []byte) bool) ([]byte, bool) {
	dst = append(dst, `{"model":`...)
	dst = append(jsonscan.AppendString(dst, model), ',')
	whole := true
	dst, ok := jsonscan.AppendMembers(dst, c.Raw, func(name []byte) bool {
		counted := in(name)
		whole = whole && (counted || beside(name))
		return counted
	})
	return append(dst, '}'), ok && whole
}
