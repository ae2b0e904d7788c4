package live

import (
	"encoding/binary"
	"errors"
)

// batchVersion is the first byte of a batch on its way between nodes.
const batchVersion = 1

// errBatch is a batch that no node of a known version has written.
var errBatch = errors.New("a batch of live records cannot be read: is the other node's build a newer one?")

// AppendBatch writes a batch: the version, the count of the dropped, and each record behind
// its length. Numbers are uvarints.
func AppendBatch(b []byte, batch Batch) []byte {
	b = append(b, batchVersion)
	b = binary.AppendUvarint(b, batch.Dropped)
	for _, r := range batch.Records {
		b = binary.AppendUvarint(b, uint64(len(r)))
		b = append(b, r...)
	}
	return b
}

// DecodeBatch reads what AppendBatch wrote. The records are parts of b.
func DecodeBatch(b []byte) (batch Batch, err error) {
	if len(b) == 0 || b[0] != batchVersion {
		return batch, errBatch
	}
	dropped, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return batch, errBatch
	}
	batch.Dropped = dropped
	for b = b[1+n:]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return Batch{}, errBatch
		}
		batch.Records = append(batch.Records, b[n:n+int(size)])
		b = b[n+int(size):]
	}
	return batch, nil
}
