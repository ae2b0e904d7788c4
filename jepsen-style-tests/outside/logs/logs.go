// Package logs judges the logs of Raft that the nodes of a run leave on their disks: it
// carries every entry out once more, and holds what comes of it against what the nodes
// said of themselves while they ran.
package logs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"purser/jepsen-style-tests/check"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/verdict"
	"purser/ledger"
	"purser/raftfsm"
)

// log is one node's, from its first entry on.
type log struct {
	place   string
	entries []*raft.Log
}

// Judge reads the logs of the nodes of a run, which have ended, and notes at its end what
// it read. A log that no longer begins with the first entry, because a snapshot has taken
// its place, is left out. What is committed is what most of the voters have.
func Judge(h *history.History, end *history.End) []verdict.Finding {
	r := &end.Replay
	var whole []log
	for _, place := range slices.Sorted(maps.Keys(end.Disks)) {
		l, why := read(place, filepath.Join(end.Disks[place], "raft", "raft.db"))
		if why != "" {
			r.Skipped = append(r.Skipped, place+": "+why)
			continue
		}
		whole = append(whole, l)
	}
	r.Logs = len(whole)
	// The ledger of a backup that was restored does not come from the first entry.
	if len(whole) == 0 || slices.ContainsFunc(h.Samples, func(s history.Sample) bool { return s.Generation > 0 }) {
		return nil
	}
	found := matching(whole)
	entries := committed(whole, max(1, (h.Meta.Nodes+1)/2-len(r.Skipped)))
	r.Entries = len(entries)
	return append(found, replay(entries, verdict.Digests(h, end), stops(h))...)
}

// stop is the orderly stop of a node, by the time of the ledger.
type stop struct {
	node string // its id
	at   ledger.Instant
}

// stops are those that ended well, by their time; none where a clock was wrong, which may
// have become the ledger's.
func stops(h *history.History) (list []stop) {
	for i := range h.Faults {
		f := &h.Faults[i]
		if f.Class == "clock" && f.Skipped == "" {
			return nil
		}
		for _, s := range f.Stops {
			if s.Well {
				list = append(list, stop{s.Is, ledger.Instant(h.Meta.Began.UnixNano() + s.To)})
			}
		}
	}
	slices.SortFunc(list, func(a, b stop) int { return cmp.Compare(a.at, b.at) })
	return list
}

// leases are how many each node has.
func leases(s *ledger.State) map[string]int {
	out := map[string]int{}
	for n := range s.Nodes() {
		out[string(n.ID)] = n.Leases
	}
	return out
}

// read reads a log from its first entry on; why says why it is left out.
func read(place, file string) (l log, why string) {
	if _, err := os.Stat(file); err != nil {
		return l, err.Error()
	}
	store, err := boltdb.New(boltdb.Options{Path: file, BoltOptions: &bbolt.Options{ReadOnly: true}})
	if err != nil {
		return l, err.Error()
	}
	l, why = from(place, store)
	if err := store.Close(); err != nil && why == "" {
		why = err.Error()
	}
	return l, why
}

func from(place string, store *boltdb.BoltStore) (log, string) {
	l := log{place: place}
	first, err := store.FirstIndex()
	last, errLast := store.LastIndex()
	switch {
	case errors.Join(err, errLast) != nil:
		return l, errors.Join(err, errLast).Error()
	case first == 0:
		return l, "its log is empty"
	case first != 1:
		return l, fmt.Sprintf("its log begins with entry %d, after a snapshot", first)
	}
	for i := first; i <= last; i++ {
		e := &raft.Log{}
		if err := store.GetLog(i, e); err != nil {
			return l, fmt.Sprintf("entry %d: %v", i, err)
		}
		l.entries = append(l.entries, e)
	}
	return l, ""
}

