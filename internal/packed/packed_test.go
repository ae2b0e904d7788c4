package packed

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestWhatWasAppendedIsRead, and nothing of what is cut anywhere.
func TestWhatWasAppendedIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, v := rapid.Byte().Draw(t, "byte"), rapid.Int64().Draw(t, "varint")
		u, s := rapid.Uint64().Draw(t, "uvarint"), rapid.StringN(0, 40, 200).Draw(t, "text")
		b := binary.AppendUvarint(binary.AppendVarint([]byte{c}, v), u)
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		r := Reader{Rest: b}
		if gc, gv, gu, gs := r.Byte(), r.Varint(), r.Uvarint(math.MaxUint64), r.Text(); gc != c || gv != v || gu != u || gs != s || !r.Whole() {
			t.Fatalf("%d %d %d %q, whole %v", gc, gv, gu, gs, r.Whole())
		}
		cut := Reader{Rest: b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]}
		cut.Byte()
		cut.Varint()
		cut.Uvarint(math.MaxUint64)
		if cut.Text(); !cut.Bad || cut.Whole() {
			t.Fatal("what is cut is whole")
		}
	})
}

func TestLimits(t *testing.T) {
	many := binary.AppendUvarint(nil, 1<<40)
	for name, r := range map[string]func(*Reader){
		"a count beyond what is there": func(r *Reader) { r.Count() },
		"a length beyond it":           func(r *Reader) { r.Bytes() },
		"a number beyond its bound":    func(r *Reader) { r.Uvarint(1<<40 - 1) },
		"fewer than none":              func(r *Reader) { r.Take(-1) },
	} {
		x := Reader{Rest: many}
		if r(&x); !x.Bad || x.Rest != nil || x.Varint() != 0 || x.Byte() != 0 {
			t.Errorf("%s: %+v", name, x)
		}
	}
}
