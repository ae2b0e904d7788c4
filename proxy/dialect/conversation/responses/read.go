package responses

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// own begins the seals of this dialect.
const own = "responses"

// Client implements conversation.Client.
type Client struct{}

var _ conversation.Client = Client{}

// ReadRequest implements conversation.Client.
func (Client) ReadRequest(body []byte, _ dialect.Target) (*conversation.Request, *dialect.Error) {
	var r jsontree.Reader
	top := r.Read(body, jsontree.Brackets)
	q := &conversation.Request{
		Model:       top.Get("model").String(),
		Stream:      top.Get("stream").Bool(),
		MaxOutput:   conversation.NumberOf(top.Get("max_output_tokens")),
		Temperature: conversation.NumberOf(top.Get("temperature")),
		TopP:        conversation.NumberOf(top.Get("top_p")),
		Parallel:    conversation.SwitchOf(top.Get("parallel_tool_calls")),
		Tier:        conversation.WordOf(top.Get("service_tier")),
		User:        conversation.WordOf(top.Either("user", "safety_identifier")),
	}
	rd := reading{q: q, named: map[string]bool{}}
	if n := top.Get("instructions"); n.String() != "" {
		q.System = []conversation.Part{{Kind: conversation.Text, Text: n.String(), At: n.At()}}
	}
	rd.input(top.Get("input"))
	top.Get("tools").Each(func(_ int, t jsontree.Node) { rd.tool(t) })
	rd.choice(top.Get("tool_choice"))
	rd.text(top.Get("text"))
	rd.reasoning(top.Get("reasoning"))
	rd.only(top)
	top.Rest()
	if r.Err != nil {
		return nil, r.Err
	}
	return q, nil
}

// reading is a request being read.
type reading struct {
	q     *conversation.Request
	named map[string]bool // tools
}

// only takes the fields of which just the usual value can be translated, and the
// hints.
func (rd *reading) only(top jsontree.Node) {
	if n := top.Get("background"); n.Bool() {
		n.Refuse("", "nothing is kept")
	}
	if n := top.Get("truncation"); n.Has() && n.String() != "disabled" {
		n.Refuse("", "")
	}
	if n := top.Get("top_logprobs"); n.Has() && n.Int() != 0 {
		n.Refuse("", "")
	}
	top.Get("include").Each(func(_ int, n jsontree.Node) {
		if n.String() != "reasoning.encrypted_content" {
			n.Refuse("", "")
		}
	})
	top.Ignore("stream_options") // the stream is written here
	if n := top.Get("store"); n.Bool() {
		rd.q.Leave(n.At())
	}
	for _, hint := range [...]string{
		"metadata", "client_metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "max_tool_calls",
	} {
		if n := top.Get(hint); n.Has() {
			rd.q.Leave(n.At())
		}
	}
}

func (rd *reading) tool(t jsontree.Node) {
	switch kind := t.Get("type"); kind.String() {
	case "function":
		rd.function(t, "")
	case "namespace":
		rd.group(t)
	case "web_search":
		if live := t.Get("external_web_access"); live.Has() && !live.Bool() {
			rd.q.Leave(t.At()) // what Codex offers with every call: to look into an index that OpenAI keeps
			return
		}
		fallthrough
	default:
		kind.Refuse("", "only functions that the client runs are known to every provider")
	}
}

func (rd *reading) function(t jsontree.Node, group string) {
	tool := conversation.Tool{
		Name: t.Get("name").String(), Description: t.Get("description").String(),
		Schema: t.Get("parameters").Object(), Strict: conversation.SwitchOf(t.Get("strict")), At: t.At(),
	}
	if group != "" {
		tool.Name = conversation.Grouped(group, tool.Name)
		rd.q.Groups[tool.Name] = group
	}
	if rd.named[tool.Name] {
		t.Invalid("has the name of another tool.")
	}
	rd.named[tool.Name] = true
	t.Rest()
	rd.q.Tools = append(rd.q.Tools, tool)
}

// group reads functions that stand in a namespace. What is said of that is said of
// the first of them.
func (rd *reading) group(t jsontree.Node) {
	name, about := t.Get("name"), t.Get("description").String()
	if name.String() == "" {
		t.Missing("name")
		return
	}
	if rd.q.Groups == nil {
		rd.q.Groups = map[string]string{}
	}
	first := len(rd.q.Tools)
	t.Get("tools").Each(func(_ int, f jsontree.Node) {
		if kind := f.Get("type"); kind.String() != "function" {
			kind.Refuse("", "only functions that the client runs are known to every provider")
			return
		}
		rd.function(f, name.String())
	})
	if about != "" && first < len(rd.q.Tools) {
		f := &rd.q.Tools[first]
		f.Description = strings.TrimSpace(about + "\n\n" + f.Description)
	}
	t.Rest()
}

func (rd *reading) choice(n jsontree.Node) {
	c := &rd.q.Choice
	c.At = n.At()
	if n.Kind() == jsonscan.Object {
		if kind := n.Get("type"); kind.String() != "function" {
			kind.Refuse("", "")
		}
		c.Kind, c.Name = conversation.Named, n.Get("name").String()
		n.Rest()
		return
	}
	c.Kind = conversation.ChoiceOf(n)
}

func (rd *reading) text(n jsontree.Node) {
	if !n.Has() {
		return
	}
	rd.q.Verbosity = conversation.WordOf(n.Get("verbosity"))
	f := n.Get("format")
	form := &rd.q.Format
	form.At = f.At()
	if f.Has() {
		switch kind := f.Get("type"); kind.String() {
		case "text":
		case "json_object":
			form.Kind = conversation.JSONObject
		case "json_schema":
			form.Kind, form.Name, form.Description = conversation.JSONSchema, f.Get("name").String(), f.Get("description").String()
			form.Schema, form.Strict = f.Get("schema").Object(), conversation.SwitchOf(f.Get("strict"))
		default:
			kind.Refuse("", "")
		}
		f.Rest()
	}
	n.Rest()
}

func (rd *reading) reasoning(n jsontree.Node) {
	if !n.Has() {
		return
	}
	r := &rd.q.Reasoning
	r.At = n.At()
	r.Kind, r.Effort = conversation.EffortOf(n.Get("effort"))
	r.Shown = n.Either("summary", "generate_summary").String() != ""
	n.Rest()
}
