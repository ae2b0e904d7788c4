package outcomes

import (
	"errors"
	"fmt"

	"purser/internal/store"

	"github.com/cockroachdb/pebble/v2"
)

// Prefixes are the rooms of a store in which a node keeps its own outcomes and payments.
var Prefixes = [...]byte{store.PrefixOutcome, store.PrefixReport, store.PrefixRevenue}

// maxNode is the longest id of a node that copies are kept of.
const maxNode = 255

// CopyPrefix is what the keys of the copies of a node's things begin with, which that node
// has under one of [Prefixes].
func CopyPrefix(node string, own byte) []byte {
	if len(node) > maxNode {
		panic(fmt.Sprintf("outcomes: no copies are kept of a node with a name of %d bytes", len(node)))
	}
	return append(append([]byte{store.PrefixHeard, byte(len(node))}, node...), own)
}

// Kit is what one node keeps.
type Kit struct {
	Qualities *Store
	Reports   *Reports
	Payments  *Payments
}

// Copied is what a store has as copies of another node's things, to be read.
func Copied(s *store.Store, node string) Kit {
	return Kit{
		Qualities: &Store{store: s, prefix: CopyPrefix(node, store.PrefixOutcome)},
		Reports:   &Reports{shelf{store: s, prefix: CopyPrefix(node, store.PrefixReport)}},
		Payments:  &Payments{shelf{store: s, prefix: CopyPrefix(node, store.PrefixRevenue)}},
	}
}

// Origins are the nodes whose things a store has copies of.
func Origins(s *store.Store) (list []string, err error) {
	it, err := s.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixHeard}, UpperBound: []byte{store.PrefixHeard + 1}})
	if err != nil {
		return nil, fmt.Errorf("list the copies of outcomes: %w", err)
	}
	for ok := it.First(); ok; {
		key := it.Key()
		if len(key) < 2 || len(key) < 2+int(key[1]) {
			err = fmt.Errorf("the copy under %x is of no node: %w", key, store.ErrCorrupt)
			break
		}
		node := string(key[2 : 2+int(key[1])])
		list = append(list, node)
		ok = it.SeekGE(after(key[:2+len(node)]))
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("list the copies of outcomes: %w", err)
	}
	return list, nil
}
