package vault

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNoMaster says that this node has no master key.
var ErrNoMaster = errors.New("this node has no master key (see docs/vault.md)")

// UnknownMasterError says that something is sealed by a master key that this node
// has not.
type UnknownMasterError struct {
	ID string // of the master key
}

// Error implements error.
func (e *UnknownMasterError) Error() string {
	return fmt.Sprintf("this node has not the master key %s (see docs/vault.md)", e.ID)
}

// reloadPause limits how often a key that is not known has the keys read again.
const reloadPause = time.Second

// Masters are the master keys of a node, the current one first. What they are
// loaded from may change while the node runs: they are read again by Reload, and,
// at most once in a second, when one is asked for that is not known.
type Masters struct {
	load func() ([]Wrapper, error) // nil: there are none

	mu     sync.Mutex
	list   []Wrapper
	loaded time.Time
}

// OpenMasters loads master keys. With a nil load there are none, which is no
// error; keys that cannot be loaded are.
func OpenMasters(load func() ([]Wrapper, error)) (*Masters, error) {
	m := &Masters{load: load}
	return m, m.Reload()
}

// Local is a source of local keys, for OpenMasters.
func Local(read func() ([]*LocalKey, error)) func() ([]Wrapper, error) {
	return func() ([]Wrapper, error) {
		keys, err := read()
		if err != nil {
			return nil, err
		}
		list := make([]Wrapper, len(keys))
		for i, k := range keys {
			list[i] = k
		}
		return list, nil
	}
}

// Reload reads the keys again. After an error those of before stay.
func (m *Masters) Reload() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reloadLocked()
}

func (m *Masters) reloadLocked() error {
	m.loaded = time.Now()
	if m.load == nil {
		return nil
	}
	list, err := m.load()
	if err != nil {
		return err
	}
	m.list = list
	return nil
}

// Current is the key that things are sealed with.
func (m *Masters) Current() (Wrapper, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.list) == 0 {
		return nil, ErrNoMaster
	}
	return m.list[0], nil
}

// Find is the key of an id. Without it the error is ErrNoMaster or an UnknownMasterError.
func (m *Masters) Find(id string) (Wrapper, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.findLocked(id); w != nil {
		return w, nil
	}
	if time.Since(m.loaded) >= reloadPause {
		if err := m.reloadLocked(); err != nil {
			return nil, errors.Join(&UnknownMasterError{id}, err)
		}
		if w := m.findLocked(id); w != nil {
			return w, nil
		}
	}
	if len(m.list) == 0 {
		return nil, ErrNoMaster
	}
	return nil, &UnknownMasterError{id}
}

func (m *Masters) findLocked(id string) Wrapper {
	for _, w := range m.list {
		if w.KeyID() == id {
			return w
		}
	}
	return nil
}

// IDs are the names of the keys, the current one first.
func (m *Masters) IDs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, len(m.list))
	for i, w := range m.list {
		ids[i] = w.KeyID()
	}
	return ids
}
