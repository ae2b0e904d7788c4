package check

import (
	"encoding/binary"
	"testing"

	"purser/ledger"
)

func budget(limit ledger.Amount) ledger.Budget {
	return ledger.Budget{ID: "b", Unit: ledger.USD, Limit: limit, Window: ledger.Window{Kind: ledger.Total}}
}

// sealed is an entry of one command, or of several, stamped with the instant 1.
func sealed(commands ...ledger.Command) []byte {
	b := make([]byte, 15)
	b[0] = 1
	binary.BigEndian.PutUint64(b[3:], 1)
	if len(commands) == 1 {
		b[2] = 1
		return ledger.AppendCommand(b, commands[0])
	}
	b[2] = 3
	for _, c := range commands {
		body := ledger.AppendCommand(nil, c)
		b = binary.AppendUvarint(append(b, 1), uint64(len(body)))
		b = append(b, body...)
	}
	return b
}

func TestCommandsReadsEntries(t *testing.T) {
	put, tick := ledger.PutBudget{Budget: budget(5)}, ledger.Tick{}
	for n, entry := range map[int][]byte{1: sealed(put), 2: sealed(put, tick)} {
		got, err := Commands(entry)
		if err != nil || len(got) != n || got[0].Kind() != ledger.KindPutBudget {
			t.Errorf("%d commands: %v, %v", n, got, err)
		}
		for cut := range entry {
			if got, err := Commands(entry[:cut]); err == nil && len(got) == n {
				t.Errorf("the first %d of %d bytes were read as the whole", cut, len(entry))
			}
		}
	}
	directory := append(make([]byte, 15), 9)
	directory[0], directory[2] = 1, 2
	if got, err := Commands(directory); err != nil || len(got) != 1 || got[0] != nil {
		t.Errorf("a command of the directory: %v, %v", got, err)
	}
}

// applied gives a log the same command on two replicas, of which the second may
// have another state.
func applied(t *testing.T, change func(second *ledger.State)) *Log {
	t.Helper()
	l, put := NewLog(), ledger.PutBudget{Budget: budget(5)}
	for _, replica := range []string{"n1", "n2"} {
		s := ledger.New()
		out := s.Apply(1, put)
		if replica == "n2" {
			change(s)
		}
		l.Apply(replica, 7, 1, 1, sealed(put), []any{out}, s)
	}
	return l
}

func TestC5SeesReplicasThatDiffer(t *testing.T) {
	expect(t, "alike", applied(t, func(*ledger.State) {}).Wrong())
	expect(t, "one has more", applied(t, func(s *ledger.State) { s.Apply(2, ledger.Tick{}) }).Wrong(), "C5: after entry 7 n1 and n2 differ")
	l, s := NewLog(), ledger.New()
	l.Apply("n1", 1, 1, 1, sealed(ledger.PutBudget{Budget: budget(5)}), []any{s.Apply(1, ledger.PutBudget{Budget: budget(6)})}, s)
	expect(t, "not what the log says", l.Wrong(), "C5: after entry 1 n1 is not where a replay of the log is")
}

func TestLogKeepsWhatChanged(t *testing.T) {
	l, s := NewLog(), ledger.New()
	for i, c := range []ledger.Command{
		ledger.PutBudget{Budget: budget(5)},
		ledger.Register{Node: "n1"},
		&ledger.Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []ledger.Row{{Account: key, Want: 2}}},
		ledger.Tick{},
	} {
		l.Apply("n1", uint64(i+1), 1, int64(i), sealed(c), []any{s.Apply(1, c)}, s)
	}
	var changed []int
	for _, e := range l.Entries() {
		changed = append(changed, len(e.Accounts))
	}
	if len(changed) != 4 || changed[1] != 0 || changed[2] != 1 || changed[3] != 0 {
		t.Errorf("accounts that changed by entry: %v", changed)
	}
	expect(t, "nothing wrong", l.Wrong())

	take := &ledger.Exchange{Node: "n1", Incarnation: 1, Seq: 2, Rows: []ledger.Row{{Account: key, Want: 1}}}
	back := &ledger.Exchange{Node: "n1", Incarnation: 1, Seq: 3, Rows: []ledger.Row{{Account: key, Done: true}}}
	l.Apply("n1", 6, 1, 4, sealed(take, back), []any{s.Apply(1, take), s.Apply(1, back)}, s)
	if e := l.Entries()[4]; len(e.Accounts) != 2 || e.Accounts[0].Available >= e.Accounts[1].Available {
		t.Errorf("what an entry of two commands did on the way: %+v", e.Accounts)
	}
	expect(t, "still nothing wrong", l.Wrong())
	l.Apply("n1", 7, 1, 5, []byte("damaged"), nil, s)
	expect(t, "an entry that cannot be read", l.Wrong(), "entry 7 cannot be read")
}

func TestC4SeesAnAccountThatDoesNotAddUp(t *testing.T) {
	lease := ledger.LeaseView{Node: "n1", Granted: 5, Spent: 2, Returned: 1}
	good := ledger.AccountView{Key: key, Limit: 10, Available: 4, Outstanding: 2, Spent: 3, WrittenOff: 1}
	expect(t, "adds up", adds(good, []ledger.LeaseView{lease}))
	for name, change := range map[string]func(*ledger.AccountView){
		"available":   func(a *ledger.AccountView) { a.Available++ },
		"spent":       func(a *ledger.AccountView) { a.Spent-- },
		"written off": func(a *ledger.AccountView) { a.WrittenOff++ },
		"outstanding": func(a *ledger.AccountView) { a.Outstanding, a.Available = 3, 3 },
	} {
		bad := good
		change(&bad)
		expect(t, name, adds(bad, []ledger.LeaseView{lease}), "C4")
	}
	lease.Returned, good.Outstanding, good.Available = 4, -1, 7
	expect(t, "returned more than it had", adds(good, []ledger.LeaseView{lease}), "n1 has spent 2 and returned 4 of 5")
}
