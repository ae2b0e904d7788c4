package dialect

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
