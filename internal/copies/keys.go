package copies

import (
	"encoding/binary"

	"purser/internal/store"
	"purser/ledger"
)

// The rooms under [store.PrefixQueue]; see package store for the whole layout.
const (
	roomNotes   = 'k' // at(8) number(4): the key of something that is to be sent
	roomCourses = 'p' // origin: a course
	roomMarks   = 'm' // length(1) origin sender: a mark
	roomGone    = 'n' // node: when it was first seen to be removed, an instant(8)
)

const noteLen = 2 + 8 + 4

func noteKey(at ledger.Instant, number uint32) []byte {
	b := binary.BigEndian.AppendUint64([]byte{store.PrefixQueue, roomNotes}, uint64(max(at, 0)))
	return binary.BigEndian.AppendUint32(b, number)
}

// notedAt is when a note was made.
func notedAt(key []byte) ledger.Instant { return ledger.Instant(binary.BigEndian.Uint64(key[2:])) }

func courseKey(origin string) []byte {
	return append([]byte{store.PrefixQueue, roomCourses}, origin...)
}

func goneKey(node string) []byte { return append([]byte{store.PrefixQueue, roomGone}, node...) }

// maxOrigin is the longest id of a node that copies are kept of: it has one byte for its
// length.
const maxOrigin = 255

func markPrefix(origin string) []byte {
	return append([]byte{store.PrefixQueue, roomMarks, byte(len(origin))}, origin...)
}

func markKey(origin, sender string) []byte { return append(markPrefix(origin), sender...) }

// ofMark is the inverse of markKey.
func ofMark(key []byte) (origin, sender string, ok bool) {
	const head = 3
	if len(key) < head || len(key) < head+int(key[2]) {
		return "", "", false
	}
	n := head + int(key[2])
	return string(key[head:n]), string(key[n:]), true
}

// after is the first key behind all that begin with a prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
