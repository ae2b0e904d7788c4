package semcache

import (
	"encoding/binary"
	"slices"

	"purser/internal/store"
	"purser/ledger"
)

// place is an entry's position in the order of eviction.
type place struct {
	placed ledger.Instant
	key    Key
}

// placeInfo is what is stored at a place: which filling of the key it stands for,
// what that counts, and what purges go by.
type placeInfo struct {
	created, expires ledger.Instant // expires: when nobody may be given it any more
	size             int64
	epoch            Epoch
	labels           []label
}

// The stored forms: version=2, created, expires, size, epoch (varints), labels (8
// bytes each); version=1 has neither epoch nor labels.
const (
	placeVersion      = 2
	placeVersionPlain = 1
)

func infoOf(e *Entry) placeInfo {
	return placeInfo{created: e.Created, expires: e.keptUntil(), size: e.size(), epoch: e.Epoch, labels: labelsOf(e)}
}

func appendPlaceInfo(b []byte, p placeInfo) []byte {
	b = append(b, placeVersion)
	for _, n := range [...]int64{int64(p.created), int64(p.expires), p.size, int64(p.epoch)} {
		b = binary.AppendVarint(b, n)
	}
	for _, l := range p.labels {
		b = binary.BigEndian.AppendUint64(b, uint64(l))
	}
	return b
}

func decodePlaceInfo(b []byte) (placeInfo, bool) {
	if len(b) == 0 || b[0] != placeVersion && b[0] != placeVersionPlain {
		return placeInfo{}, false
	}
	in := input{b: b[1:]}
	p := placeInfo{created: ledger.Instant(in.varint()), expires: ledger.Instant(in.varint()), size: in.varint()}
	if b[0] == placeVersionPlain {
		return p, !in.bad && len(in.b) == 0 && p.size >= 0
	}
	p.epoch = Epoch(in.varint())
	if in.bad || p.size < 0 || len(in.b)%8 != 0 || len(in.b) > 8*maxLabels {
		return placeInfo{}, false
	}
	for l := range slices.Chunk(in.b, 8) {
		p.labels = append(p.labels, label(binary.BigEndian.Uint64(l)))
	}
	return p, true
}

func appendEntryKey(b []byte, k *Key) []byte {
	return append(append(b, store.PrefixCache), k[:]...)
}

const placeKeyLen = 1 + 8 + len(Key{})

func appendPlaceKey(b []byte, p place) []byte {
	b = binary.BigEndian.AppendUint64(append(b, store.PrefixPlace), uint64(max(p.placed, 0)))
	return append(b, p.key[:]...)
}

func parsePlaceKey(b []byte) (p place, ok bool) {
	if len(b) != placeKeyLen {
		return p, false
	}
	p.placed = ledger.Instant(binary.BigEndian.Uint64(b[1:]))
	copy(p.key[:], b[9:])
	return p, true
}
