package usage

import (
	"fmt"

	"purser/internal/record"
)

// RecordKey is where this node's store has one of its own records.
func RecordKey(id record.ID, attempt int) []byte { return Own.recordKey(id, attempt) }

// Prefix is what the keys of the shelf's records begin with. What follows is the same on
// every shelf.
func (s Shelf) Prefix() []byte { return s.recordPrefix() }

// PutKey is [Copying.Put] of the record whose key, behind its shelf's prefix, is given.
func (c *Copying) PutKey(key, encoded []byte) error {
	var id record.ID
	if len(key) != len(id)+1 || key[0]&0x80 != 0 {
		return fmt.Errorf("%x is the key of no record", key)
	}
	copy(id[:], key)
	return c.Put(id, int(key[len(id)]), encoded)
}
