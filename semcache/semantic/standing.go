package semantic

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
)

// standing is what was learned of one entry.
type standing struct {
	good, bad uint32 // answers that were made anew and compared
	// rejected are the questions that its answer was found wrong for: hashes of their
	// normal forms, the oldest first. The slice is replaced, never written.
	rejected []uint64
}

// quarantineAt is how many bad labels end an entry's use: one may be the judge's
// mistake, or the model's mood.
const quarantineAt = 2

// maxRejected bounds the questions that are remembered against an entry.
const maxRejected = 16

func (s *standing) quarantined() bool { return s.bad >= quarantineAt }

func (s *standing) rejects(question uint64) bool { return slices.Contains(s.rejected, question) }

// label notes a comparison with the answer to a question.
func (s *standing) label(good bool, question uint64) {
	if good {
		s.good++
		return
	}
	s.bad++
	if s.rejects(question) {
		return
	}
	kept := s.rejected
	if len(kept) >= maxRejected {
		kept = kept[1:]
	}
	s.rejected = append(slices.Clone(kept), question)
}

// priorWeight is how many labels the pooled estimate counts as, beside an entry's own.
const priorWeight = 10

// adjust moves the pooled estimate towards what the entry itself has shown.
func (s *standing) adjust(o opinion) opinion {
	if n := float64(s.good) + float64(s.bad); n > 0 {
		o.probability = (o.probability*priorWeight + float64(s.good)) / (priorWeight + n)
		o.lower = (o.lower*priorWeight + float64(s.good)) / (priorWeight + n)
	}
	return o
}

// pairHash names a question in the memory of an entry; never 0.
func pairHash(normal string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(normal))
	return max(h.Sum64(), 1)
}

// standingVersion of the stored form: version, good, bad, how many are rejected, their
// hashes.
const standingVersion = 1

func (s *standing) encode() []byte {
	b := binary.AppendUvarint([]byte{standingVersion}, uint64(s.good))
	b = binary.AppendUvarint(b, uint64(s.bad))
	b = binary.AppendUvarint(b, uint64(len(s.rejected)))
	for _, h := range s.rejected {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

func decodeStanding(b []byte) (s standing, ok bool) {
	if len(b) == 0 || b[0] != standingVersion {
		return s, false
	}
	in := input{b: b[1:]}
	s.good, s.bad = uint32(min(in.uvarint(), 1<<31)), uint32(min(in.uvarint(), 1<<31))
	for range in.length(maxRejected) {
		if p := in.take(8); p != nil {
			s.rejected = append(s.rejected, binary.BigEndian.Uint64(p))
		}
	}
	return s, !in.bad && len(in.b) == 0
}
