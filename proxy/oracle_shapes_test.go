package proxy

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

// shape is one answer of a provider, as it was recorded from one or as one of its
// SDKs declares it, and what the calculator is asked about it.
type shape struct {
	name     string
	provider string // as catalogue and calculator name it
	flavor   string // of the calculator's extractors
	path     string
	model    string
	request  object
	stream   bool
	foreign  bool // the upstream speaks Converse, which no client does
	answer   string

	rule rule
	// What makes the calculator's answer comparable where there is a rule.
	asked []string // instead of the answer
	add   object   // usage beside it, by the calculator's names
	times *big.Rat
	plus  int64 // nano-dollars
}

type object = map[string]any

// rule is why the calculator cannot know what an answer costs. Each says what it
// is to be asked instead, so that costs are compared there too.
type rule string

// The rules. There are no others: a difference without one fails the test, and so
// does a rule that explains nothing.
const (
	noRule       rule = ""
	tierBilled   rule = "service tier or speed: the calculator has no tiers"
	tierUntold   rule = "no tier told: the dearest that the model lists is taken"
	regionBilled rule = "region: the calculator has no regions"
	regionUntold rule = "no region told: the dearest that may have served the call"
	compacted    rule = "compaction: not in the totals that the calculator reads"
	heardBefore  rule = "cached sound: there is no meter for it, it costs as sound"
	outside      rule = "tokens of the total that are in no part count as reasoning"
	untoldTTL    rule = "cache write of untold lifetime: the longest the call asked for"
	toolItems    rule = "tool calls are items of the answer, which no extractor reads"
	overlaySound rule = "sound of a model that the calculator has no price of sound for"
	searchFee    rule = "a model that searches with every call: a fee for the request"
)

var rules = []rule{tierBilled, tierUntold, regionBilled, regionUntold, compacted, heardBefore, outside, untoldTTL, toolItems, overlaySound, searchFee}

// shapes are the recorded ones, and rounds of random ones of each provider and
// endpoint, whole and streamed.
func shapes(seed uint64, rounds int) []shape {
	d := draw{rand.New(rand.NewPCG(seed, 0))}
	var all []shape
	for _, s := range recorded() {
		all = append(all, s, s.streamed())
	}
	for round := 0; round < rounds || round < 8*rounds && rare(all) > 0; round++ {
		for _, one := range []func(draw) shape{
			draw.chat, draw.chat, draw.sound, draw.searching, draw.reseller, draw.reseller, draw.completion, draw.embedding, draw.response, draw.response,
			draw.message, draw.message, draw.message, draw.generated, draw.generated, draw.generated, draw.conversed,
		} {
			s := one(d)
			all = append(all, s)
			if s.flavor != "embeddings" && !s.foreign {
				all = append(all, s.streamed())
			}
		}
	}
	for i := range all {
		all[i].name = fmt.Sprintf("%d %s %s %s stream=%v", i, all[i].provider, all[i].path, all[i].model, all[i].stream)
	}
	return all
}

// rare is how many rules hardly any shape comes under.
func rare(all []shape) (n int) {
	met := map[rule]int{}
	for i := range all {
		met[all[i].rule]++
	}
	for _, r := range rules {
		if met[r] < 4 && r != regionUntold { // which is among the recorded ones
			n++
		}
	}
	return n
}

// draw makes random shapes.
type draw struct{ *rand.Rand }

func (d draw) of(names ...string) string { return names[d.IntN(len(names))] }

// tokens is a count of any magnitude up to a long prompt's.
func (d draw) tokens() int {
	return d.IntN(10) + d.IntN(1<<d.IntN(19))
}

// part is some of n, none in a third of the cases.
func (d draw) part(n int) int {
	if d.IntN(3) == 0 {
		return 0
	}
	return d.IntN(n + 1)
}

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	return r
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// copied is an object that can be changed without the one it is made from.
func copied(o object) object {
	var c object
	if err := json.Unmarshal([]byte(encode(o)), &c); err != nil {
		panic(err)
	}
	return c
}

// chat is an answer of OpenAI's chat completions.
func (d draw) chat() shape {
	s := shape{provider: "openai", flavor: "chat", path: "/v1/chat/completions"}
	s.model = d.of("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-5", "gpt-5-mini", "gpt-5-nano",
		"gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-mini", "gpt-5.5", "gpt-5.6-sol", "gpt-6-astra", "gpt-6-sol", "o3", "o4-mini", "o1", "gpt-4-turbo", "gpt-3.5-turbo")
	usage := d.chatUsage(s.model)
	answer := object{"id": "chatcmpl-1", "object": "chat.completion", "model": s.model, "service_tier": "default", "system_fingerprint": "fp_1",
		"choices": []any{object{"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": "Hi.", "refusal": nil}}}, "usage": usage}
	s.request = object{"model": s.model, "max_completion_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}}
	d.openAIRule(&s, answer)
	s.answer = encode(answer)
	return s
}

