package gemini

import (
	"bytes"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// maxCount is the largest token count that is believed: beyond any context
// window and far from overflowing a sum.
const maxCount = 1 << 40

// counts are the members of a usageMetadata object.
type counts struct {
	has                                               bool // promptTokenCount is there
	prompt, cached, candidates, thoughts, tool, total int64
	promptBy, cacheBy, candidatesBy, toolBy           kinds
	tier, traffic                                     string
	why                                               string
	met                                               seen
}

// kinds are tokens by what they stand for. Text is the rest of a total.
type kinds struct{ audio, image int64 }

const (
	uPrompt = iota + 1
	uCached
	uCandidates
	uThoughts
	uTool
	uTotal
	uPromptBy
	uCacheBy
	uCandidatesBy
	uToolBy
	uEmbeddingBy
	uTier
	uTraffic
)

var usageNames = newNames("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
	"toolUsePromptTokenCount", "totalTokenCount", "promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails",
	"toolUsePromptTokensDetails", "promptTokenDetails", "serviceTier", "trafficType")

// readUsage turns Google's usageMetadata into disjoint meters. Where it
// contradicts itself it is unusable.
//
// Cached tokens are a part of the prompt, tokens of tools are not; thoughts come
// on top of the candidates. Tokens of the total that are in no part count as
// reasoning. Cached tokens of sound, for which the catalogue has no meter, count
// as sound that was not cached: never less than what is billed. Requests is 1.
func readUsage(r *dialect.Report, raw []byte) {
	var n counts
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Object {
		n.why = "not an object"
	} else if err := n.read(&cur); err != nil {
		n.why = err.Error()
	}
	if tier := n.serviceTier(); tier != "" {
		r.ServiceTier = tier
	}
	u, why := n.meters()
	if why != "" {
		r.State, r.Why, r.Usage = dialect.UsageUnusable, why, price.Usage{}
		return
	}
	r.State, r.Why, r.Usage = dialect.UsageReported, "", u
}

func (n *counts) read(cur *jsonscan.Cursor) error {
	return cur.EachMember(func(key jsonscan.Str) error { return n.member(cur, key) })
}

func (n *counts) member(cur *jsonscan.Cursor, key jsonscan.Str) error {
	field, exact := usageNames.find(cur.Name(key))
	if !exact || field == 0 || cur.Kind() == jsonscan.Null {
		return cur.Skip()
	}
	if !n.met.add(field) {
		n.why = "a member given twice"
	}
	var to *int64
	var by *kinds
	switch field {
	case uPrompt:
		n.has, to = true, &n.prompt
	case uCached:
		to = &n.cached
	case uCandidates:
		to = &n.candidates
	case uThoughts:
		to = &n.thoughts
	case uTool:
		to = &n.tool
	case uTotal:
		to = &n.total
	case uPromptBy, uEmbeddingBy:
		by = &n.promptBy
	case uCacheBy:
		by = &n.cacheBy
	case uCandidatesBy:
		by = &n.candidatesBy
	case uToolBy:
		by = &n.toolBy
	case uTier:
		return label(cur, &n.tier)
	case uTraffic:
		return label(cur, &n.traffic)
	}
	if to != nil {
		return n.count(cur, to)
	}
	return n.details(cur, by)
}

func (n *counts) count(cur *jsonscan.Cursor, to *int64) error {
	if cur.Kind() != jsonscan.Number {
		n.why = "a count that is not a number"
		return cur.Skip()
	}
	v, whole, err := cur.Int()
	if !whole || v < 0 || v > maxCount {
		n.why = "a count out of range"
	}
	*to = v
	return err
}

// details reads a list of modality and tokenCount.
func (n *counts) details(cur *jsonscan.Cursor, to *kinds) error {
	if cur.Kind() != jsonscan.Array {
		return cur.Skip()
	}
	return cur.EachElement(func(int) error { return n.detail(cur, to) })
}

func (n *counts) detail(cur *jsonscan.Cursor, to *kinds) error {
	if cur.Kind() != jsonscan.Object {
		return cur.Skip()
	}
	if err := cur.Open(); err != nil {
		return err
	}
	modality, tokens := "", int64(0)
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch k := cur.Kind(); {
		case string(cur.Name(key)) == "modality" && k == jsonscan.String:
			err = label(cur, &modality)
		case k == jsonscan.Number && bytes.HasPrefix(cur.Name(key), []byte("token")): // tokenCount, token_count
			err = n.count(cur, &tokens)
		default:
			err = cur.Skip()
		}
		if err != nil {
			return err
		}
	}
	switch modality {
	case "AUDIO":
		to.audio = min(to.audio+tokens, maxCount+1)
	case "IMAGE", "VIDEO":
		to.image = min(to.image+tokens, maxCount+1)
	}
	return nil
}

