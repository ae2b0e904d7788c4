package semantic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"purser/internal/packed"
	"purser/ledger"
)

// entry is a question that has an answer. It is immutable.
type entry struct {
	created, expires ledger.Instant
	answer           [32]byte // of the exact cache
	space            spaceID
	scale            float32 // of row
	row              []int8  // the question's vector, quantised
	text             string  // the question as it was asked
}

// spaceID says whose vectors they are: the first bytes of the SHA-256 of an embedder's
// id.
type spaceID [8]byte

// The stored form: version, flags, CRC-32C of what is bound and all that follows, and
// the payload, which is sealed where there is a sealer. The payload: created, expires,
// answer, space, scale, the row with its length, the text with its length. What is bound is
// the scope and the entry's id: an entry in another's place is damaged.
const (
	entryVersion = 1
	entrySealed  = 1 // flag
	entryHeader  = 1 + 1 + 4
)

// maxDim bounds a stored vector: a damaged length must not make the decoder allocate.
const maxDim = 4096

// maxText bounds a stored question, in bytes: four for each character.
const maxText = 4 * maxChars

var errDamaged = errors.New("damaged semantic entry")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendBound(b []byte, s *Scope, id *EntryID) []byte { return append(append(b, s[:]...), id[:]...) }

// encode gives the stored form of e.
func (e *entry) encode(seal Sealer, bound []byte) []byte {
	plain := make([]byte, 0, 128+len(e.row)+len(e.text))
	plain = binary.AppendVarint(plain, int64(e.created))
	plain = binary.AppendVarint(plain, int64(e.expires))
	plain = append(append(plain, e.answer[:]...), e.space[:]...)
	plain = binary.BigEndian.AppendUint32(plain, math.Float32bits(e.scale))
	plain = binary.AppendUvarint(plain, uint64(len(e.row)))
	for _, v := range e.row {
		plain = append(plain, byte(v))
	}
	plain = append(binary.AppendUvarint(plain, uint64(len(e.text))), e.text...)
	b := make([]byte, entryHeader, entryHeader+len(plain)+64)
	b[0] = entryVersion
	if seal == nil {
		b = append(b, plain...)
	} else {
		b[1] = entrySealed
		b = seal.Seal(b, plain, bound)
	}
	binary.BigEndian.PutUint32(b[2:], sum(bound, b[entryHeader:]))
	return b
}

func sum(bound, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(bound, castagnoli), castagnoli, payload)
}

// similarity is the cosine with a vector of unit length.
func (e *entry) similarity(v []float32) float32 {
	var dot float32
	for i, q := range e.row {
		dot += float32(q) * v[i]
	}
	return dot * e.scale
}

// decodeEntry reads a stored form. It keeps no part of b. Where there is a sealer, only
// what it has sealed is an entry.
func decodeEntry(b []byte, seal Sealer, bound []byte) (*entry, error) {
	if len(b) < entryHeader || b[0] != entryVersion || b[1]&^entrySealed != 0 || binary.BigEndian.Uint32(b[2:]) != sum(bound, b[entryHeader:]) {
		return nil, errDamaged
	}
	payload := b[entryHeader:]
	switch sealed := b[1]&entrySealed != 0; {
	case sealed && seal == nil:
		return nil, fmt.Errorf("%w: it is sealed, and there is no key", errDamaged)
	case seal != nil && !sealed:
		return nil, fmt.Errorf("%w: it is in clear, so that anybody may have written it", errDamaged)
	case sealed:
		var err error
		if payload, err = seal.Open(nil, payload, bound); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	in := packed.Reader{Rest: payload}
	e := &entry{created: ledger.Instant(in.Varint()), expires: ledger.Instant(in.Varint())}
	copy(e.answer[:], in.Take(len(e.answer)))
	copy(e.space[:], in.Take(len(e.space)))
	if p := in.Take(4); p != nil {
		e.scale = math.Float32frombits(binary.BigEndian.Uint32(p))
	}
	row := in.Take(int(in.Uvarint(maxDim)))
	e.row = make([]int8, len(row))
	for i, v := range row {
		e.row[i] = int8(v)
	}
	e.text = string(in.Take(int(in.Uvarint(maxText))))
	if !in.Whole() || !(e.scale > 0 && e.scale <= 1) || len(e.row) == 0 || e.text == "" {
		return nil, errDamaged
	}
	return e, nil
}
