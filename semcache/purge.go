package semcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Epoch tells purges apart and orders them: the instant of a purge, pushed on where
// clocks would have it go back. 0 is before every purge.
type Epoch int64

// Selection says which entries a purge is for: those that match everything that is
// set. The zero Selection is for every entry.
type Selection struct {
	Tenant string // as in [Scope]
	Model  string // as the upstream was asked for it, or as the provider named it
	Tag    string
	Key    Key
}

// Mark is a purge as it is kept, and as nodes tell it each other: what it is for is
// in it as hashes. Two marks are the same purge if they are equal.
type Mark struct {
	Epoch  Epoch
	tenant tenant
	model  label
	tag    label
	key    Key
}

// label is a hash of a tag or a model. That two share one makes a purge delete more
// than was asked for.
type label uint64

// maxLabels bounds those of an entry: its tags, the model as asked and as named.
const maxLabels = MaxTags + 2

func labelOf(kind, text string) label {
	sum := sha256.Sum256([]byte(kind + "\x00" + text))
	return label(max(1, binary.BigEndian.Uint64(sum[:])))
}

func labelsOf(e *Entry) []label {
	if e.labels != nil {
		return e.labels
	}
	list := make([]label, 0, maxLabels)
	for _, m := range [...]string{e.Asked, e.Model} {
		if l := labelOf("model", m); m != "" && !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	for _, t := range e.Tags[:min(len(e.Tags), MaxTags)] {
		list = append(list, labelOf("tag", t))
	}
	return list
}

func (s Selection) mark(at Epoch) Mark {
	m := Mark{Epoch: at, key: s.Key}
	if s.Tenant != "" {
		m.tenant = prefixOf(s.Tenant)
	}
	if s.Model != "" {
		m.model = labelOf("model", s.Model)
	}
	if s.Tag != "" {
		m.tag = labelOf("tag", s.Tag)
	}
	return m
}

// everything says that the mark is for every entry.
func (m *Mark) everything() bool { return *m == Mark{Epoch: m.Epoch} }

// strikes says whether the purge is for an entry.
func (m *Mark) strikes(k *Key, epoch Epoch, labels []label) bool {
	return epoch < m.Epoch &&
		(m.tenant == tenant{} || m.tenant == k.tenant()) &&
		(m.key == Key{} || m.key == *k) &&
		(m.model == 0 || slices.Contains(labels, m.model)) &&
		(m.tag == 0 || slices.Contains(labels, m.tag))
}

// A mark is stored and sent as version=1, epoch (8 bytes), tenant (8), model (8),
// tag (8), key (32); what is not set is zero.
const (
	markVersion = 1
	markLen     = 1 + 8 + tenantPrefix + 8 + 8 + len(Key{})
)

// AppendBinary appends the stored form.
func (m *Mark) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(append(b, markVersion), uint64(m.Epoch))
	b = append(b, m.tenant[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.model))
	b = binary.BigEndian.AppendUint64(b, uint64(m.tag))
	return append(b, m.key[:]...), nil
}

// UnmarshalBinary reads the stored form.
func (m *Mark) UnmarshalBinary(b []byte) error {
	if len(b) != markLen || b[0] != markVersion {
		return errors.New("a purge of another build, or damaged")
	}
	out := Mark{Epoch: Epoch(binary.BigEndian.Uint64(b[1:]))}
	if out.Epoch <= 0 {
		return errors.New("a purge without an epoch")
	}
	b = b[9:]
	copy(out.tenant[:], b)
	b = b[tenantPrefix:]
	out.model, out.tag = label(binary.BigEndian.Uint64(b)), label(binary.BigEndian.Uint64(b[8:]))
	copy(out.key[:], b[16:])
	*m = out
	return nil
}

// MaxMarks bounds the purges that are kept: with more, the older half becomes one
// purge of everything that is as old, which costs misses and nothing else.
const MaxMarks = 256

func compareMarks(a, b Mark) int {
	x, _ := a.AppendBinary(nil)
	y, _ := b.AppendBinary(nil)
	return strings.Compare(string(x), string(y)) // the epoch is in front
}

// joinMarks is the purges of both, in order, without those that a later purge of
// everything covers.
func joinMarks(a, b []Mark) []Mark {
	list := slices.Concat(a, b)
	slices.SortFunc(list, compareMarks)
	list = slices.Compact(list)
	if over := len(list) - MaxMarks; over > 0 {
		cut := over + MaxMarks/2
		list = append([]Mark{{Epoch: list[cut-1].Epoch}}, list[cut:]...)
		slices.SortFunc(list, compareMarks)
	}
	for i := len(list) - 1; i > 0; i-- {
		if list[i].everything() {
			return list[i:]
		}
	}
	return list
}

// marks are immutable.
type marks struct {
	list []Mark
	last Epoch
}

func newMarks(list []Mark) *marks {
	m := &marks{list: list}
	if n := len(list); n > 0 {
		m.last = list[n-1].Epoch
	}
	return m
}