// label reads a short string and any other value over.
func label(cur *jsonscan.Cursor, to *string) error {
	if cur.Kind() != jsonscan.String {
		return cur.Skip()
	}
	s, err := cur.String()
	if err == nil && s.Len <= maxTier {
		*to = cur.Text(s)
	}
	return err
}

// serviceTier is the tier that was billed, by our names: what usage calls it,
// else what the kind of traffic says.
func (n *counts) serviceTier() string {
	tier := strings.TrimPrefix(strings.ToLower(n.tier), "service_tier_")
	if tier != "" && tier != "unspecified" {
		return tier
	}
	switch n.traffic {
	case "", "TRAFFIC_TYPE_UNSPECIFIED":
		return ""
	case "ON_DEMAND", "ON_DEMAND_OFFPEAK": // for a discount there is no meter
		return standardTier
	case "ON_DEMAND_FLEX":
		return "flex"
	case "ON_DEMAND_PRIORITY":
		return "priority"
	case "PROVISIONED_THROUGHPUT":
		return "scale"
	}
	return n.traffic
}

// meters makes the counts disjoint, or says why they cannot be.
func (n *counts) meters() (price.Usage, string) {
	sum := n.prompt + n.tool + n.candidates + n.thoughts
	audio, image := n.promptBy.audio+n.toolBy.audio, n.promptBy.image+n.toolBy.image
	switch {
	case n.why != "":
		return price.Usage{}, n.why
	case !n.has:
		return price.Usage{}, "no promptTokenCount"
	case n.cached > n.prompt:
		return price.Usage{}, "more cached than prompt tokens"
	case n.promptBy.audio+n.promptBy.image > n.prompt, n.toolBy.audio+n.toolBy.image > n.tool,
		n.candidatesBy.audio+n.candidatesBy.image > n.candidates, n.cacheBy.audio+n.cacheBy.image > n.cached:
		return price.Usage{}, "details exceed their total"
	case n.cacheBy.audio > n.promptBy.audio || n.cacheBy.image > n.promptBy.image:
		return price.Usage{}, "more cached than prompt tokens of a kind"
	case n.total > 0 && n.total < sum:
		return price.Usage{}, "totalTokenCount is less than its parts"
	}
	var u price.Usage
	u[price.CacheRead] = n.cached - n.cacheBy.audio
	rest := n.prompt + n.tool - u[price.CacheRead]
	u[price.AudioIn] = min(audio, rest)
	rest -= u[price.AudioIn]
	u[price.ImageIn] = min(image-n.cacheBy.image, rest)
	u[price.InputText] = rest - u[price.ImageIn]
	u[price.OutputReasoning] = n.thoughts + max(n.total-sum, 0)
	u[price.AudioOut], u[price.ImageOut] = n.candidatesBy.audio, n.candidatesBy.image
	u[price.OutputText] = n.candidates - n.candidatesBy.audio - n.candidatesBy.image
	u[price.Requests] = 1
	return u, ""
}
