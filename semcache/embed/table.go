package embed

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// tableFile is read where the program's file is mapped: what is not used of it
// takes no memory. Its layout is described in tools/distill/table.py.
//
//go:embed table.bin
var tableFile string

const (
	tableMagic   = "PSTB"
	tableVersion = 1
	tableHeader  = 20
	// maxTableRows and maxTableDim bound what a damaged header can ask for.
	maxTableRows = 1 << 20
	maxTableDim  = 4096
)

var errTable = errors.New("embed: the static table is damaged")

// table is a vocabulary and a vector for each of its tokens. It is immutable.
type table struct {
	dim    int
	rows   string    // len(scales) rows of dim int8
	scales []float32 // a token's vector is its row times its scale

	vocab  string   // tokens, one after the other
	starts []uint32 // token i is vocab[starts[i]:starts[i+1]]
	slots  []int32  // open addressing by hash: a token's number, or unknown
	mask   uint32
	// longest is the length in bytes of the longest token, without "##".
	longest int
}

func parseTable(file string) (*table, error) {
	if len(file) < tableHeader || file[:4] != tableMagic {
		return nil, errTable
	}
	word := func(at int) int { return int(binary.LittleEndian.Uint32([]byte(file[at : at+4]))) }
	rows, dim, size := word(8), word(12), word(16)
	if word(4) != tableVersion || rows == 0 || rows > maxTableRows || dim == 0 || dim > maxTableDim ||
		len(file) != tableHeader+size+rows*4+rows*dim {
		return nil, errTable
	}
	t := &table{dim: dim, starts: make([]uint32, 1, rows+1), scales: make([]float32, rows)}
	at := tableHeader + size
	if err := t.index(file[tableHeader:at], rows); err != nil {
		return nil, err
	}
	for i := range t.scales {
		t.scales[i] = math.Float32frombits(uint32(word(at + 4*i)))
	}
	t.rows = file[at+4*rows:]
	return t, nil
}

// index makes the vocabulary of lines searchable.
func (t *table) index(lines string, rows int) error {
	slots := uint32(4)
	for int(slots) < 2*rows {
		slots *= 2
	}
	t.mask = slots - 1
	t.slots = make([]int32, slots)
	for i := range t.slots {
		t.slots[i] = unknown
	}
	var vocab strings.Builder
	vocab.Grow(len(lines))
	for i := range rows {
		token, rest, ok := strings.Cut(lines, "\n")
		if !ok || token == "" {
			return errTable
		}
		lines = rest
		vocab.WriteString(token)
		t.starts = append(t.starts, uint32(vocab.Len()))
		piece, hash := token, hashWord
		if inner, ok := strings.CutPrefix(token, "##"); ok && inner != "" {
			piece, hash = inner, hashInner
		}
		t.longest = max(t.longest, len(piece))
		for _, c := range []byte(piece) {
			hash = hashByte(hash, c)
		}
		slot := mix(hash) & t.mask
		for t.slots[slot] != unknown {
			slot = (slot + 1) & t.mask
		}
		t.slots[slot] = int32(i)
	}
	if lines != "" {
		return errTable
	}
	t.vocab = vocab.String()
	return nil
}

// Tokens at the start of a word and inside it are hashed from two seeds, so that
// one pass over a word's bytes gives the hash of each of its beginnings.
const (
	hashWord  = uint32(2166136261)
	hashInner = uint32(3735928559)
)

// hashByte is a step of FNV-1a.
func hashByte(h uint32, c byte) uint32 { return (h ^ uint32(c)) * 16777619 }

// mix spreads a hash over its low bits.
func mix(h uint32) uint32 { return h ^ h>>15 }

// find is the token that is piece, at the start of a word or inside one, or unknown.
func (t *table) find(hash uint32, piece []byte, inner bool) int32 {
	prefix := 0
	if inner {
		prefix = 2
	}
	for slot := mix(hash) & t.mask; ; slot = (slot + 1) & t.mask {
		id := t.slots[slot]
		if id == unknown {
			return unknown
		}
		token := t.token(id)
		if len(token) == prefix+len(piece) && token[prefix:] == string(piece) && (!inner || token[:2] == "##") {
			return id
		}
	}
}

func (t *table) token(id int32) string { return t.vocab[t.starts[id]:t.starts[id+1]] }

// add adds the vector of a token. The product is rounded before the sum, so that no
// machine fuses the two and all come to the same vector.
func (t *table) add(dst []float32, id int32) {
	row := t.rows[int(id)*t.dim:][:len(dst)]
	scale := t.scales[id]
	for i := range dst {
		dst[i] += float32(scale * float32(int8(row[i])))
	}
}
