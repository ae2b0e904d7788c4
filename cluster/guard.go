package cluster

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Reasons given to [Config.Exit].
var (
	// ErrDiskStalled is a log store that did not answer within [Config.StallAfter].
	ErrDiskStalled = errors.New("raft log store stalled")
	// ErrDiskFailed is a log store that could not write: the disk is full or broken.
	ErrDiskFailed = errors.New("raft log store cannot write")
)

// guard ends the process when the store under it stalls or cannot write.
//
// A leader whose disk hangs still sends heartbeats, so that nobody replaces it;
// and after a failed sync nobody knows what is on the disk. Both are worse than
// a node that is gone.
type guard struct {
	logs   raft.LogStore
	stable raft.StableStore
	limit  time.Duration
	once   sync.Once
	exit   func(error)
	// first, if set, makes durable that this directory now belongs to a member;
	// it is called before the first entry is stored.
	first func() error
}

func (g *guard) end(err error) { g.once.Do(func() { g.exit(err) }) }

// read runs an operation that changes nothing: only a stall is fatal.
func (g *guard) read(what string, op func() error) error {
	t := time.AfterFunc(g.limit, func() { g.end(fmt.Errorf("%s took longer than %v: %w", what, g.limit, ErrDiskStalled)) })
	defer t.Stop()
	return op()
}

// write runs an operation that must become durable.
func (g *guard) write(what string, op func() error) error {
	err := g.read(what, op)
	if err != nil {
		err = fmt.Errorf("%s: %w: %w; free or repair the disk and start the node again", what, ErrDiskFailed, err)
		g.end(err)
	}
	return err
}

// FirstIndex implements raft.LogStore.
func (g *guard) FirstIndex() (index uint64, err error) {
	err = g.read("first index", func() error { index, err = g.logs.FirstIndex(); return err })
	return index, err
}

// LastIndex implements raft.LogStore.
func (g *guard) LastIndex() (index uint64, err error) {
	err = g.read("last index", func() error { index, err = g.logs.LastIndex(); return err })
	return index, err
}

// GetLog implements raft.LogStore.
func (g *guard) GetLog(index uint64, log *raft.Log) error {
	return g.read("get log", func() error { return g.logs.GetLog(index, log) })
}

// StoreLog implements raft.LogStore.
func (g *guard) StoreLog(log *raft.Log) error {
	return g.StoreLogs([]*raft.Log{log})
}

// StoreLogs implements raft.LogStore.
func (g *guard) StoreLogs(logs []*raft.Log) error {
	return g.write("store logs", func() error {
		if g.first != nil {
			if err := g.first(); err != nil {
				return err
			}
			g.first = nil
		}
		return g.logs.StoreLogs(logs)
	})
}

// DeleteRange implements raft.LogStore.
func (g *guard) DeleteRange(first, last uint64) error {
	return g.write("delete logs", func() error { return g.logs.DeleteRange(first, last) })
}

// Set implements raft.StableStore.
func (g *guard) Set(key, val []byte) error {
	return g.write("store value", func() error { return g.stable.Set(key, val) })
}

// SetUint64 implements raft.StableStore.
func (g *guard) SetUint64(key []byte, val uint64) error {
	return g.write("store value", func() error { return g.stable.SetUint64(key, val) })
}

// Get implements raft.StableStore.
func (g *guard) Get(key []byte) (val []byte, err error) {
	err = g.read("get value", func() error { val, err = g.stable.Get(key); return err })
	return val, err
}

// GetUint64 implements raft.StableStore.
func (g *guard) GetUint64(key []byte) (val uint64, err error) {
	err = g.read("get value", func() error { val, err = g.stable.GetUint64(key); return err })
	return val, err
}
