package check

import (
	"encoding/binary"
	"fmt"
	"sync"

	"purser/ledger"
)

// Applied is an entry as the first replica that had it saw it.
type Applied struct {
	Index, Term uint64
	At          int64
	Now         ledger.Instant   // ledger time of the entry
	Commands    []ledger.Command // nil for one that is not the ledger's
	Outcomes    []any
	Accounts    []ledger.AccountView // those that changed, after each command
}

// Log gathers what replicas apply. It checks C4 and C5 as it goes. All its
// methods may be called by any number of goroutines.
type Log struct {
	mu      sync.Mutex
	entries []Applied
	byIndex map[uint64]seen
	replay  *ledger.State                            // the entries carried out once more, command by command
	last    map[ledger.AccountKey]ledger.AccountView // as of the newest command
	wrong   []string
}

// seen is what the first replica made of an entry.
type seen struct {
	replica string
	digest  [32]byte
}

// NewLog returns a log without entries.
func NewLog() *Log {
	return &Log{byIndex: map[uint64]seen{}, replay: ledger.New(), last: map[ledger.AccountKey]ledger.AccountView{}}
}

// Apply notes that a replica applied an entry: its bytes, its outcomes, and the
// ledger after it, which is read and not kept.
func (l *Log) Apply(replica string, index, term uint64, at int64, entry []byte, outcomes any, state *ledger.State) {
	digest := state.Digest()
	wrong := Conserved(state)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range wrong {
		l.wrong = append(l.wrong, fmt.Sprintf("%s after entry %d on %s", w, index, replica))
	}
	if first, ok := l.byIndex[index]; ok {
		if first.digest != digest {
			l.wrong = append(l.wrong, fmt.Sprintf("C5: after entry %d %s and %s differ", index, first.replica, replica))
		}
		return
	}
	l.byIndex[index] = seen{replica, digest}
	a := Applied{Index: index, Term: term, At: at, Now: state.Now()}
	commands, err := Commands(entry)
	list, ok := outcomes.([]any)
	if err != nil || !ok || len(list) != len(commands) {
		l.wrong = append(l.wrong, fmt.Sprintf("C7: entry %d cannot be read: %v, %d commands, outcomes %T", index, err, len(commands), outcomes))
		return
	}
	a.Commands, a.Outcomes = commands, list
	for _, c := range commands {
		if c != nil {
			l.replay.Apply(stampOf(entry), c)
			a.Accounts = append(a.Accounts, l.changed()...)
		}
	}
	if l.replay.Digest() != digest {
		l.wrong = append(l.wrong, fmt.Sprintf("C5: after entry %d %s is not where a replay of the log is", index, replica))
	}
	l.entries = append(l.entries, a)
}

// changed returns the accounts that are not what they were.
func (l *Log) changed() (list []ledger.AccountView) {
	for b := range l.replay.Budgets() {
		for v := range l.replay.Accounts(b.ID) {
			if l.last[v.Key] != v {
				l.last[v.Key] = v
				list = append(list, v)
			}
		}
	}
	return list
}

// Entries are the entries so far, in the order in which they were first applied.
func (l *Log) Entries() []Applied {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[:len(l.entries):len(l.entries)]
}

// Wrong is what C4 and C5 found.
func (l *Log) Wrong() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong[:len(l.wrong):len(l.wrong)]
}

// Conserved is C4 for one state: limit = available + outstanding + spent + written
// off, where outstanding is added up from the leases.
func Conserved(state *ledger.State) (wrong []string) {
	for b := range state.Budgets() {
		for a := range state.Accounts(b.ID) {
			var leases []ledger.LeaseView
			for l := range state.Leases(a.Key) {
				leases = append(leases, l)
			}
			wrong = append(wrong, adds(a, leases)...)
		}
	}
	if err := state.Check(); err != nil {
		wrong = append(wrong, fmt.Sprintf("C4: %v", err))
	}
	return wrong
}

func adds(a ledger.AccountView, leases []ledger.LeaseView) (wrong []string) {
	var out ledger.Amount
	for _, l := range leases {
		if l.Granted < l.Spent+l.Returned {
			wrong = append(wrong, fmt.Sprintf("C4: %s: %s has spent %d and returned %d of %d", a.Key, l.Node, l.Spent, l.Returned, l.Granted))
		}
		out += l.Granted - l.Spent - l.Returned
	}
	if out != a.Outstanding || a.Available+out+a.Spent+a.WrittenOff != a.Limit {
		wrong = append(wrong, fmt.Sprintf("C4: %s: limit %d, but available %d + leased %d (said to be %d) + spent %d + written off %d",
			a.Key, a.Limit, a.Available, out, a.Outstanding, a.Spent, a.WrittenOff))
	}
	return wrong
}

func stampOf(entry []byte) ledger.Instant { return ledger.Instant(binary.BigEndian.Uint64(entry[3:])) }

// Commands reads an entry of the log: version, shard, room, stamp (8 bytes),
// checksum (4), and a command, or in room 3 several, each with its room and
// length. Commands that are not the ledger's are nil.
func Commands(entry []byte) ([]ledger.Command, error) {
	const header, roomLedger, roomBatch = 15, 1, 3
	if len(entry) < header || entry[0] != 1 {
		return nil, fmt.Errorf("an entry of %d bytes or of another version", len(entry))
	}
	var out []ledger.Command
	add := func(room byte, body []byte) error {
		if room != roomLedger {
			out = append(out, nil)
			return nil
		}
		c, err := ledger.DecodeCommand(body)
		out = append(out, c)
		return err
	}
	rest := entry[header:]
	if entry[2] != roomBatch {
		err := add(entry[2], rest)
		return out, err
	}
	for len(rest) > 0 {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || uint64(len(rest)-1-n) < size {
			return nil, fmt.Errorf("a batch that is cut off")
		}
		end := 1 + n + int(size)
		if err := add(rest[0], rest[1+n:end]); err != nil {
			return nil, err
		}
		rest = rest[end:]
	}
	return out, nil
}
