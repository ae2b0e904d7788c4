package raftfsm

import (
	"fmt"
	"io"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// Backup writes the present state, in the format of a snapshot: checksums of
// every record and digests of the whole. Entries are applied meanwhile. It
// returns the index of the last entry in it.
func (f *FSM) Backup(w io.Writer) (index uint64, err error) {
	f.mu.Lock()
	m := f.image()
	f.mu.Unlock()
	if err := m.write(w); err != nil {
		return 0, fmt.Errorf("write backup: %w", err)
	}
	return m.index, nil
}

// Rules returns what a node that keeps no accounts goes by: the rules and the
// directory as they are now, to be written and given to [FSM.Restore] over there,
// and the versions they have here.
func (f *FSM) Rules() (*Image, Versions) {
	f.mu.Lock()
	m, v := f.image(), f.changes
	f.mu.Unlock()
	m.ledger, m.directory, m.trail = m.ledger.Rules(), m.directory.WithoutAlerts(), audit.New()
	return &Image{m}, v
}

// Image is a backup that was read and found intact, or the rules alone.
type Image struct{ image }

// ReadBackup reads a backup, and checks all there is to check.
func ReadBackup(r io.Reader) (*Image, error) {
	m, err := readSnapshot(r)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return &Image{*m}, nil
}

// Index is that of the last entry in the backup.
func (m *Image) Index() uint64 { return m.index }

// Ledger is the ledger of the backup. It is to be read only.
func (m *Image) Ledger() *ledger.State { return m.ledger }

// Directory is the directory of the backup. It is to be read only.
func (m *Image) Directory() *directory.State { return m.directory }

// Trail is the audit trail of the backup. It is to be read only.
func (m *Image) Trail() *audit.Trail { return m.trail }

// Begin makes the backup the beginning of another log: what came after it in
// the old one is lost, so the ledger begins a generation ([ledger.Restore]) in
// which nothing is granted that may have been spent, and the directory forgets
// the old cluster's nodes. The audit trail goes on, and by gives the facts of an entry
// that says so, for the generation that begins. now is the time of day.
func (m *Image) Begin(now ledger.Instant, by func(generation uint32) audit.Facts) error {
	next := ledger.Restore{Generation: m.ledger.Generation() + 1}
	if out := m.ledger.Apply(now, next); out.Code != ledger.Applied {
		return fmt.Errorf("begin generation %d: %s", next.Generation, out.Code)
	}
	if out := m.directory.Apply(now, directory.ForgetNodes{}); out.Code != directory.Applied && out.Code != directory.Unchanged {
		return fmt.Errorf("forget the old nodes: %s", out.Code)
	}
	facts := by(next.Generation).Clean()
	m.trail.Record(now, &facts)
	m.index++
	return nil
}

// Write writes the image as a snapshot.
func (m *Image) Write(w io.Writer) error { return m.write(w) }