// strike says whether a purge is for an entry.
func (m *marks) strike(k *Key, epoch Epoch, labels func() []label) bool {
	if epoch >= m.last {
		return false
	}
	var known []label
	for i := len(m.list) - 1; i >= 0 && m.list[i].Epoch > epoch; i-- {
		if (m.list[i].model != 0 || m.list[i].tag != 0) && known == nil {
			known = labels()
		}
		if m.list[i].strikes(k, epoch, known) {
			return true
		}
	}
	return false
}

// Epoch is the latest purge that this node knows of. A request takes it when it
// begins, for [Entry.Epoch].
func (c *Cache) Epoch() Epoch { return c.purges.Load().last }

// Marks are the purges that this node knows of.
func (c *Cache) Marks() []Mark { return slices.Clone(c.purges.Load().list) }

// purged says whether an entry is not to be given, because of a purge.
func (c *Cache) purged(k *Key, e *Entry) bool {
	return c.purges.Load().strike(k, e.Epoch, func() []label { return labelsOf(e) })
}

// Purge deletes what is selected, and whatever of it was asked for before and comes
// in later. It returns the mark for the other nodes, and how many entries this one
// had, approximately. From when it returns, no entry of those is given by this node.
func (c *Cache) Purge(s Selection) (Mark, int, error) {
	c.purging.Lock()
	defer c.purging.Unlock()
	m := s.mark(max(Epoch(c.now()), c.Epoch()+1))
	n, err := c.obeyLocked([]Mark{m})
	return m, n, err
}

// Obey takes note of purges that other nodes know of, and deletes what they are for.
func (c *Cache) Obey(list []Mark) (int, error) {
	c.purging.Lock()
	defer c.purging.Unlock()
	return c.obeyLocked(list)
}

func (c *Cache) obeyLocked(list []Mark) (int, error) {
	was := c.purges.Load().list
	all := joinMarks(was, list)
	if slices.Equal(was, all) {
		return 0, nil
	}
	// Before they are on disk: what is given from here on must not be what they are for.
	c.purges.Store(newMarks(all))
	err := c.keepMarks(was, all)
	n, swept := c.sweepPurged()
	if err = errors.Join(err, swept); err != nil {
		return n, fmt.Errorf("purge the response cache: %w", err)
	}
	return n, nil
}

func markKey(m *Mark) []byte {
	b, _ := m.AppendBinary([]byte{store.PrefixPurge})
	return b
}

// keepMarks makes the change durable: a purge outlives the process.
func (c *Cache) keepMarks(was, now []Mark, drop ...[]byte) error {
	b := c.store.NewBatch()
	changes := batch{c: c, b: b}
	for _, key := range drop {
		changes.delete(key)
	}
	for _, m := range was {
		if !slices.Contains(now, m) {
			changes.delete(markKey(&m))
		}
	}
	for _, m := range now {
		if !slices.Contains(was, m) {
			changes.set(markKey(&m), nil)
		}
	}
	return c.store.Apply(b, store.Synced)
}

// loadMarks reads the purges that are kept.
func (c *Cache) loadMarks() error {
	it, err := c.store.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixPurge}, UpperBound: []byte{store.PrefixPurge + 1}})
	if err != nil {
		return err
	}
	var list []Mark
	var unread [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		var m Mark
		if m.UnmarshalBinary(it.Key()[1:]) != nil {
			unread = append(unread, bytes.Clone(it.Key()))
			continue
		}
		list = append(list, m)
	}
	if err := it.Close(); err != nil {
		return err
	}
	list = joinMarks(nil, list)
	c.purges.Store(newMarks(list))
	if len(unread) == 0 {
		return nil
	}
	// What they were for is not known: everything from before is out of use.
	c.log.Error("purges of the response cache cannot be read: what was cached before this start is not given any more", "purges", len(unread))
	now := joinMarks(list, []Mark{{Epoch: max(Epoch(c.now()), c.Epoch()+1)}})
	c.purges.Store(newMarks(now))
	return c.keepMarks(list, now, unread...)
}

// sweepPurged deletes what purges are for, from memory and from disk.
func (c *Cache) sweepPurged() (int, error) {
	m := c.purges.Load()
	n := 0
	c.front.removeIf(func(k *Key, e *Entry) bool {
		return m.strike(k, e.Epoch, func() []label { return labelsOf(e) })
	})
	faults := c.count.faults.Load()
	for from := (place{}); ; {
		w := c.walk(from, place{placed: ledger.MaxInstant}, func(p place, info placeInfo, b *batch) bool {
			if m.strike(&p.key, info.epoch, func() []label { return info.labels }) {
				b.remove(p, info)
				n++
			}
			return true
		})
		if !w.more {
			break
		}
		from = w.next
	}
	if c.count.faults.Load() > faults {
		return n, errors.New("some entries could not be deleted; they are not given any more")
	}
	c.count.purged.Add(uint64(n))
	return n, nil
}
