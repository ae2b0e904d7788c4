package decide

import (
	"encoding/binary"
	"errors"
)

// Bounds of a history.
const (
	// quarantineAt is how many bad labels put an entry away.
	quarantineAt = 2
	// maxAnchors is how many rejected prompts an entry remembers; the oldest goes first.
	maxAnchors = 8
	// pooled is how many labels the model's opinion counts for, beside an entry's own.
	pooled = 20
)

// History is what exploration learned of one stored entry. It is a value; its
// anchors are shared and never changed in place.
type History struct {
	Good, Bad uint16
	anchors   []uint64
}

// Quarantined says that the entry may not be served.
func (h History) Quarantined() bool { return h.Bad >= quarantineAt }

// Rejects says that this very prompt, by its normal form, was found to need another answer.
func (h History) Rejects(asked *Text) bool {
	id := anchorOf(asked)
	for _, a := range h.anchors {
		if a == id {
			return true
		}
	}
	return false
}

// Observe adds a label of a prompt that the entry would have answered. Undecided
// changes nothing.
func (h History) Observe(asked *Text, l Label) History {
	switch l {
	case Agrees:
		if h.Good < 1<<16-1 {
			h.Good++
		}
	case Disagrees:
		if h.Bad < 1<<16-1 {
			h.Bad++
		}
		if !h.Rejects(asked) {
			keep := h.anchors[max(0, len(h.anchors)-maxAnchors+1):]
			h.anchors = append(append(make([]uint64, 0, maxAnchors), keep...), anchorOf(asked))
		}
	case Undecided:
	}
	return h
}

// Adjust moves a probability and its lower bound by the entry's own labels. Without
// any it changes nothing; with many, theirs is what counts.
func (h History) Adjust(p, lower float64) (float64, float64) {
	good, bad := float64(h.Good), float64(h.Bad)
	if good+bad == 0 || p <= 0 {
		return p, lower
	}
	a, b := pooled*min(p, 0.9999), pooled*(1-min(p, 0.9999))
	q := (a + good) / (a + b + good + bad)
	moved := lower + BetaQuantile(1-Lower90, a+good, b+bad) - BetaQuantile(1-Lower90, a, b)
	return q, max(0, min(q, moved))
}

func anchorOf(t *Text) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(t.Normal) {
		h = (h ^ uint64(t.Normal[i])) * 1099511628211
	}
	return h
}

// The stored form: version, good, bad, number of anchors, anchors; little-endian.
const historyVersion = 1

var errHistory = errors.New("decide: not a stored history, or one of another version")

// Append adds the stored form to dst: at most 70 bytes.
func (h History) Append(dst []byte) []byte {
	dst = append(dst, historyVersion)
	dst = binary.LittleEndian.AppendUint16(dst, h.Good)
	dst = binary.LittleEndian.AppendUint16(dst, h.Bad)
	dst = append(dst, byte(len(h.anchors)))
	for _, a := range h.anchors {
		dst = binary.LittleEndian.AppendUint64(dst, a)
	}
	return dst
}

// DecodeHistory reads what [History.Append] wrote.
func DecodeHistory(b []byte) (History, error) {
	if len(b) < 6 || b[0] != historyVersion || b[5] > maxAnchors || len(b) != 6+8*int(b[5]) {
		return History{}, errHistory
	}
	h := History{Good: binary.LittleEndian.Uint16(b[1:]), Bad: binary.LittleEndian.Uint16(b[3:])}
	for i := range int(b[5]) {
		h.anchors = append(h.anchors, binary.LittleEndian.Uint64(b[6+8*i:]))
	}
	return h, nil
}
