package proxy

import (
	"encoding/binary"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/lever"
	"purser/proxy/price"
	"purser/proxy/promptcache"
)

// cacheHints is what is done so that the provider's own prompt cache serves as much of a call
// as pays.
type cacheHints struct {
	prompt   promptcache.Prompt
	plan     promptcache.Plan
	key      string       // that OpenAI groups the call by, "" for none
	unmarked dialect.Call // the call without marks, while it has some
	marked   bool
}

// readers read the prompts of calls by the format that goes upstream.
var promptReaders = [wires]func(*promptcache.Prompt, []byte, promptcache.Hash){
	OpenAI:          (*promptcache.Prompt).ReadChat,
	OpenAIResponses: (*promptcache.Prompt).ReadResponses,
	Anthropic:       (*promptcache.Prompt).ReadAnthropic,
	Gemini:          (*promptcache.Prompt).ReadGemini,
	Converse:        (*promptcache.Prompt).ReadConverse,
}

// hint plans how the call is sent, and gives it the marks and the key of the plan. It
// cannot fail: a call that cannot be marked goes as it is. What is marked is decoded
// again, so that the hold covers what the cache's writes cost.
func (x *exchange) hint() {
	h, set := &x.hints, x.levers.PromptCache
	h.plan, h.key, h.marked = promptcache.Plan{}, "", false // of the candidate before
	talks := x.call.Endpoint == dialect.Chat || x.call.Endpoint == dialect.Responses
	if set.Mode == lever.PromptCacheOff || !talks || int64(len(x.call.Raw)) < leastHinted || !x.hintable(set) {
		return
	}
	seed := promptcache.Seed(x.tenant())
	read := promptReaders[x.route_.wire]
	read(&h.prompt, x.call.Raw, seed)
	if set.ReorderTools && set.Mode == lever.PromptCacheCoordinate {
		if body, moved := h.prompt.AppendOrdered(nil, x.call.Raw); moved && x.replace(body) {
			read(&h.prompt, x.call.Raw, seed)
		}
	}
	terms := x.cacheTerms(set)
	h.plan = x.g.learner.Visit(&h.prompt, &terms, x.rec.At)
	if set.Mode != lever.PromptCacheCoordinate {
		h.plan = promptcache.Plan{}
		return
	}
	if !h.plan.Home.Zero() && x.route_.up.CacheKey && !h.prompt.Keyed {
		h.key = h.plan.Home.Key()
	}
	if len(h.plan.Marks) == 0 {
		return
	}
	if h.marked = x.replace(h.prompt.AppendMarked(nil, x.call.Raw, h.plan.Marks)); h.marked {
		x.rec.Shape.Breakpoints = int64(len(h.plan.Marks))
	} else {
		h.plan = promptcache.Plan{Home: h.plan.Home}
	}
}

// hintable says whether anything that reading the prompt tells can make a difference to
// how it is sent: it takes as long as everything else that the gateway does with it.
func (x *exchange) hintable(set *lever.PromptCache) bool {
	up := x.route_.up
	return up.CacheKey || up.Pool != nil || set.ReorderTools || up.takesMarks(x.route_.sent)
}

// leastHinted is the shortest body that is looked at, in bytes: no provider keeps
// prompts of less than 512 tokens.
const leastHinted = 2048

// cacheTerms are what the upstream's cache asks for and costs.
func (x *exchange) cacheTerms(set *lever.PromptCache) promptcache.Terms {
	c := &x.route_
	t := promptcache.Terms{
		Scope:     promptcache.Seed(c.up.Name + "\x00" + c.model),
		MinTokens: max(set.MinTokens, promptcache.Shortest(c.model)),
	}
	if x.g.seams.Nodes != nil {
		t.Nodes = x.g.seams.Nodes()
	}
	if x.judged.bounded { // by the call without marks, which it has to stay within
		return t
	}
	if set.Mode != lever.PromptCacheCoordinate || !c.up.takesMarks(c.sent) || !c.rate.Prices(price.CacheRead) {
		return t
	}
	tokens := int64(len(x.call.Raw)) / bytesPerToken
	of := func(m price.Meter) int64 { return c.rate.Price(m, c.tier, tokens) }
	t.Marks = true
	t.Input, t.Read, t.Write5, t.Write60 = of(price.InputText), of(price.CacheRead), of(price.CacheWrite5m), of(price.CacheWrite1h)
	t.Hour = c.wire == Anthropic && set.MaxLifetime >= time.Hour && c.rate.Prices(price.CacheWrite1h)
	return t
}

// takesMarks says whether the upstream takes marks of prompts in calls of the model that
// it knows by this name.
func (u *Upstream) takesMarks(model string) bool {
	return slices.ContainsFunc(u.CacheMarks, func(pattern string) bool {
		ok, err := path.Match(pattern, model)
		return ok && err == nil
	})
}

// replace puts another body in the place of the one that goes upstream. It is false, and
// nothing has changed, where that is not a call any more.
func (x *exchange) replace(body []byte) bool {
	t := x.target()
	if x.translated() {
		t = spoken(x.route_.wire, x.route_.model, x.call.Stream)
	}
	h := &x.hints
	h.unmarked, x.call = x.call, h.unmarked
	if e := x.there().Decode(&x.call, t, body); e != nil {
		x.g.log.Error("a call with marks for the provider's cache cannot be read; it goes without", "request", x.rec.ID, "upstream", x.route_.up.Name)
		h.unmarked, x.call = x.call, h.unmarked
		return false
	}
	x.call.Model = h.unmarked.Model // that a route may have chosen
	return true
}

// unmark takes the marks out again, and says whether there were any: writing to a cache
// is dearer than not to, and where a budget has no room for that it may have for the
// call.
func (x *exchange) unmark() bool {
	h := &x.hints
	if !h.marked {
		return false
	}
	h.unmarked, x.call = x.call, h.unmarked
	h.marked, h.plan.Marks = false, nil
	x.rec.Shape.Breakpoints = 0
	return true
}

// remembered notes that the provider has kept what it was asked to.
func (x *exchange) remembered(u *price.Usage) {
	if !x.hints.marked {
		return
	}
	for _, m := range cacheMeters {
		if u[m] > 0 {
			x.g.learner.Confirm(&x.hints.plan, x.rec.At)
			return
		}
	}
}

// lot decides which credential of a pool the call goes to: the one that calls with the
// same beginning go to, or any, where that is of no use.
func (x *exchange) lot() uint64 {
	if home := x.hints.plan.Home; !home.Zero() {
		return binary.BigEndian.Uint64(home[:])
	}
	return rand.Uint64()
}

// maxKeptBlocks bounds the memory of a prompt that a recycled exchange keeps.
const maxKeptBlocks = 4096

func (h *cacheHints) clear() {
	h.unmarked.Reset()
	h.plan, h.key, h.marked = promptcache.Plan{}, "", false
	if cap(h.prompt.Blocks) > maxKeptBlocks {
		h.prompt = promptcache.Prompt{}
	}
}
