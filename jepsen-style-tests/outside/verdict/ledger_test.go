package verdict

import (
	"testing"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

func TestC4SeesAccountsThatDoNotAddUp(t *testing.T) {
	each(t, []spoilt{
		{"in a sample", func(m *made) { m.h.Samples[3].Accounts[0].Available-- }, []string{"C4: all: limit 200000, but available"}},
		{"in a read", func(m *made) {
			a := account("all", "", 200_000, 5, 0)
			a.Outstanding = 1
			m.change("read", "all", 0, 1, 2).Accounts = []admin.Account{a}
		}, []string{"C4: all: limit 200000"}},
		{"at the end", func(m *made) { m.end.Nodes["n2"].Budgets[0].Accounts[0].WrittenOff = 1 }, []string{"C4: all", "C8: all at n2"}},
	})
}

func TestC5SeesNodesThatDiffer(t *testing.T) {
	each(t, []spoilt{
		{"in what they said twice", func(m *made) { m.h.Samples[2].Digest, m.h.Samples[3].Digest = "other", "other" }, []string{"C5: after entry 11 of generation 0, n1-1 has the digest other and n2-1", "n3-1"}},
		{"in what they said once: one may have been read before, one after an entry", func(m *made) { m.h.Samples[2].Digest = "other" }, nil},
		{"of another generation", func(m *made) {
			for i := range m.h.Samples[:10] {
				s := &m.h.Samples[10+i]
				s.Generation, s.Digest, s.Checkpoint.Digest = 1, "other", "other"+s.Checkpoint.Digest
			}
			n := m.end.Nodes["n2"]
			n.Status.Generation, n.Status.Digest = 1, "other"
			m.end.Nodes["n2"] = n
		}, nil},
		{"in their checkpoints", func(m *made) { m.h.Samples[3].Checkpoint.Digest = "other" }, []string{"C5: after entry 0 of generation 0"}},
		{"at the end", func(m *made) {
			n := m.end.Nodes["n3"]
			n.Status.Digest = "other"
			m.end.Nodes["n3"] = n
		}, []string{"C5: after entry 20"}},
	})
}

func TestC6SeesWhatShrinks(t *testing.T) {
	less := func(m *made) { m.h.Samples[5].Accounts[0] = account("all", "", 200_000, 1, 0) }
	read := func(m *made, session int, spent, at int64, state string) {
		c := m.change("read", "all", 0, at, at+1)
		c.Session = session
		c.Accounts = []admin.Account{account("all", "", 200_000, spent, 0)}
		c.Accounts[0].State = state
	}
	each(t, []spoilt{
		{"in the samples of a node", less, []string{"C6: all: 40000 spent was read by n1-1, then 1"}},
		{"of a node that was away meanwhile, and reads its log again", func(m *made) { less(m); m.h.Samples[4] = history.Sample{Node: "n1", Is: "n1-1", Down: true} }, nil},
		{"of a node that began again unseen", func(m *made) {
			less(m)
			for i := 5; i < 10; i++ {
				m.h.Samples[i].Applied, m.h.Samples[i].Digest = 1, "early"
			}
		}, nil},
		{"in a session", func(m *made) { read(m, 1, 20, 10, "open"); read(m, 2, 5, 20, "open"); read(m, 1, 19, 30, "open") }, []string{"C6: all: 20 spent was read by session 1, then 19"}},
		{"of a budget that was made again", func(m *made) {
			read(m, 1, 20, 10, "open")
			m.change("delete", "all", 0, 11, 12)
			m.change("limit", "all", 200_000, 13, 14)
			read(m, 1, 0, 30, "open")
		}, nil},
		{"a window that is open again", func(m *made) { read(m, 1, 20, 10, "ended"); read(m, 1, 20, 30, "open") }, []string{"C6: all was over for session 1, then open"}},
		{"a term", func(m *made) { m.h.Samples[7].Term = 1 }, []string{"C6: n1-1 was in term 2, then in 1"}},
		{"a term, of a node whose disk was rolled back", func(m *made) {
			m.h.Samples[7].Term = 1
			m.fault("roll-back", "disk", 31*second, 34*second, "n1").Loses = true
		}, nil},
		{"a term, of a cluster that begins anew", func(m *made) {
			m.h.Samples[7].Term = 1
			m.fault("restore-backup", "raft", 31*second, 34*second, "n2")
		}, nil},
		{"an incarnation", func(m *made) { m.h.Samples[7].Incarnation = 0 }, []string{"C6: n1-1 was in incarnation 1, then in 0"}},
	})
}

func TestC8SeesWhatIsStillOut(t *testing.T) {
	each(t, []spoilt{
		{"never", func(m *made) { m.end.Drained = 0 }, []string{"C8: it took 0s"}},
		{"late", func(m *made) { m.end.Drained = 31 * time.Second }, []string{"C8: it took 31s"}},
		{"outstanding", func(m *made) {
			m.accounts("all", func(a *admin.Account) { a.Outstanding, a.Available = 5, a.Available-5 })
		}, []string{"C8: all at n1: outstanding 5", "C8: all at n2: outstanding 5", "C8: all at n3: outstanding 5"}},
		{"a node that does not end well", func(m *made) { m.end.Exits = map[string]string{"n2": "exit status 2"} }, []string{"end: n2 did not end well: exit status 2"}},
	})
}
