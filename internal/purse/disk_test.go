package purse

import (
	"errors"
	"sync"

	"purser/ledger"
)

// memoryMarks is a disk that keeps marks, loses its service on demand, and can
// be read by the test as a restart would.
type memoryMarks struct {
	mu    sync.Mutex
	seq   uint64
	marks map[markKey]ledger.Amount
	saves int
	fail  bool
	gate  chan struct{} // when set, a save waits until it can receive
}

type markKey struct {
	account     ledger.AccountKey
	incarnation uint32
}

var errDisk = errors.New("input/output error")

func (m *memoryMarks) SaveMarks(seq uint64, marks []Mark) error {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		<-gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return errDisk
	}
	if seq <= m.seq {
		return errors.New("the sequence of the marks does not grow")
	}
	m.seq = seq
	m.saves++
	if m.marks == nil {
		m.marks = make(map[markKey]ledger.Amount)
	}
	for _, k := range marks {
		m.marks[markKey{k.Account, k.Incarnation}] = k.Amount
	}
	for _, k := range marks { // last, whatever their order: a save names a lease once
		if k.Gone {
			delete(m.marks, markKey{k.Account, k.Incarnation})
		}
	}
	return nil
}

func (m *memoryMarks) LoadMarks() (uint64, []Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Mark
	for k, v := range m.marks {
		out = append(out, Mark{Account: k.account, Incarnation: k.incarnation, Amount: v})
	}
	return m.seq, out, nil
}
