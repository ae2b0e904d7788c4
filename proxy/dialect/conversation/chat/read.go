package chat

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// ReadRequest implements conversation.Client.
func (Dialect) ReadRequest(body []byte, _ dialect.Target) (*conversation.Request, *dialect.Error) {
	var r jsontree.Reader
	top := r.Read(body, jsontree.Brackets)
	q := &conversation.Request{
		Model:            top.Get("model").String(),
		Stream:           top.Get("stream").Bool(),
		MaxOutput:        conversation.NumberOf(top.Either("max_completion_tokens", "max_tokens")),
		Temperature:      conversation.NumberOf(top.Get("temperature")),
		TopP:             conversation.NumberOf(top.Get("top_p")),
		Seed:             conversation.NumberOf(top.Get("seed")),
		PresencePenalty:  conversation.NumberOf(top.Get("presence_penalty")),
		FrequencyPenalty: conversation.NumberOf(top.Get("frequency_penalty")),
		Parallel:         conversation.SwitchOf(top.Get("parallel_tool_calls")),
		Tier:             conversation.WordOf(top.Get("service_tier")),
		User:             conversation.WordOf(top.Either("user", "safety_identifier")),
	}
	q.Verbosity = conversation.WordOf(top.Get("verbosity"))
	rd := reading{q: q}
	top.Get("messages").Each(func(_ int, m jsontree.Node) { rd.message(m) })
	rd.stop(top.Get("stop"))
	top.Get("tools").Each(func(_ int, t jsontree.Node) { rd.tool(t) })
	rd.choice(top.Get("tool_choice"))
	rd.format(top.Get("response_format"))
	rd.reasoning(top.Get("reasoning_effort"))
	rd.only(top)
	top.Rest()
	if r.Err != nil {
		return nil, r.Err
	}
	return q, nil
}

// reading is a request being read, or an answer, whose form is that of a message.
type reading struct {
	q      *conversation.Request
	answer bool
}

// only takes the fields of which just the usual value can be translated, and the
// hints.
func (rd *reading) only(top jsontree.Node) {
	if n := top.Get("n"); n.Has() && n.Int() != 1 {
		n.Refuse("", "the upstream gives one answer")
	}
	if n := top.Get("logprobs"); n.Bool() {
		n.Refuse("", "")
	}
	if n := top.Get("logit_bias"); n.Len() > 0 {
		n.Refuse("", "")
	}
	top.Get("modalities").Each(func(_ int, m jsontree.Node) {
		if m.String() != "text" {
			m.Refuse("", "")
		}
	})
	top.Ignore("stream_options") // the stream is written here
	for _, hint := range [...]string{"metadata", "store", "prompt_cache_key", "prompt_cache_retention", "prediction"} {
		if n := top.Get(hint); n.Has() {
			rd.q.Leave(n.At())
		}
	}
}

func (rd *reading) stop(n jsontree.Node) {
	rd.q.StopAt = n.At()
	if n.Kind() == jsonscan.String {
		rd.q.Stop = []string{n.String()}
		return
	}
	n.Each(func(_ int, s jsontree.Node) { rd.q.Stop = append(rd.q.Stop, s.String()) })
}

func (rd *reading) tool(t jsontree.Node) {
	if kind := t.Get("type"); kind.String() != "function" {
		kind.Refuse("", "only functions that the client runs are known to every provider")
		return
	}
	f := t.Get("function")
	tool := conversation.Tool{
		Name: f.Get("name").String(), Description: f.Get("description").String(),
		Schema: f.Get("parameters").Object(), Strict: conversation.SwitchOf(f.Get("strict")), At: t.At(),
		Cache: lifetime(t.Get("cache_control")),
	}
	f.Rest()
	t.Rest()
	rd.q.Tools = append(rd.q.Tools, tool)
}

func (rd *reading) choice(n jsontree.Node) {
	c := &rd.q.Choice
	c.At = n.At()
	if n.Kind() == jsonscan.Object {
		if kind := n.Get("type"); kind.String() != "function" {
			kind.Refuse("", "")
		}
		f := n.Get("function")
		c.Kind, c.Name = conversation.Named, f.Get("name").String()
		f.Rest()
		n.Rest()
		return
	}
	c.Kind = conversation.ChoiceOf(n)
}

func (rd *reading) format(n jsontree.Node) {
	f := &rd.q.Format
	f.At = n.At()
	if !n.Has() {
		return
	}
	switch kind := n.Get("type"); kind.String() {
	case "text":
	case "json_object":
		f.Kind = conversation.JSONObject
	case "json_schema":
		s := n.Get("json_schema")
		f.Kind, f.Name, f.Description = conversation.JSONSchema, s.Get("name").String(), s.Get("description").String()
		f.Schema, f.Strict = s.Get("schema").Object(), conversation.SwitchOf(s.Get("strict"))
		s.Rest()
	default:
		kind.Refuse("", "")
	}
	n.Rest()
}

func (rd *reading) reasoning(n jsontree.Node) {
	r := &rd.q.Reasoning
	r.At = n.At()
	r.Kind, r.Effort = conversation.EffortOf(n)
}

// lifetime reads an extension that is common among gateways: Anthropic's
// cache_control on OpenAI's parts.
func lifetime(n jsontree.Node) conversation.Lifetime {
	if !n.Has() {
		return conversation.NotCached
	}
	if kind := n.Get("type"); kind.String() != "ephemeral" {
		kind.Refuse("", "")
	}
	life := conversation.Briefly
	switch ttl := n.Get("ttl"); ttl.String() {
	case "", "5m":
	case "1h":
		life = conversation.Hour
	default:
		ttl.Refuse("", "")
	}
	n.Rest()
	return life
}
