package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// message is an answer of Anthropic's messages.
func (d draw) message() shape {
	s := shape{provider: "anthropic", flavor: "default", path: "/v1/messages"}
	s.model = d.of("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-6", "claude-opus-4-1", "claude-opus-4-5", "claude-opus-4-6",
		"claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-3-5-haiku-latest")
	what := d.IntN(8)
	if what == 2 || what == 3 {
		s.model = "claude-opus-4-8" // has prices for a region and for speed
	}
	in, out, read := d.tokens(), d.tokens(), d.part(d.tokens())
	short, long := d.part(d.tokens()), d.part(d.tokens())
	usage := object{"input_tokens": in, "output_tokens": out, "cache_read_input_tokens": read, "cache_creation_input_tokens": short + long,
		"cache_creation": object{"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}, "service_tier": "standard", "inference_geo": "global"}
	if d.IntN(2) == 0 {
		usage["output_tokens_details"] = object{"thinking_tokens": d.part(out)}
	}
	s.request = object{"model": s.model, "max_tokens": 100, "messages": []any{object{"role": "user", "content": []any{
		object{"type": "text", "text": "hello", "cache_control": object{"type": "ephemeral", "ttl": d.of("5m", "1h")}}}}}}
	if s.model != "claude-3-5-haiku-latest" && d.IntN(3) == 0 {
		s.request["tools"] = []any{object{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}, object{"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 3}}
		usage["server_tool_use"] = object{"web_search_requests": d.IntN(4), "web_fetch_requests": d.IntN(3)}
	}
	answer := object{"id": "msg_1", "type": "message", "role": "assistant", "model": s.model, "content": []any{object{"type": "text", "text": "Hi."}}, "stop_reason": "end_turn", "stop_sequence": nil, "usage": usage}
	d.anthropicRule(what, &s, answer, usage, short+long)
	s.answer = encode(answer)
	return s
}

func (d draw) anthropicRule(what int, s *shape, answer, usage object, written int) {
	switch what {
	case 0: // the lifetimes are not told, and the call asked for the longer
		asked := copied(answer)
		asked["usage"].(object)["cache_creation"] = object{"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written}
		usage["cache_creation"] = nil
		block := s.request["messages"].([]any)[0].(object)["content"].([]any)[0].(object)
		block["cache_control"] = object{"type": "ephemeral", "ttl": "1h"}
		s.rule, s.asked = untoldTTL, []string{encode(asked)}
	case 1:
		summed := object{"type": "compaction", "input_tokens": d.tokens(), "output_tokens": d.tokens(), "cache_read_input_tokens": d.tokens(), "cache_creation_input_tokens": 0}
		usage["iterations"] = []any{object{"type": "message", "input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}, summed}
		s.request["context_management"] = object{"edits": []any{object{"type": "compact_20260112"}}}
		if n := summed["input_tokens"].(int) + summed["cache_read_input_tokens"].(int); s.model == "claude-sonnet-4-5" || strings.Contains(s.model, "4-6") || strings.HasSuffix(s.model, "0929") || n > 190_000 {
			delete(usage, "iterations") // the threshold is of the call as a whole, which the calculator cannot be asked about
			return
		}
		s.rule, s.asked = compacted, []string{encode(answer), encode(object{"model": s.model, "usage": summed})}
	case 2:
		delete(usage, "server_tool_use") // whose price does not follow the region
		usage["inference_geo"], s.request["inference_geo"] = "us", "us"
		s.rule, s.times = regionBilled, rat("11/10")
	case 3:
		delete(usage, "server_tool_use") // nor the speed
		usage["speed"], s.request["speed"] = "fast", "fast"
		s.rule, s.times = tierBilled, rat("2")
	}
}

// generated is an answer of Gemini's generateContent.
func (d draw) generated() shape {
	s := shape{provider: "google", flavor: "default"}
	s.model = d.of("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemini-3-pro-preview", "gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.5-flash", "gemini-3.7-flash")
	s.path = "/v1beta/models/" + s.model + ":generateContent"
	s.request = object{"contents": []any{object{"role": "user", "parts": []any{object{"text": "hello"}}}}, "generationConfig": object{"maxOutputTokens": 100}}
	prompt, candidates, thoughts := d.tokens(), d.tokens(), d.part(d.tokens())
	tool := 0
	usage := object{"promptTokenCount": prompt, "candidatesTokenCount": candidates, "trafficType": "ON_DEMAND",
		"promptTokensDetails": []any{object{"modality": "TEXT", "tokenCount": prompt}}, "candidatesTokensDetails": []any{object{"modality": "TEXT", "tokenCount": candidates}}}
	if thoughts > 0 {
		usage["thoughtsTokenCount"] = thoughts
	}
	if d.IntN(3) == 0 {
		tool = d.tokens()
		usage["toolUsePromptTokenCount"], usage["toolUsePromptTokensDetails"] = tool, []any{object{"modality": "TEXT", "tokenCount": tool}}
	}
	total := prompt + candidates + thoughts + tool
	usage["totalTokenCount"] = total
	answer := object{"candidates": []any{object{"index": 0, "finishReason": "STOP", "content": object{"role": "model", "parts": []any{object{"text": "Hi."}}}}},
		"usageMetadata": usage, "modelVersion": s.model, "responseId": "r1"}
	d.geminiRule(&s, answer, usage, prompt)
	s.answer = encode(answer)
	return s
}

func (d draw) geminiRule(s *shape, answer, usage object, prompt int) {
	hears := s.model == "gemini-2.5-flash" || s.model == "gemini-2.5-flash-lite" || s.model == "gemini-3-flash-preview" || s.model == "gemini-2.0-flash"
	sees := d.of("IMAGE", "VIDEO", "DOCUMENT")
	switch d.IntN(7) {
	case 0, 1:
		usage["cachedContentTokenCount"] = d.part(prompt)
	case 2: // pictures cost as text
		usage["promptTokensDetails"] = []any{object{"modality": "TEXT", "tokenCount": prompt - prompt/3}, object{"modality": sees, "tokenCount": prompt / 3}}
	case 3, 6:
		if !hears {
			return
		}
		sound := d.part(prompt)
		usage["promptTokensDetails"] = []any{object{"modality": "AUDIO", "tokenCount": sound}, object{"modality": "TEXT", "tokenCount": prompt - sound}}
		if cached := sound / 2; cached > 0 {
			asked := copied(answer)
			usage["cachedContentTokenCount"], usage["cacheTokensDetails"] = cached, []any{object{"modality": "AUDIO", "tokenCount": cached}}
			s.rule, s.asked = heardBefore, []string{encode(asked)}
		}
	case 4:
		if !strings.Contains(s.model, "2.5") && !strings.Contains(s.model, "preview") {
			return
		}
		usage["trafficType"], s.request["serviceTier"] = "ON_DEMAND_FLEX", "flex"
		if tool, _ := usage["toolUsePromptTokenCount"].(int); prompt+tool <= 200_000 || !strings.Contains(s.model, "pro") {
			s.rule, s.times = tierBilled, rat("1/2")
		} // beyond it the dearer of the tier and the standard price counts
	case 5:
		more := 1 + d.tokens()
		asked := copied(answer)
		thought := usage["thoughtsTokenCount"]
		if thought == nil {
			thought = 0
		}
		asked["usageMetadata"].(object)["thoughtsTokenCount"] = thought.(int) + more
		usage["totalTokenCount"] = usage["totalTokenCount"].(int) + more
		s.rule, s.asked = outside, []string{encode(asked)}
	}
}

// streamed is the same answer as the provider streams it: its usage comes where
// that provider's usage comes, and running counts before it.
func (s shape) streamed() shape {
	s.stream = true
	var a object
	if err := json.Unmarshal([]byte(s.answer), &a); err != nil {
		panic(err)
	}
	s.request = copied(s.request)
	var b strings.Builder
	event := func(name string, data any) {
		if name != "" {
			fmt.Fprintf(&b, "event: %s\n", name)
		}
		fmt.Fprintf(&b, "data: %s\n\n", encode(data))
	}
	switch {
	case s.provider == "google":
		s.path = strings.Replace(s.path, ":generateContent", ":streamGenerateContent?alt=sse", 1)
		running := object{"promptTokenCount": a["usageMetadata"].(object)["promptTokenCount"], "totalTokenCount": a["usageMetadata"].(object)["promptTokenCount"]}
		event("", object{"candidates": []any{object{"index": 0, "content": object{"role": "model", "parts": []any{object{"text": "Hi"}}}}}, "usageMetadata": running, "modelVersion": a["modelVersion"], "responseId": "r1"})
		event("", a)
	case s.provider == "anthropic":
		s.request["stream"] = true
		usage := a["usage"].(object)
		first, last := copied(usage), object{"output_tokens": usage["output_tokens"], "input_tokens": nil, "cache_read_input_tokens": usage["cache_read_input_tokens"]}
		first["output_tokens"] = 1
		for _, at := range []string{"output_tokens_details", "server_tool_use", "iterations"} {
			if v, ok := first[at]; ok {
				last[at] = v
				delete(first, at)
			}
		}
		event("message_start", object{"type": "message_start", "message": object{"id": "msg_1", "type": "message", "role": "assistant", "model": a["model"], "content": []any{}, "stop_reason": nil, "usage": first}})
		event("content_block_start", object{"type": "content_block_start", "index": 0, "content_block": object{"type": "text", "text": ""}})
		event("ping", object{"type": "ping"})
		event("content_block_delta", object{"type": "content_block_delta", "index": 0, "delta": object{"type": "text_delta", "text": "Hi."}})
		event("content_block_stop", object{"type": "content_block_stop", "index": 0})
		event("message_delta", object{"type": "message_delta", "delta": object{"stop_reason": "end_turn"}, "usage": last})
		event("message_stop", object{"type": "message_stop"})
	case s.flavor == "responses":
		s.request["stream"] = true
		begun := object{"id": a["id"], "object": "response", "status": "in_progress", "model": a["model"], "output": []any{}, "usage": nil}
		event("response.created", object{"type": "response.created", "sequence_number": 0, "response": begun})
		event("response.output_text.delta", object{"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": "Hi."})
		kind := "response." + a["status"].(string)
		event(kind, object{"type": kind, "sequence_number": 2, "response": a})
	default:
		s.request["stream"], s.request["stream_options"] = true, object{"include_usage": true}
		kind, delta := "chat.completion.chunk", object{"delta": object{"role": "assistant", "content": "Hi."}}
		if s.path == "/v1/completions" {
			kind, delta = "text_completion", object{"text": "Hi."}
		}
		chunk := func(choices []any, usage any) {
			c := object{"id": a["id"], "object": kind, "model": a["model"], "choices": choices, "usage": usage}
			if tier, ok := a["service_tier"]; ok {
				c["service_tier"] = tier
			}
			event("", c)
		}
		delta["index"], delta["finish_reason"] = 0, nil
		chunk([]any{delta}, nil)
		chunk([]any{object{"index": 0, "delta": object{}, "text": "", "finish_reason": "stop"}}, nil)
		chunk([]any{}, a["usage"])
		b.WriteString("data: [DONE]\n\n")
	}
	s.answer = b.String()
	return s
}

// recorded are answers as providers documented or gave them, counts and all.
func recorded() (all []shape) {
	chat := func(provider, flavor, model, usage, more string) {
		all = append(all, shape{provider: provider, flavor: flavor, path: "/v1/chat/completions", model: model,
			request: object{"model": model, "max_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}},
			answer:  `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"` + model + `","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"logprobs":null,"finish_reason":"stop"}],"service_tier":"default","usage":` + usage + more + `}`})
	}
	chat("openai", "chat", "gpt-4.1", `{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`, `,"system_fingerprint":"fp_1"`)
	chat("openai", "chat", "gpt-4o", `{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920},"completion_tokens_details":{"reasoning_tokens":0,"accepted_prediction_tokens":120,"rejected_prediction_tokens":40}}`, "")
	chat("openai", "chat", "o3", `{"prompt_tokens":75,"completion_tokens":1186,"total_tokens":1261,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":1024}}`, "")
	chat("openai", "chat", "gpt-5", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, "")
	chat("x-ai", "chat", "grok-3-mini", `{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"prompt_tokens_details":{"text_tokens":32,"audio_tokens":0,"image_tokens":0,"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":94,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0},"num_sources_used":0}`, "")
	chat("deepseek", "chat", "deepseek-chat", `{"prompt_tokens":17,"completion_tokens":9,"total_tokens":26,"prompt_tokens_details":{"cached_tokens":0},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":17}`, "")
	chat("groq", "default", "llama-3.3-70b-versatile", `{"queue_time":0.037493756,"prompt_tokens":18,"prompt_time":0.000680594,"completion_tokens":556,"completion_time":0.463333333,"total_tokens":574,"total_time":0.464013927}`, `,"x_groq":{"id":"req_1"}`)
	chat("mistral", "default", "mistral-large-2512", `{"prompt_tokens":15,"total_tokens":28,"completion_tokens":13}`, "")
	chat("openrouter", "chat", "openai/gpt-4o-mini", `{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.0000303,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{"reasoning_tokens":0,"image_tokens":0}}`, `,"provider":"OpenAI"`)
	message := func(model, usage string) {
		all = append(all, shape{provider: "anthropic", flavor: "default", path: "/v1/messages", model: model,
			request: object{"model": model, "max_tokens": 100, "messages": []any{object{"role": "user", "content": "hello"}}},
			answer:  `{"model":"` + model + `","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","stop_sequence":null,"usage":` + usage + `}`})
	}
	message("claude-sonnet-4-5", `{"input_tokens":12,"output_tokens":6}`)
	message("claude-opus-4-8", `{"input_tokens":2095,"cache_creation_input_tokens":2051,"cache_read_input_tokens":2051,"output_tokens":503,"cache_creation":{"ephemeral_5m_input_tokens":2051,"ephemeral_1h_input_tokens":0},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":2},"service_tier":"standard"}`)
	all[len(all)-1].rule, all[len(all)-1].times = regionUntold, rat("11/10")
	message("claude-opus-4-5", `{"input_tokens":2095,"cache_creation_input_tokens":0,"cache_read_input_tokens":2051,"output_tokens":503,"server_tool_use":{"web_search_requests":1},"service_tier":"standard"}`)
	message("claude-sonnet-4-5", `{"input_tokens":100000,"cache_creation_input_tokens":0,"cache_read_input_tokens":100000,"output_tokens":1,"cache_creation":null,"server_tool_use":null}`)
	message("claude-sonnet-4-5", `{"input_tokens":100001,"cache_creation_input_tokens":0,"cache_read_input_tokens":100000,"output_tokens":1}`)
	generated := func(model, usage string) {
		all = append(all, shape{provider: "google", flavor: "default", path: "/v1beta/models/" + model + ":generateContent", model: model,
			request: object{"contents": []any{object{"parts": []any{object{"text": "hello"}}}}, "generationConfig": object{"maxOutputTokens": 100}},
			answer:  `{"candidates":[{"content":{"parts":[{"text":"Hi."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":` + usage + `,"modelVersion":"` + model + `","responseId":"r1"}`})
	}
	generated("gemini-2.5-flash", `{"promptTokenCount":8,"candidatesTokenCount":12,"totalTokenCount":1205,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}],"thoughtsTokenCount":1185}`)
	generated("gemini-2.5-pro", `{"promptTokenCount":200000,"candidatesTokenCount":1,"totalTokenCount":200001}`)
	generated("gemini-2.5-pro", `{"promptTokenCount":200001,"candidatesTokenCount":1,"totalTokenCount":200002}`)
	generated("gemini-2.5-flash", `{"promptTokenCount":13,"candidatesTokenCount":30,"totalTokenCount":10543,"cachedContentTokenCount":5,"toolUsePromptTokenCount":10300,"toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":10300}],"thoughtsTokenCount":200}`)
	return all
}
