package anthropic

import (
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// Ending ends a stream of a message in the middle: its open blocks stop, then
// come message_delta, with the stop reason max_tokens, and message_stop. The zero
// Ending needs Reset.
type Ending struct {
	open   []int64 // blocks
	frames int64
}

// Reset implements dialect.Ending.
func (e *Ending) Reset(*dialect.Call) { *e = Ending{open: e.open[:0]} }

// Frames implements dialect.Ending: for the message and its blocks, with the
// names of tools.
func (e *Ending) Frames() int64 { return e.frames }

// maxOpen bounds the blocks that are open at once. Anthropic has one at a time.
const maxOpen = 64

// See implements dialect.Ending.
func (e *Ending) See(data []byte) {
	cur := jsonscan.Cursor{Doc: data, LoneSurrogates: true}
	var kind string
	index, named := int64(-1), int64(0)
	err := cur.EachMember(func(key jsonscan.Str) error {
		switch name := string(data[key.Start:key.End]); {
		case name == "type" && cur.Kind() == jsonscan.String:
			s, err := cur.String()
			kind = eventType(data[s.Start:s.End])
			return err
		case name == "index" && cur.Kind() == jsonscan.Number:
			n, whole, err := cur.Int()
			if whole {
				index = n
			}
			return err
		case name == "content_block" && cur.Kind() == jsonscan.Object:
			return cur.EachMember(func(key jsonscan.Str) error {
				if string(data[key.Start:key.End]) == "name" && cur.Kind() == jsonscan.String {
					s, err := cur.String()
					named = int64(s.Len)
					return err
				}
				return cur.Skip()
			})
		}
		return cur.Skip()
	})
	if err != nil {
		return
	}
	switch kind {
	case "message_start":
		e.frames += dialect.FrameTokens
	case "content_block_start":
		e.frames += dialect.FrameTokens + named
		if len(e.open) < maxOpen {
			e.open = append(e.open, index)
		}
	case "content_block_stop":
		for i, n := range e.open {
			if n == index {
				e.open = append(e.open[:i], e.open[i+1:]...)
				break
			}
		}
	}
}

// Append implements dialect.Ending. Of the usage it tells the output: the input
// was told when the message began.
func (e *Ending) Append(dst []byte, _, out int64) []byte {
	r := replaying{out: dst}
	for _, n := range e.open {
		r.event("content_block_stop", object{pieces.Named("index", strconv.AppendInt(nil, n, 10))})
	}
	r.event("message_delta", object{
		pieces.Named("delta", []byte(`{"stop_reason":"max_tokens","stop_sequence":null}`)),
		pieces.Named("usage", append(strconv.AppendInt([]byte(`{"output_tokens":`), out, 10), '}')),
	})
	r.event("message_stop", nil)
	return r.out
}
