package promptcache

import (
	"cmp"
	"slices"
)

// MaxMarks is how many breakpoints a request may have.
const MaxMarks = 4

// Mark is a breakpoint at the end of a block.
type Mark struct {
	Block int  // index into the prompt's
	Long  bool // kept for an hour, else for five minutes
}

// The texts of marks. A text that stands for a list of blocks becomes one first.
const (
	openBlock  = `[{"type":"text","text":`
	closeBlock = `}]`
	markShort  = `,"cache_control":{"type":"ephemeral"}`
	markLong   = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
	pointShort = `,{"cachePoint":{"type":"default"}}`
	pointLong  = `,{"cachePoint":{"type":"default","ttl":"1h"}}`
)

type insertion struct {
	at   int
	text string
}

// AppendMarked appends the body that p was read from, with the marks. But for what is
// inserted it is the same, byte for byte. Marks are of blocks that take one.
func (p *Prompt) AppendMarked(dst, body []byte, marks []Mark) []byte {
	var room [2 * MaxMarks]insertion
	list := room[:0]
	for _, m := range marks {
		at := p.Blocks[m.Block].place
		switch {
		case at.next:
			list = append(list, insertion{at.at, pick(m.Long, pointLong, pointShort)})
		case at.open >= 0:
			list = append(list, insertion{at.open, openBlock}, insertion{at.at, pick(m.Long, markLong, markShort) + closeBlock})
		default:
			list = append(list, insertion{at.at, pick(m.Long, markLong, markShort)})
		}
	}
	slices.SortFunc(list, func(a, b insertion) int { return cmp.Compare(a.at, b.at) })
	from := 0
	for _, i := range list {
		dst = append(append(dst, body[from:i.at]...), i.text...)
		from = i.at
	}
	return append(dst, body[from:]...)
}

func pick(long bool, a, b string) string {
	if long {
		return a
	}
	return b
}
