package anthropic

import (
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendUpstream appends to dst the body to send upstream: the client's, byte
// for byte, but for the model's name and the cap that ch sets. c must have been
// decoded without error and its Raw be unchanged. A value that the body has
// already keeps its bytes.
func AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	model, limit := c.Sites.Model, c.Sites.CapValue
	if ch.Model == "" || ch.Model == c.Model {
		model = dialect.Span{}
	}
	if ch.MaxOutput <= 0 || ch.MaxOutput == c.MaxOutput || !c.Endpoint.Generates() {
		limit = dialect.Span{}
	}
	from := 0
	for at := 0; at < 2; at++ {
		if first := (at == 0) == (model.Start < limit.Start); first && !model.Empty() {
			dst = append(dst, c.Raw[from:model.Start]...)
			dst = jsonscan.AppendString(dst, ch.Model)
			from = model.End
		} else if !first && !limit.Empty() {
			dst = append(dst, c.Raw[from:limit.Start]...)
			dst = strconv.AppendInt(dst, ch.MaxOutput, 10)
			from = limit.End
		}
	}
	return append(dst, c.Raw[from:]...)
}
