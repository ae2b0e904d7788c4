package anthropic

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
)

// Fold appends to dst the JSON answer that a whole stream amounts to, up to
// message_stop.
func Fold(dst, stream []byte) ([]byte, error) {
	var f folding
	if err := pieces.Events(stream, f.event); err != nil {
		return nil, err
	}
	if !f.done {
		return nil, pieces.NotFoldable("no message_stop")
	}
	return f.append(dst)
}

// folding is an answer being put together.
type folding struct {
	message object
	usage   object
	blocks  []*foldedBlock
	done    bool
}

// foldedBlock is a content block. texts are the insides of strings that grow, list
// that of the citations; input is a tool's input as text.
type foldedBlock struct {
	object object
	texts  map[string][]byte
	list   []byte
	input  []byte
	ended  bool
}

// maxBlocks bounds the content blocks of one answer.
const maxBlocks = 4_096

func (f *folding) event(e sse.Event) error {
	if e.Lines == 0 {
		return nil
	}
	o, err := takeApart(e.Data)
	if err != nil {
		return err
	}
	kind, ok := o.text("type")
	switch {
	case f.done:
		return pieces.NotFoldable("an event after message_stop")
	case !ok:
		return pieces.NotFoldable("an event without type")
	case string(kind) == "ping":
		return nil
	case (f.message == nil) != (string(kind) == "message_start"):
		return pieces.NotFoldable("message_start is not first, or twice")
	}
	switch string(kind) {
	case "message_start":
		return f.start(o)
	case "content_block_start":
		return f.open(o)
	case "content_block_delta":
		return f.delta(o)
	case "content_block_stop":
		b, err := f.block(o)
		if err == nil {
			b.ended = true
		}
		return err
	case "message_delta":
		return f.end(o)
	case "message_stop":
		f.done = true
		return nil
	}
	return pieces.NotFoldable("an event of another type")
}

func (f *folding) start(o object) (err error) {
	if f.message, err = takeApart(o.get("message")); err != nil {
		return err
	}
	if content, err := elementsOf(f.message.get("content")); err != nil || len(content) > 0 {
		return pieces.NotFoldable("message_start has content")
	}
	f.usage, err = takeApart(f.message.get("usage"))
	return err
}

func (f *folding) open(o object) error {
	if index, ok := indexOf(o); !ok || index != len(f.blocks) || index == maxBlocks {
		return pieces.NotFoldable("a block out of order")
	}
	block, err := takeApart(o.get("content_block"))
	if err != nil {
		return err
	}
	f.blocks = append(f.blocks, &foldedBlock{object: block})
	return nil
}

func indexOf(o object) (int, bool) {
	n, err := strconv.Atoi(string(o.get("index")))
	return n, err == nil && n >= 0
}

// block is the open one that an event speaks of.
func (f *folding) block(o object) (*foldedBlock, error) {
	index, ok := indexOf(o)
	if !ok || index >= len(f.blocks) || f.blocks[index].ended {
		return nil, pieces.NotFoldable("an event of a block that is not open")
	}
	return f.blocks[index], nil
}

func (f *folding) delta(o object) error {
	b, err := f.block(o)
	if err != nil {
		return err
	}
	d, err := takeApart(o.get("delta"))
	if err != nil {
		return err
	}
	kind, _ := d.text("type")
	switch string(kind) {
	case "text_delta":
		return b.join(d, "text")
	case "thinking_delta":
		return b.join(d, "thinking")
	case "signature_delta":
		return b.join(d, "signature")
	case "input_json_delta":
		piece, ok := d.text("partial_json")
		if !ok {
			return pieces.NotFoldable("a piece of input that is not a string")
		}
		b.input = jsonscan.AppendText(b.input, piece)
		return nil
	case "citations_delta":
		citation := d.get("citation")
		if citation == nil {
			return pieces.NotFoldable("no citation")
		}
		if len(b.list) > 0 {
			b.list = append(b.list, ',')
		}
		b.list = append(b.list, citation...)
		return nil
	}
	return pieces.NotFoldable("a delta of another type")
}

// join appends the string of a delta to that of the block.
func (b *foldedBlock) join(d object, key string) error {
	piece, ok := d.text(key)
	if !ok {
		return pieces.NotFoldable("a delta that is not a string")
	}
	if b.texts == nil {
		b.texts = map[string][]byte{}
	}
	text, begun := b.texts[key]
	if !begun {
		first, _ := b.object.text(key)
		text = append(make([]byte, 0, 2*len(piece)+64), first...)
	}
	b.texts[key] = append(text, piece...)
	return nil
}

// end takes what message_delta says of the whole message.
func (f *folding) end(o object) error {
	d, err := takeApart(o.get("delta"))
	if err != nil {
		return err
	}
	for _, p := range d {
		f.message.set(string(p.Key), p.Value)
	}
	for _, p := range o {
		switch string(p.Key) {
		case "type", "delta", "usage":
		default:
			f.message.set(string(p.Key), p.Value)
		}
	}
	u, err := takeApart(o.get("usage"))
	if err != nil {
		return err
	}
	for _, p := range u {
		if !pieces.IsNull(p.Value) {
			f.usage.set(string(p.Key), p.Value)
		}
	}
	return nil
}

// append writes the answer.
func (f *folding) append(dst []byte) ([]byte, error) {
	if stop := f.message.get("stop_reason"); stop == nil || pieces.IsNull(stop) {
		return nil, pieces.NotFoldable("the answer is not finished")
	}
	content := []byte{'['}
	for i, b := range f.blocks {
		if !b.ended {
			return nil, pieces.NotFoldable("a block that is not closed")
		}
		if i > 0 {
			content = append(content, ',')
		}
		if err := b.settle(); err != nil {
			return nil, err
		}
		content = b.object.append(content)
	}
	f.message.set("content", append(content, ']'))
	f.message.set("usage", f.usage.append(nil))
	return f.message.append(dst), nil
}

// settle puts what has grown into the block.
func (b *foldedBlock) settle() error {
	for _, key := range [...]string{"text", "thinking", "signature"} {
		if text, ok := b.texts[key]; ok {
			b.object.set(key, quoted(text))
		}
	}
	if len(b.list) > 0 {
		if begun := b.object.get("citations"); begun != nil && !pieces.IsNull(begun) && len(begun) > len("[]") {
			return pieces.NotFoldable("a block that begins with citations")
		}
		b.object.set("citations", append(append([]byte{'['}, b.list...), ']'))
	}
	if len(b.input) > 0 {
		cur := jsonscan.Cursor{Doc: b.input}
		if cur.Skip() != nil || cur.End() != nil {
			return pieces.NotFoldable("an input that is not JSON")
		}
		b.object.set("input", b.input)
	}
	return nil
}