// matching is what Raft promises: entries of one index and term are the same on every
// node, and so is all that comes before them.
func matching(logs []log) (found []verdict.Finding) {
	for _, l := range logs[1:] {
		for i := range min(len(l.entries), len(logs[0].entries)) {
			a, b := logs[0].entries[i], l.entries[i]
			if a.Term == b.Term && (a.Type != b.Type || string(a.Data) != string(b.Data)) {
				found = append(found, verdict.Finding{Checker: "C7", What: fmt.Sprintf("entry %d of term %d is another on %s than on %s", a.Index, a.Term, l.place, logs[0].place)})
				break
			}
		}
	}
	return found
}

// committed are the entries that so many logs have.
func committed(logs []log, most int) []*raft.Log {
	byLength := slices.SortedFunc(slices.Values(logs), func(a, b log) int { return len(b.entries) - len(a.entries) })
	longest := byLength[0].entries
	for i, e := range longest {
		have := 0
		for _, l := range logs {
			if i < len(l.entries) && l.entries[i].Term == e.Term {
				have++
			}
		}
		if have < most {
			return longest[:i]
		}
	}
	return longest
}

// thorough is how many entries are followed by a look at every account; beyond, each
// thousandth is. The state machine itself looks at those that an entry changes.
const thorough = 2000

// replay carries the entries out: C4 after each, C5 where a node told its digest, no
// Exchange is applied twice, and a node that has ended in peace has given all leases back.
func replay(entries []*raft.Log, digests map[uint64]string, ended []stop) (found []verdict.Finding) {
	fsm := raftfsm.New()
	applied := map[string]uint64{}
	wrong := func(checker, format string, args ...any) {
		found = append(found, verdict.Finding{Checker: checker, What: fmt.Sprintf(format, args...)})
	}
	for i, e := range entries {
		if e.Type == raft.LogCommand {
			var left map[string]int
			if len(ended) > 0 {
				left = leases(fsm.Ledger())
			}
			outcomes, err := carry(fsm, e)
			if err != nil {
				wrong("C4", "entry %d cannot be carried out once more: %v", e.Index, err)
				return found
			}
			for _, name := range exchanges(e, outcomes) {
				if before, twice := applied[name]; twice {
					wrong("C7", "%s was applied twice, by entry %d and by entry %d", name, before, e.Index)
				}
				applied[name] = e.Index
			}
			for ; len(ended) > 0 && fsm.Now() > ended[0].at; ended = ended[1:] { // the entry is the first from after it
				if n := left[ended[0].node]; n > 0 {
					wrong("shutdown", "%s ended in peace, and has %d leases before entry %d", ended[0].node, n, e.Index)
				}
			}
		}
		said, told := digests[e.Index]
		if told && fmt.Sprintf("%x", fsm.Ledger().Digest()) != said {
			wrong("C5", "after entry %d the log, carried out once more, has the digest %.8x, and a node said %.16s", e.Index, fsm.Ledger().Digest(), said)
		}
		if i < thorough || i%1000 == 0 || i == len(entries)-1 {
			for _, w := range check.Conserved(fsm.Ledger()) {
				wrong("C4", "after entry %d: %s", e.Index, w)
			}
		}
		if len(found) > thorough {
			return found
		}
	}
	return found
}

// carry applies an entry. The state machine panics where it cannot go on.
func carry(fsm *raftfsm.FSM, e *raft.Log) (outcomes []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	outcomes, _ = fsm.Apply(e).([]any)
	return outcomes, nil
}

// exchanges are the names of those that an entry applied.
func exchanges(e *raft.Log, outcomes []any) (names []string) {
	commands, err := check.Commands(e.Data)
	if err != nil || len(commands) != len(outcomes) {
		return nil // the state machine could read it: it has no ledger command alone
	}
	for i, c := range commands {
		x, ok := c.(*ledger.Exchange)
		out, decided := outcomes[i].(ledger.Outcome)
		if ok && decided && out.Code == ledger.Applied {
			names = append(names, fmt.Sprintf("exchange %d of %s, incarnation %d", x.Seq, x.Node, x.Incarnation))
		}
	}
	return names
}
