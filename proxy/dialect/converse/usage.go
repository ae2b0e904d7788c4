package converse

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// maxCount is the largest count that is believed: beyond any context window and far
// from overflowing a sum.
const maxCount = 1 << 40

// counts are what a usage object says.
type counts struct {
	given                bool
	input, output, total int64
	cached, written      int64
	written5m, written1h int64
	hasInput, hasOutput  bool
	hasTotal             bool
	why                  string
}

// read takes a usage object.
func (n *counts) read(raw []byte) {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	switch cur.Kind() {
	case jsonscan.Null:
		return
	case jsonscan.Object:
	default:
		n.given, n.why = true, "not an object"
		return
	}
	n.given = true
	seen := map[string]bool{}
	err := cur.EachMember(func(key jsonscan.Str) error {
		name := cur.Text(key)
		if seen[name] {
			n.why = "a count given twice"
		}
		seen[name] = true
		switch name {
		case "inputTokens":
			return n.count(&cur, &n.input, &n.hasInput)
		case "outputTokens":
			return n.count(&cur, &n.output, &n.hasOutput)
		case "totalTokens":
			return n.count(&cur, &n.total, &n.hasTotal)
		case "cacheReadInputTokens":
			return n.count(&cur, &n.cached, nil)
		case "cacheWriteInputTokens":
			return n.count(&cur, &n.written, nil)
		case "cacheDetails":
			return n.details(&cur)
		}
		return cur.Skip()
	})
	if err != nil {
		n.why = err.Error()
	}
}

func (n *counts) count(cur *jsonscan.Cursor, to *int64, has *bool) error {
	switch cur.Kind() {
	case jsonscan.Null:
		return cur.Null()
	case jsonscan.Number:
	default:
		n.why = "a count that is not a number"
		return cur.Skip()
	}
	v, whole, err := cur.Int()
	if !whole || v < 0 || v > maxCount {
		n.why, v = "a count out of range", 0
	}
	*to = v
	if has != nil {
		*has = true
	}
	return err
}

// maxDetails bounds the lifetimes of one answer.
const maxDetails = 16

// details adds up what was written to caches, by lifetime.
func (n *counts) details(cur *jsonscan.Cursor) error {
	if cur.Kind() != jsonscan.Array {
		return cur.Skip()
	}
	return cur.EachElement(func(i int) error {
		if i == maxDetails {
			n.why = "too many details of what was cached"
		}
		if cur.Kind() != jsonscan.Object {
			n.why = "a detail that is not an object"
			return cur.Skip()
		}
		ttl, tokens := "", int64(0)
		err := cur.EachMember(func(key jsonscan.Str) error {
			switch name := string(cur.Name(key)); {
			case name == "inputTokens":
				return n.count(cur, &tokens, nil)
			case name == "ttl" && cur.Kind() == jsonscan.String:
				s, err := cur.String()
				ttl = string(cur.Name(s))
				return err
			}
			return cur.Skip()
		})
		switch ttl { // of any other it is a write of unstated lifetime
		case "5m":
			n.written5m = min(n.written5m+tokens, maxCount)
		case "1h":
			n.written1h = min(n.written1h+tokens, maxCount)
		}
		return err
	})
}

// meters gives the counts by meter, or says why they cannot be. The three of the
// input are disjoint.
func (n *counts) meters() (price.Usage, string) {
	least := n.input + n.output
	all := least + n.cached + n.written
	switch {
	case n.why != "":
		return price.Usage{}, n.why
	case !n.hasInput:
		return price.Usage{}, "no inputTokens"
	case !n.hasOutput:
		return price.Usage{}, "no outputTokens"
	case n.written5m+n.written1h > n.written:
		return price.Usage{}, "the cacheDetails exceed cacheWriteInputTokens"
	case n.hasTotal && (n.total < least || n.total > all): // models differ in whether it has what was cached
		return price.Usage{}, "totalTokens is not the sum of its parts"
	}
	var u price.Usage
	u[price.InputText] = n.input
	u[price.CacheRead] = n.cached
	u[price.CacheWrite5m] = n.written5m
	u[price.CacheWrite1h] = n.written1h
	u[price.CacheWriteOther] = n.written - n.written5m - n.written1h
	u[price.OutputText] = n.output
	u[price.Requests] = 1
	return u, ""
}

// report says in r what the counts amount to.
func (n *counts) report(r *dialect.Report) {
	u, why := n.meters()
	if why != "" {
		r.State, r.Why, r.Usage = dialect.UsageUnusable, why, price.Usage{}
		return
	}
	r.State, r.Why, r.Usage = dialect.UsageReported, "", u
}
