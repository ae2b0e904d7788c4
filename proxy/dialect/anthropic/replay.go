package anthropic

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// Replay appends to dst the stream that tells a stored JSON answer: its blocks,
// each in as few deltas as there can be, and why it ended. Both message_start and
// message_delta have the answer's whole usage. Folding the stream gives the answer
// back.
func Replay(dst, answer []byte) ([]byte, error) {
	message, err := takeApart(answer)
	if err != nil {
		return nil, err
	}
	usage := message.get("usage")
	if stop := message.get("stop_reason"); !message.is("type", "message") || usage == nil || stop == nil || pieces.IsNull(stop) {
		return nil, pieces.NotFoldable("not a whole message")
	}
	blocks, err := elementsOf(message.get("content"))
	if err != nil {
		return nil, err
	}
	start := append(object(nil), message...)
	start.set("content", []byte("[]"))
	var end object
	for _, key := range [...]string{"stop_reason", "stop_sequence", "stop_details", "container"} {
		if v := message.get(key); v != nil {
			start.set(key, null)
			end = append(end, pieces.Named(key, v))
		}
	}
	r := replaying{out: dst}
	r.event("message_start", object{pieces.Named("message", start.append(nil))})
	for i, raw := range blocks {
		if err := r.block(i, raw); err != nil {
			return nil, err
		}
	}
	r.event("message_delta", object{pieces.Named("delta", end.append(nil)), pieces.Named("usage", usage)})
	r.event("message_stop", nil)
	return r.out, nil
}

type replaying struct {
	out   []byte
	index []byte // of the block being told
}

// event writes one event.
func (r *replaying) event(kind string, members object) {
	r.out = append(append(append(r.out, "event: "...), kind...), "\ndata: "...)
	all := append(object{pieces.Named("type", quoted([]byte(kind)))}, members...)
	r.out = append(all.append(r.out), "\n\n"...)
}

func (r *replaying) delta(kind, key string, value []byte) {
	d := object{pieces.Named("type", quoted([]byte(kind))), pieces.Named(key, value)}
	r.event("content_block_delta", object{pieces.Named("index", r.index), pieces.Named("delta", d.append(nil))})
}

func (r *replaying) block(index int, raw []byte) error {
	block, err := takeApart(raw)
	if err != nil {
		return err
	}
	r.index = strconv.AppendInt(nil, int64(index), 10)
	start := append(object(nil), block...)
	var deltas []func()
	kind, _ := block.text("type")
	grow := func(kind, key string) {
		if text, ok := block.text(key); ok && len(text) > 0 {
			start.set(key, []byte(`""`))
			deltas = append(deltas, func() { r.delta(kind, key, block.get(key)) })
		}
	}
	switch string(kind) {
	case "text":
		if list := block.get("citations"); list != nil && !pieces.IsNull(list) {
			citations, err := elementsOf(list)
			if err != nil {
				return err
			}
			start.set("citations", []byte("[]"))
			for _, c := range citations {
				deltas = append(deltas, func() { r.delta("citations_delta", "citation", c) })
			}
		}
		grow("text_delta", "text")
	case "thinking":
		grow("thinking_delta", "thinking")
		grow("signature_delta", "signature")
	case "tool_use", "server_tool_use", "mcp_tool_use":
		if input := block.get("input"); input != nil && string(input) != "{}" {
			start.set("input", []byte("{}"))
			deltas = append(deltas, func() { r.delta("input_json_delta", "partial_json", jsonscan.AppendValid(nil, input)) })
		}
	}
	r.event("content_block_start", object{pieces.Named("index", r.index), pieces.Named("content_block", start.append(nil))})
	for _, tell := range deltas {
		tell()
	}
	r.event("content_block_stop", object{pieces.Named("index", r.index)})
	return nil
}
