package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// maxCount is the largest count that is believed: beyond any context window and
// far from overflowing a sum.
const maxCount = 1 << 40

// counts are what usage objects said until now. -1 is what none has said: absent
// and null leave a count as it is, since those of a stream are cumulative.
type counts struct {
	input, written, read, output int64
	written5m, written1h         int64
	thinking                     int64
	searches, fetches            int64
	compactions                  price.Usage // of iterations: not in the totals
	tier, speed, geo             string
	why                          string
}

func newCounts() counts {
	return counts{input: -1, written: -1, read: -1, output: -1, written5m: -1, written1h: -1, thinking: -1, searches: -1, fetches: -1}
}

// add takes one usage object. given is false for one that is null.
func (n *counts) add(raw []byte) (given bool) {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	switch cur.Kind() {
	case jsonscan.Null:
		return false
	case jsonscan.Object:
		if err := n.object(&cur, ""); err != nil {
			n.why = err.Error()
		}
	default:
		n.why = "not an object"
	}
	return true
}

// object reads the members of a usage object (in is "") or of a part of it.
func (n *counts) object(cur *jsonscan.Cursor, in string) error {
	var seen fields
	return cur.EachMember(func(key jsonscan.Str) error {
		name := cur.Doc[key.Start:key.End]
		k := cur.Kind()
		field, bit := n.field(in, name)
		switch {
		case k == jsonscan.Null:
			return cur.Skip()
		case field != nil:
			if seen.has(bit) {
				n.why = "a count given twice"
			}
			seen |= 1 << bit
			return n.count(cur, k, field)
		case in == "":
			return n.part(cur, k, name)
		default:
			return cur.Skip()
		}
	})
}

func (n *counts) field(in string, name []byte) (*int64, int) {
	switch in + "." + string(name) {
	case ".input_tokens":
		return &n.input, 0
	case ".cache_creation_input_tokens":
		return &n.written, 1
	case ".cache_read_input_tokens":
		return &n.read, 2
	case ".output_tokens":
		return &n.output, 3
	case "cache_creation.ephemeral_5m_input_tokens":
		return &n.written5m, 4
	case "cache_creation.ephemeral_1h_input_tokens":
		return &n.written1h, 5
	case "output_tokens_details.thinking_tokens":
		return &n.thinking, 6
	case "server_tool_use.web_search_requests":
		return &n.searches, 7
	case "server_tool_use.web_fetch_requests":
		return &n.fetches, 8
	}
	return nil, 0
}

// part reads a member of the usage object that is not a count itself.
func (n *counts) part(cur *jsonscan.Cursor, k jsonscan.Kind, name []byte) error {
	switch {
	case k == jsonscan.Object:
		switch string(name) {
		case "cache_creation":
			return n.object(cur, "cache_creation")
		case "output_tokens_details":
			return n.object(cur, "output_tokens_details")
		case "server_tool_use":
			return n.object(cur, "server_tool_use")
		}
	case k == jsonscan.Array && string(name) == "iterations":
		n.compactions = price.Usage{}
		return n.iterations(cur)
	case k == jsonscan.String:
		switch string(name) {
		case "service_tier":
			return text(cur, &n.tier)
		case "speed":
			return text(cur, &n.speed)
		case "inference_geo":
			return text(cur, &n.geo)
		}
	}
	return cur.Skip()
}

func text(cur *jsonscan.Cursor, to *string) error {
	s, err := cur.String()
	if err == nil && s.Len <= maxWord && string(cur.Name(s)) != *to {
		*to = cur.Text(s)
	}
	return err
}

func (n *counts) count(cur *jsonscan.Cursor, k jsonscan.Kind, field *int64) error {
	if k != jsonscan.Number {
		n.why = "a count that is not a number"
		return cur.Skip()
	}
	v, whole, err := cur.Int()
	if err != nil {
		return err
	}
	if !whole || v < 0 || v > maxCount {
		n.why = "a count out of range"
		v = 0
	}
	*field = v
	return nil
}

// maxIterations bounds the iterations of one answer.
const maxIterations = 1_024

// iterations adds up the compactions. Those of other models make usage unusable:
// the call was not held at their price.
func (n *counts) iterations(cur *jsonscan.Cursor) error {
	count := 0
	return cur.EachElement(func(int) error {
		if count++; count > maxIterations {
			n.why = "too many iterations"
		}
		if cur.Kind() != jsonscan.Object {
			n.why = "an iteration that is not an object"
			return cur.Skip()
		}
		start := cur.Pos
		kind, err := iterationType(cur)
		if err != nil {
			return err
		}
		n.iteration(kind, cur.Doc[start:cur.Pos])
		return nil
	})
}

func (n *counts) iteration(kind string, raw []byte) {
	switch kind {
	case "message":
	case "compaction":
		one := newCounts()
		one.add(raw)
		u, why := one.meters()
		if why != "" {
			n.why = "a compaction: " + why
			return
		}
		for m := range u {
			n.compactions[m] += u[m]
		}
		n.compactions[price.Requests] = 0
	case "advisor_message", "fallback_message":
		n.why = "an iteration of another model"
	default:
		n.why = "an iteration of unknown type"
	}
}

// iterationType reads over an object and gives its type.
func iterationType(cur *jsonscan.Cursor) (kind string, err error) {
	if err := cur.Open(); err != nil {
		return "", err
	}
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if !more || err != nil {
			return kind, err
		}
		if string(cur.Doc[key.Start:key.End]) == "type" && cur.Kind() == jsonscan.String {
			err = text(cur, &kind)
		} else {
			err = cur.Skip()
		}
		if err != nil {
			return "", err
		}
	}
}

// meters gives the counts by meter, or says why they cannot be. The three of the
// input are disjoint, and thinking is a part of the output.
func (n *counts) meters() (price.Usage, string) {
	zero := func(v int64) int64 { return max(v, 0) }
	short, long := zero(n.written5m), zero(n.written1h)
	switch {
	case n.why != "":
		return price.Usage{}, n.why
	case n.input < 0:
		return price.Usage{}, "no input_tokens"
	case n.output < 0:
		return price.Usage{}, "no output_tokens"
	case n.written >= 0 && short+long > n.written:
		return price.Usage{}, "the parts of cache_creation exceed cache_creation_input_tokens"
	case zero(n.thinking) > n.output:
		return price.Usage{}, "thinking_tokens exceed output_tokens"
	}
	u := n.compactions
	u[price.InputText] += n.input
	u[price.CacheRead] += zero(n.read)
	u[price.CacheWrite5m] += short
	u[price.CacheWrite1h] += long
	u[price.CacheWriteOther] += max(zero(n.written)-short-long, 0)
	u[price.OutputReasoning] += zero(n.thinking)
	u[price.OutputText] += n.output - zero(n.thinking)
	u[price.WebSearch] += zero(n.searches)
	u[price.WebFetch] += zero(n.fetches)
	u[price.Requests] = 1
	return u, ""
}

// report says in r what the counts amount to.
func (n *counts) report(r *dialect.Report) {
	r.ServiceTier, r.Region = n.billedTier(), n.geo
	u, why := n.meters()
	if why != "" {
		r.State, r.Why, r.Usage = dialect.UsageUnusable, why, price.Usage{}
		return
	}
	r.State, r.Why, r.Usage = dialect.UsageReported, "", u
}

// billedTier is the tier by the catalogue's names.
func (n *counts) billedTier() string {
	switch {
	case n.speed == "fast":
		return "fast"
	case n.tier == "priority":
		return "scale"
	}
	return n.tier
}
