package verdict

import (
	"testing"

	"purser/api/admin"
)

func TestC2SeesDollarsThatAreNotAccountedFor(t *testing.T) {
	presumed := func(m *made, n int64) {
		for _, id := range []string{"all", "fast"} {
			m.accounts(id, func(a *admin.Account) { a.Presumed = n })
		}
	}
	each(t, []spoilt{
		{"a call without a record", func(m *made) { m.unrecorded(7) }, []string{
			"C2: all was billed 1000 without a record, and has no more than 0 presumed or written off",
			"C2: fast was billed 1000 without a record", "C3: the answer to op-7",
		}},
		{"presumed, after a kill", func(m *made) {
			m.unrecorded(7)
			presumed(m, 1000)
			m.fault("kill", "process", 3*second, 4*second, "n2")
		}, nil},
		{"presumed too little", func(m *made) { m.unrecorded(7); presumed(m, 999); m.fault("kill", "process", 3*second, 4*second, "n2") }, []string{"C2: all was billed 1000", "C2: fast was billed 1000"}},
		{"stated as lost with a fenced node", func(m *made) {
			m.unrecorded(7)
			lost := int64(1000)
			for _, id := range []string{"all", "fast"} {
				m.end.Unrecorded = append(m.end.Unrecorded, admin.Unrecorded{Budget: id, Lost: &lost})
			}
			m.fault("replace-voter", "raft", 3*second, 4*second, "n2")
		}, nil},
		{"of nobody", func(m *made) {
			m.unrecorded(7)
			presumed(m, 1000)
			m.fault("kill", "process", 3*second, 4*second, "n2")
			m.h.Requests[7].Budgets = nil
		}, []string{"C2: call req_0007-1 of op-7 was billed 1000 nano-dollars without a record, and no budget"}},
		{"another cost", func(m *made) { m.end.Rows[7].Cost = 1001 }, []string{"C2: call req_0007-1 was billed 1001 nano-dollars (), its record has 1000", "C2: all was billed 100001"}},
		{"the whole hold of a call whose usage is not known", func(m *made) { m.end.Records[7].Basis = "full_hold"; m.end.Rows[7].Cost = 400 }, nil},
		{"less than the call of which the whole hold was charged", func(m *made) { m.end.Records[7].Basis = "full_hold"; m.end.Rows[7].Cost = 1400 }, []string{"C2: call req_0007-1 was billed 1400", "C2: all was billed 100400"}},
		{"nothing for a call that was billed", func(m *made) { m.end.Records[7].Basis = "no_charge" }, []string{"C2: call req_0007-1 was billed 1000"}},
		{"a record twice", func(m *made) { m.end.Records = append(m.end.Records, m.end.Records[7]) }, []string{"C2: call req_0007-1 has 2 usage records", "C3: the answer to op-7", "C2: all accounts for 100000", "C2: fast from 2026-05-01T12:00:00Z accounts for 100000"}},
		{"a call that was billed twice", func(m *made) { m.end.Rows = append(m.end.Rows, m.end.Rows[7]) }, []string{"C2: the provider was asked 2 times under the one id \"req_0007-1\"", "C2: all was billed 101000"}},
		{"usage that was never billed", func(m *made) { m.end.Rows = m.end.Rows[1:] }, []string{"C2: the record of call req_0000-1 has usage"}},
		{"a report that does not add up", func(m *made) { m.end.Reported, m.misreported = 5, true }, []string{"C2: a report of all usage comes to 5 nano-dollars, its records to 100000"}},
		{"the ledger says less", func(m *made) {
			m.accounts("all", func(a *admin.Account) { a.Spent, a.Available = 99_000, 101_000 })
		}, []string{"C2: all accounts for 99000 nano-dollars", "C2: all was billed 100000"}},
		{"a node of which a report says nothing", func(m *made) {
			m.end.Answered = []admin.NodeAnswer{{Node: "n1-1", By: "n1-1"}, {Node: "n3-1", Err: "it is silent"}}
		}, []string{"C2: a report of all usage says nothing of n2-1"}},
		{"the ledger says less, as a backup does", func(m *made) {
			m.accounts("all", func(a *admin.Account) { a.Spent, a.Available = 99_000, 101_000 })
			m.fault("restore-backup", "raft", 47*second, 48*second)
		}, nil},
		{"the ledger says more", func(m *made) {
			m.accounts("all", func(a *admin.Account) { a.Spent, a.Available = 101_000, 99_000 })
		}, []string{"C2: all is sure of 101000 nano-dollars spent"}},
	})
}

func TestC3SeesAnAnswerThatIsNotRecorded(t *testing.T) {
	gone := func(m *made) {
		m.end.Records = m.end.Records[1:]
		m.end.Rows = m.end.Rows[1:]
		for _, id := range []string{"all", "fast"} {
			m.accounts(id, func(a *admin.Account) { a.Presumed = 1000 })
		}
	}
	each(t, []spoilt{
		{"of a call that was told", gone, []string{"C3: the answer to op-0 from n1 cost 1000, as the client was told, and there is no record"}},
		{"another cost", func(m *made) { m.h.Requests[0].Cost = 5 }, []string{"C3: the answer to op-0 from n1 cost 5, as the client was told, and 1000 by the records"}},
		{"its node was killed at that moment", func(m *made) { gone(m); m.fault("kill-any", "process", second/2, second, "n1") }, nil},
		{"another was", func(m *made) { gone(m); m.fault("kill-any", "process", second/2, second, "n2") }, []string{"C3"}},
		{"its node's clock was wrong", func(m *made) { gone(m); m.fault("clock-restart", "clock", second/2, second, "n1") }, []string{"C3"}},
		{"its node was killed, to start with a wrong clock", func(m *made) {
			gone(m)
			m.fault("clock-restart", "clock", second/2, second, "n1")
			m.h.Faults[len(m.h.Faults)-1].Kills = true
		}, nil},
		{"its node was killed much later", func(m *made) { gone(m); m.fault("kill-any", "process", 9*second, 10*second, "n1") }, []string{"C3"}},
		{"its disk was wiped later", func(m *made) { gone(m); m.fault("wipe", "disk", 9*second, 10*second, "n1").Loses = true }, nil},
	})
}