func (d draw) chatUsage(model string) object {
	prompt, completion := d.tokens(), d.tokens()
	cached := d.part(prompt)
	details := object{"cached_tokens": cached, "audio_tokens": 0}
	if strings.HasPrefix(model, "gpt-5.6") || strings.HasPrefix(model, "gpt-6") {
		details["cache_write_tokens"] = d.part(prompt - cached)
	}
	return object{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, "prompt_tokens_details": details,
		"completion_tokens_details": object{"reasoning_tokens": d.part(completion), "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}
}

// openAIRule puts into some answers what the calculator does not know.
func (d draw) openAIRule(s *shape, answer object) {
	type priced struct{ tier, times string }
	known := map[string][]priced{ // of the catalogue's overlay
		"gpt-5": {{"flex", "1/2"}, {"priority", "2"}}, "o3": {{"flex", "1/2"}, {"priority", "7/4"}}, "gpt-4.1": {{"priority", "7/4"}}, "gpt-5.1": {{"priority", "2"}},
	}[s.model]
	switch {
	case len(known) > 0 && d.IntN(3) == 0:
		p := known[d.IntN(len(known))]
		s.rule, s.times, answer["service_tier"] = tierBilled, rat(p.times), p.tier
		s.request["service_tier"] = p.tier
		if p.tier == "priority" && d.IntN(2) == 0 {
			s.request["service_tier"] = "fast" // answered by another name
		}
	case len(known) > 0 && d.IntN(2) == 0:
		s.rule, s.times = tierUntold, rat(known[len(known)-1].times)
		delete(answer, "service_tier")
	}
}

// sound is a chat answer with audio in and out.
func (d draw) sound() shape {
	s := d.chat()
	s.model, s.rule, s.times = d.of("gpt-audio", "gpt-audio-mini", "gpt-4o-audio-preview"), noRule, nil
	prompt, completion := d.tokens(), d.tokens()
	audioIn, audioOut := d.part(prompt), d.part(completion)
	answer := object{"id": "chatcmpl-2", "object": "chat.completion", "model": s.model, "service_tier": "default",
		"choices": []any{object{"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": nil, "audio": object{"id": "audio_1", "data": "AAAA", "transcript": "Hi."}}}},
		"usage": object{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
			"prompt_tokens_details":     object{"audio_tokens": audioIn, "text_tokens": prompt - audioIn, "cached_tokens": 0, "image_tokens": 0},
			"completion_tokens_details": object{"audio_tokens": audioOut, "text_tokens": completion - audioOut, "reasoning_tokens": 0}}}
	s.request = object{"model": s.model, "max_completion_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}}
	if s.model == "gpt-4o-audio-preview" && audioIn+audioOut > 0 {
		s.rule, s.plus = overlaySound, int64(audioIn)*(40_000-2_500)+int64(audioOut)*(80_000-10_000)
	}
	s.answer = encode(answer)
	return s
}

// searching is a chat answer of a model that searches with every call.
func (d draw) searching() shape {
	s := shape{provider: "openai", flavor: "chat", path: "/v1/chat/completions", model: "gpt-4o-search-preview", rule: searchFee, plus: 50_000_000}
	s.request = object{"model": s.model, "max_completion_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}}
	prompt, completion := d.tokens(), d.tokens()
	s.answer = encode(object{"id": "chatcmpl-3", "object": "chat.completion", "model": s.model,
		"choices": []any{object{"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": "Hi.", "annotations": []any{}}}},
		"usage":   object{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}})
	return s
}

// reseller is a chat answer of a provider that speaks OpenAI's dialect.
func (d draw) reseller() shape {
	at := [][3]string{
		{"azure", "chat", "gpt-4o"}, {"azure", "chat", "gpt-5"}, {"azure", "chat", "o4-mini"},
		{"groq", "default", "openai/gpt-oss-120b"}, {"groq", "default", "llama-3.3-70b-versatile"}, {"deepseek", "chat", "deepseek-chat"}, {"deepseek", "chat", "deepseek-reasoner"},
		{"mistral", "default", "mistral-large-2512"}, {"mistral", "default", "mistral-medium-latest"}, {"fireworks", "chat", "accounts/fireworks/models/glm-5p1"},
		{"openrouter", "chat", "openai/gpt-4o-mini"}, {"openrouter", "chat", "anthropic/claude-sonnet-4.5"}, {"openrouter", "chat", "google/gemini-2.5-flash"},
		{"x-ai", "chat", "grok-4-0709"}, {"x-ai", "chat", "grok-4.3"}, {"x-ai", "chat", "grok-3-mini"},
	}[d.IntN(16)]
	s := shape{provider: at[0], flavor: at[1], path: "/v1/chat/completions", model: at[2]}
	s.request = object{"model": s.model, "max_completion_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}}
	usage := d.chatUsage(s.model)
	prompt, completion := usage["prompt_tokens"].(int), usage["completion_tokens"].(int)
	answer := object{"id": "gen-1", "object": "chat.completion", "model": s.model, "service_tier": "default",
		"choices": []any{object{"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": "Hi."}}}, "usage": usage}
	reasoning := d.tokens()
	switch {
	case s.provider == "x-ai": // leaves reasoning out of completion_tokens; so does the calculator
		usage["completion_tokens_details"] = object{"reasoning_tokens": reasoning}
		usage["total_tokens"] = prompt + completion + reasoning
	case s.provider != "azure" && d.IntN(3) == 0:
		usage["total_tokens"] = prompt + completion + reasoning + 1
		delete(usage, "completion_tokens_details")
		asked := copied(answer)
		asked["usage"].(object)["completion_tokens"] = completion + reasoning + 1
		s.rule, s.asked = outside, []string{encode(asked)}
	}
	s.answer = encode(answer)
	return s
}

// completion is an answer of the older completions.
func (d draw) completion() shape {
	model := "gpt-3.5-turbo-instruct"
	prompt, completion := d.tokens(), d.tokens()
	return shape{provider: "openai", flavor: "chat", path: "/v1/completions", model: model,
		request: object{"model": model, "max_tokens": 100, "prompt": "hello"},
		answer: encode(object{"id": "cmpl-1", "object": "text_completion", "model": model, "choices": []any{object{"index": 0, "text": "Hi.", "finish_reason": "stop", "logprobs": nil}},
			"usage": object{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}})}
}

func (d draw) embedding() shape {
	model, n := d.of("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"), d.tokens()
	return shape{provider: "openai", flavor: "embeddings", path: "/v1/embeddings", model: model, request: object{"model": model, "input": "hello"},
		answer: encode(object{"object": "list", "model": model, "data": []any{object{"object": "embedding", "index": 0, "embedding": []float64{0.5}}},
			"usage": object{"prompt_tokens": n, "total_tokens": n}})}
}

// response is an answer of OpenAI's responses.
func (d draw) response() shape {
	s := shape{provider: d.of("openai", "openai", "azure"), flavor: "responses", path: "/v1/responses"}
	s.model = d.of("gpt-4o", "gpt-4.1", "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.4", "gpt-5.5", "gpt-5.6-sol", "gpt-5.6-luna", "gpt-6-astra", "gpt-6-luna", "o3")
	s.request = object{"model": s.model, "max_output_tokens": 100, "input": "hello"}
	in, out := d.tokens(), d.tokens()
	cached := d.part(in)
	details := object{"cached_tokens": cached}
	if strings.HasPrefix(s.model, "gpt-5.6") || strings.HasPrefix(s.model, "gpt-6") {
		short, long := d.part((in-cached)/2), d.part((in-cached)/2)
		details["cache_write_tokens"] = short + long
		if d.IntN(2) == 0 {
			details["cache_write_tokens_details"] = object{"ttl_30m_tokens": short, "ttl_12h_tokens": long}
		}
	}
	output := []any{object{"id": "rs_1", "type": "reasoning", "summary": []any{}},
		object{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": []any{object{"type": "output_text", "text": "Hi.", "annotations": []any{}}}}}
	answer := object{"id": "resp_1", "object": "response", "status": d.of("completed", "completed", "incomplete"), "model": s.model, "service_tier": "default", "output": output,
		"usage": object{"input_tokens": in, "input_tokens_details": details, "output_tokens": out, "output_tokens_details": object{"reasoning_tokens": d.part(out)}, "total_tokens": in + out}}
	if answer["status"] == "incomplete" {
		answer["incomplete_details"] = object{"reason": "max_output_tokens"}
	}
	if s.model == "gpt-4o" || s.model == "gpt-5-mini" {
		searches := 1 + d.IntN(3)
		for i := range searches {
			output = append(output, object{"id": fmt.Sprint("ws_", i), "type": "web_search_call", "status": "completed", "action": object{"type": "search", "query": "x"}})
		}
		answer["output"] = append(output, object{"id": "ws_p", "type": "web_search_call", "status": "completed", "action": object{"type": "open_page", "url": "https://example.com"}},
			object{"id": "fs_1", "type": "file_search_call", "status": "completed", "queries": []any{"x"}, "results": nil})
		s.request["tools"] = []any{object{"type": "web_search"}, object{"type": "file_search", "vector_store_ids": []any{"vs_1"}}}
		s.rule, s.add = toolItems, object{"web_searches": searches, "storage_searches": 1}
	} else if s.provider == "openai" {
		d.openAIRule(&s, answer)
	}
	s.answer = encode(answer)
	return s
}
