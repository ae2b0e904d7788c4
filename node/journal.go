package node

import (
	"log/slog"

	"purser/internal/copies"
	"purser/internal/purse"
	"purser/internal/record"
	"purser/internal/store"
	"purser/internal/telemetry"
	"purser/internal/usage"
	"purser/proxy"
)

// journal is where the request path leaves a finished request.
type journal struct {
	usage   *usage.Journal
	copies  *copies.Copies // nil: there is no peer
	cache   *cache         // nil when the cache is off
	metrics *telemetry.Metrics
	// watchers see each record before it is on disk. They return at once, wait for nothing,
	// and keep nothing of what they are given.
	watchers []func(*record.Record)
}

// Commit implements proxy.Journal. A record that cannot be written fails the
// store, which ends the process; here it is only said.
func (j *journal) Commit(r *record.Record, f *proxy.Fill) {
	e := usage.Entry{Record: r}
	if f != nil && j.cache != nil {
		e.Extra = j.cache.fill(f)
	}
	j.put(e)
	j.metrics.Observe(r)
	for _, watch := range j.watchers {
		watch(r)
	}
}

// put writes an entry, with the note that its record is to be copied.
func (j *journal) put(e usage.Entry) usage.Receipt {
	if id, ok := record.ParseID(e.Record.ID); ok && j.copies != nil {
		e.Extra = append(e.Extra, j.copies.Note(usage.RecordKey(id, e.Record.Attempt)))
	}
	return j.usage.Commit(e)
}

// leaseStore is the purse's store: marks, and the end of the proofs of leases
// that are closed.
type leaseStore struct {
	marks
	usage *usage.Journal
	log   *slog.Logger
}

// LeaseStore keeps a purse's marks in a node's store, and forgets the proofs of
// leases that are closed.
func LeaseStore(s *store.Store, j *usage.Journal, log *slog.Logger) purse.MarkStore {
	return leaseStore{marks{s}, j, log}
}

// SaveMarks implements purse.MarkStore.
func (s leaseStore) SaveMarks(seq uint64, list []purse.Mark) error {
	if err := s.marks.SaveMarks(seq, list); err != nil {
		return err
	}
	for _, m := range list {
		if m.Gone {
			if err := s.usage.Forget(m.Account, m.Incarnation); err != nil {
				s.log.Warn("the proof of a closed lease stays behind", "budget", m.Account.Budget, "error", err)
			}
		}
	}
	return nil
}
