package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// ReadRequest implements conversation.Client.
func (Dialect) ReadRequest(body []byte, t dialect.Target) (*conversation.Request, *dialect.Error) {
	r := reading{q: &conversation.Request{}}
	r.request(r.tree.Read(body, jsontree.Dots))
	if r.tree.Err != nil {
		return nil, r.tree.Err
	}
	if t.Features != "" {
		r.q.Leave("anthropic-beta") // what it switches on stands in fields, or is not known
	}
	return r.q, nil
}

// reading is the state of one request being read.
type reading struct {
	tree jsontree.Reader
	q    *conversation.Request
}

func (r *reading) request(top jsontree.Node) {
	q := r.q
	q.Model = top.Get("model").String()
	q.Stream = top.Get("stream").Bool()
	q.MaxOutput = conversation.NumberOf(top.Get("max_tokens"))
	if q.MaxOutput.Digits == "0" {
		top.Refuse("max_tokens", "a cap of 0 asks for a warm prompt cache")
	}
	q.Temperature, q.TopP, q.TopK = conversation.NumberOf(top.Get("temperature")), conversation.NumberOf(top.Get("top_p")), conversation.NumberOf(top.Get("top_k"))
	stop := top.Get("stop_sequences")
	stop.Each(func(_ int, s jsontree.Node) { q.Stop = append(q.Stop, s.String()) })
	q.StopAt = stop.At()

	system := top.Get("system")
	if system.Kind() == jsonscan.String {
		q.System = append(q.System, conversation.Part{Kind: conversation.Text, Text: system.String(), At: system.At()})
	} else {
		system.Each(func(_ int, b jsontree.Node) { q.System = append(q.System, r.onlyText(b)) })
	}
	top.Get("messages").Each(func(_ int, m jsontree.Node) { r.message(m) })
	top.Get("tools").Each(func(_ int, t jsontree.Node) { r.tool(t) })
	r.choice(top.Get("tool_choice"))
	output := top.Get("output_config")
	r.reasoning(top.Get("thinking"), output.Get("effort"))
	r.format(output.Get("format"))
	output.Rest()
	if old := top.Get("output_format"); old.Has() {
		if q.Format.Kind != conversation.Prose {
			old.Invalid("is given in 'output_config' too. Send it once.")
		}
		r.format(old)
	}
	r.bookkeeping(top)
	r.cacheAll(top.Get("cache_control"))
	r.unknown(top)
}

// bookkeeping reads what bears on billing and abuse detection alone.
func (r *reading) bookkeeping(top jsontree.Node) {
	q := r.q
	top.Get("metadata").Members(func(name string, m jsontree.Node) {
		if name == "user_id" {
			q.User = conversation.WordOf(m)
		} else if m.Has() {
			q.Leave(m.At())
		}
	})
	q.Tier = conversation.WordOf(top.Get("service_tier"))
	if q.Tier.Text == "standard_only" {
		q.Tier.Text = "default"
	}
	if speed := top.Get("speed"); speed.Has() && speed.String() != "standard" {
		speed.Refuse("", "")
	}
	for _, name := range [...]string{"diagnostics", "fallback_credit_token", "billing_policy"} {
		if n := top.Get(name); n.Has() {
			q.Leave(n.At())
		}
	}
}

// unknown refuses what no other dialect has.
func (r *reading) unknown(top jsontree.Node) {
	for _, name := range [...]string{"mcp_servers", "fallbacks"} {
		if n := top.Get(name); n.Has() && (n.Kind() != jsonscan.Array || n.Len() > 0) {
			n.Refuse("", "")
		}
	}
	r.contextManagement(top.Get("context_management"))
	top.Rest()
}

// contextManagement takes the one edit that keeps everything, which agents send
// with every call: thoughts of earlier turns stay, as far as the upstream takes them.
func (r *reading) contextManagement(n jsontree.Node) {
	n.Get("edits").Each(func(_ int, e jsontree.Node) {
		if e.Get("type").String() != "clear_thinking_20251015" || e.Get("keep").Kind() != jsonscan.String || e.Get("keep").String() != "all" {
			n.Refuse("", "")
		}
		e.Rest()
	})
	n.Rest()
}

// cacheAll takes the cache_control of the whole request, which stands for one at
// its last block.
func (r *reading) cacheAll(n jsontree.Node) {
	lifetime := r.lifetime(n)
	if lifetime == conversation.NotCached || len(r.q.Turns) == 0 {
		return
	}
	parts := r.q.Turns[len(r.q.Turns)-1].Parts
	if len(parts) > 0 && parts[len(parts)-1].Cache == conversation.NotCached {
		parts[len(parts)-1].Cache = lifetime
	}
}

// lifetime reads a cache_control. Whatever else it has is a hint within a hint.
func (r *reading) lifetime(n jsontree.Node) conversation.Lifetime {
	switch {
	case !n.Has():
		return conversation.NotCached
	case n.Get("ttl").String() == "1h":
		return conversation.Hour
	}
	return conversation.Briefly
}

func (r *reading) tool(n jsontree.Node) {
	if kind := n.Get("type"); kind.Has() && kind.String() != "custom" {
		kind.Refuse("", "only tools that the client defines and runs can be")
		return
	}
	t := conversation.Tool{
		Name: n.Get("name").String(), Description: n.Get("description").String(), Schema: n.Get("input_schema").Object(),
		Strict: conversation.SwitchOf(n.Get("strict")), Cache: r.lifetime(n.Get("cache_control")), At: n.At(),
	}
	if n.Get("eager_input_streaming").Has() {
		r.q.Leave(n.Get("eager_input_streaming").At())
	}
	if n.Get("defer_loading").Bool() {
		n.Refuse("defer_loading", "")
	}
	n.Get("allowed_callers").Each(func(_ int, c jsontree.Node) {
		if c.String() != "direct" {
			n.Refuse("allowed_callers", "")
		}
	})
	if n.Get("input_examples").Len() > 0 {
		n.Refuse("input_examples", "")
	}
	n.Rest()
	r.q.Tools = append(r.q.Tools, t)
}

func (r *reading) choice(n jsontree.Node) {
	if !n.Has() {
		return
	}
	c := conversation.Choice{At: n.At()}
	switch kind := n.Get("type"); kind.String() {
	case "auto":
		c.Kind = conversation.Auto
	case "any":
		c.Kind = conversation.Required
	case "none":
		c.Kind = conversation.None
	case "tool":
		c.Kind, c.Name = conversation.Named, n.Get("name").String()
	default:
		kind.Refuse("", "")
	}
	if single := conversation.SwitchOf(n.Get("disable_parallel_tool_use")); single.Set {
		r.q.Parallel = conversation.Switch{Set: true, On: !single.On, At: single.At}
	}
	n.Rest()
	r.q.Choice = c
}

func (r *reading) format(n jsontree.Node) {
	if !n.Has() {
		return
	}
	if kind := n.Get("type"); kind.String() != "json_schema" {
		kind.Refuse("", "")
	}
	r.q.Format = conversation.Format{Kind: conversation.JSONSchema, Schema: n.Get("schema").Object(), At: n.At()}
	if r.q.Format.Schema == nil {
		n.Missing("schema")
	}
	n.Rest()
}
