package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// maxCount is the largest token count that is believed: beyond any context
// window and far from overflowing a sum.
const maxCount = 1 << 40

// counts are the members of a usage object. Absent and null are -1.
type counts struct {
	prompt, completion, total         int64
	cached, written, audioIn, imageIn int64
	written30m, written12h            int64
	reasoning, audioOut, imageOut     int64

	names *usageNames
	why   string
	bill  bill
}

// usageNames are what an endpoint calls the counts that others name otherwise.
type usageNames struct {
	prompt, promptDetails, completion, completionDetails string
}

var (
	chatUsage     = usageNames{"prompt_tokens", "prompt_tokens_details", "completion_tokens", "completion_tokens_details"}
	responseUsage = usageNames{"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details"}
)

// The objects of a usage.
type usagePart uint8

const (
	usageWhole usagePart = iota
	usagePrompt
	usageWritten // of a cache, by lifetime
	usageCompletion
	usageCost
)

// readUsage turns OpenAI's usage object, in which details are parts of the
// totals, into disjoint meters. Where it contradicts itself it is unusable.
//
// Of prompt tokens, those cached or written to a cache come first: an image's
// tokens that were cached are cached tokens. Tokens of the total that are in
// neither part count as reasoning: some providers leave it out of
// completion_tokens and report it among the details all the same. Requests is 1.
func readUsage(r *dialect.Report, raw []byte, names *usageNames) {
	n := counts{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, names, "", bill{}}
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Object {
		n.why = "not an object"
	} else if err := n.object(&cur, usageWhole); err != nil {
		n.why = err.Error()
	}
	r.CostState, r.Cost = n.bill.amount()
	u, why := n.meters()
	if why != "" {
		r.State, r.Why, r.Usage = dialect.UsageUnusable, why, price.Usage{}
		return
	}
	r.State, r.Why, r.Usage = dialect.UsageReported, "", u
}

// object reads the members of one of the usage's objects.
func (n *counts) object(cur *jsonscan.Cursor, in usagePart) error {
	if err := cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if !more || err != nil {
			return err
		}
		name := cur.Doc[key.Start:key.End]
		k := cur.Kind()
		if part := n.part(in, name); part != usageWhole && k == jsonscan.Object {
			err = n.object(cur, part)
		} else if field := n.field(in, name); field != nil && k != jsonscan.Null {
			err = n.read(cur, k, field)
		} else if n.bill.has(in, name) && k != jsonscan.Null {
			err = n.bill.read(cur, k, name)
		} else {
			err = cur.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// part is the object that the member name of in is; usageWhole for none.
func (n *counts) part(in usagePart, name []byte) usagePart {
	switch {
	case in == usageWhole && string(name) == n.names.promptDetails:
		return usagePrompt
	case in == usageWhole && string(name) == n.names.completionDetails:
		return usageCompletion
	case in == usagePrompt && string(name) == "cache_write_tokens_details":
		return usageWritten
	case in == usageWhole && string(name) == "cost_details":
		return usageCost
	}
	return usageWhole
}

func (n *counts) field(in usagePart, name []byte) *int64 {
	switch in {
	case usageWhole:
		switch string(name) {
		case n.names.prompt:
			return &n.prompt
		case n.names.completion:
			return &n.completion
		case "total_tokens":
			return &n.total
		}
	case usagePrompt:
		switch string(name) {
		case "cached_tokens":
			return &n.cached
		case "cache_write_tokens":
			return &n.written
		case "audio_tokens":
			return &n.audioIn
		case "image_tokens":
			return &n.imageIn
		}
	case usageWritten:
		switch string(name) {
		case "ttl_30m_tokens":
			return &n.written30m
		case "ttl_12h_tokens":
			return &n.written12h
		}
	case usageCompletion:
		switch string(name) {
		case "reasoning_tokens":
			return &n.reasoning
		case "audio_tokens":
			return &n.audioOut
		case "image_tokens":
			return &n.imageOut
		}
	}
	return nil
}

func (n *counts) read(cur *jsonscan.Cursor, k jsonscan.Kind, field *int64) error {
	if k != jsonscan.Number {
		n.why = "a count that is not a number"
		return cur.Skip()
	}
	v, whole, err := cur.Int()
	switch {
	case err != nil:
		return err
	case !whole || v < 0 || v > maxCount:
		n.why = "a count out of range"
	case *field >= 0 && *field != v:
		n.why = "a count given twice"
	}
	*field = v
	return nil
}

// meters makes the counts disjoint, or says why they cannot be.
func (n *counts) meters() (price.Usage, string) {
	switch {
	case n.why != "":
		return price.Usage{}, n.why
	case n.prompt < 0 && n.completion < 0:
		return price.Usage{}, "no counts"
	case n.prompt < 0:
		return price.Usage{}, "no " + n.names.prompt
	}
	zero := func(v int64) int64 { return max(v, 0) }
	prompt, completion := n.prompt, zero(n.completion)
	short, long := zero(n.written30m), zero(n.written12h)
	cached, written := zero(n.cached), max(zero(n.written), short+long)
	audioIn, imageIn := zero(n.audioIn), zero(n.imageIn)
	reasoning, audioOut, imageOut := zero(n.reasoning), zero(n.audioOut), zero(n.imageOut)
	total := n.total
	if total <= 0 {
		total = prompt + completion
	}
	beside := total - prompt - completion
	reasoning = max(reasoning-beside, 0) // what of it is a part of completion
	switch {
	case cached+written > prompt:
		return price.Usage{}, "more cached than prompt tokens"
	case audioIn > prompt || imageIn > prompt:
		return price.Usage{}, "more audio or image than prompt tokens"
	case beside < 0:
		return price.Usage{}, "total_tokens is less than its parts"
	case reasoning+audioOut+imageOut > completion:
		return price.Usage{}, "details exceed " + n.names.completion
	}
	var u price.Usage
	u[price.CacheRead] = cached
	u[price.CacheWrite30m], u[price.CacheWrite12h], u[price.CacheWriteOther] = short, long, written-short-long
	rest := prompt - cached - written
	u[price.AudioIn] = min(audioIn, rest)
	rest -= u[price.AudioIn]
	u[price.ImageIn] = min(imageIn, rest)
	u[price.InputText] = rest - u[price.ImageIn]
	u[price.OutputReasoning] = reasoning + beside
	u[price.AudioOut], u[price.ImageOut] = audioOut, imageOut
	u[price.OutputText] = completion - reasoning - audioOut - imageOut
	u[price.Requests] = 1
	return u, ""
}
