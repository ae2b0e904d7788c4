package verdict

import (
	"testing"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/ledger"
)

func TestC1SeesABillAboveItsCap(t *testing.T) {
	// A second bill for a request that was made is C2's affair, too.
	const unrecorded = "C2"
	each(t, []spoilt{
		{"within, to the last nano-dollar", func(m *made) { m.end.Rows[99].Cost, m.end.Records[99].Cost = 1000, 1000 }, nil},
		{"above", func(m *made) { m.more(0, "req_x", 100_001, 60*time.Second) }, []string{"C1: call more of op-0 brings the bill of all to 200001 nano-dollars", unrecorded, "C1: fast was billed"}},
		{"above a limit that is raised too late", func(m *made) {
			m.change("limit", "all", 400_000, 61*second, 62*second)
			m.change("limit", "fast", 900_000, 0, 1)
			m.more(0, "req_x", 100_001, 60*time.Second)
		}, []string{"C1: call more of op-0 brings the bill of all", unrecorded}},
		{"within a limit that may have been raised in time", func(m *made) {
			m.change("limit", "all", 400_000, 59*second, 62*second).OK = false
			m.h.Changes[0].Known = false
			m.change("limit", "fast", 900_000, 0, 1)
			m.more(0, "req_x", 100_001, 60*time.Second)
		}, []string{unrecorded}},
		{"above: the raise was refused", func(m *made) {
			m.change("limit", "all", 400_000, 59*second, 62*second).OK = false
			m.change("limit", "fast", 900_000, 0, 1)
			m.more(0, "req_x", 100_001, 60*time.Second)
		}, []string{"C1: call more of op-0 brings the bill of all", unrecorded}},
		{"a budget that was made again begins anew", func(m *made) {
			m.change("delete", "all", 0, 51*second, 52*second)
			m.change("limit", "all", 200_000, 53*second, 54*second)
			m.change("limit", "fast", 900_000, 0, 1)
			m.h.Requests = append(m.h.Requests, history.Request{ID: "again", Node: "n1", Begun: 55 * second, Ended: 56 * second, Status: 200, Budgets: []string{"all", "fast"}})
			m.more(0, "req_x", 150_000, 56*time.Second)
			m.end.Rows[calls].EndUser = "again"
		}, []string{unrecorded}},
		{"a budget that a restored backup does not know", func(m *made) {
			m.change("limit", "fast", 130_000, 50*second, 51*second)
			m.fault("restore-backup", "raft", 49*second, 52*second, "n1", "n2", "n3")
			m.h.Requests = append(m.h.Requests, history.Request{ID: "again", Node: "n1", Begun: 55 * second, Ended: 56 * second, Status: 200, Budgets: []string{"fast"}})
			m.more(0, "req_x", 150_000, 56*time.Second)
			m.end.Rows[calls].EndUser = "again"
			m.end.Records = append(m.end.Records, history.Record{ID: "req_x", Attempt: 1, Cost: 150_000, Basis: "reported"})
		}, nil},
		{"above, of what a provider billed beyond the cap, without showing it", func(m *made) {
			m.change("limit", "fast", 900_000, 0, 1)
			m.more(0, "req_x", 100_001, 60*time.Second)
			m.end.Rows[calls].Mode = "over-cap=50"
		}, []string{"C1: call more of op-0 brings the bill of all", unrecorded}},
		{"above by what the provider billed beyond the cap, shown", func(m *made) {
			m.end.Rows[9].Mode, m.end.Rows[9].Cost = "over-cap=50", 150_000
			m.end.Records[9].Cost, m.end.Records[9].Overrun = 150_000, 147_000
			m.end.Records[9].Charges[0].Spent, m.end.Records[9].Charges[1].Spent = 150_000, 150_000
			m.h.Requests[9].Cost = 150_000
			for _, id := range []string{"all", "fast"} {
				m.accounts(id, func(a *admin.Account) {
					a.Spent, a.Overrun = a.Spent+149_000, 147_000
					a.Available = a.Limit - a.Spent
				})
			}
		}, nil},
		{"an overrun that no provider billed", func(m *made) { m.accounts("all", func(a *admin.Account) { a.Overrun = 5 }) }, []string{"C2: all shows 5 as billed beyond holds"}},
		{"one account of a split", func(m *made) {
			m.change("limit", "by", 49, 0, 1)
			m.h.Meta.Budgets[3].Limit = "40"
		}, []string{"C1: call 98 of op-98 brings the bill of by[a] to 50 requests", "C1: call 99 of op-99 brings the bill of by[b] to 50 requests"}},
	})
}

// TestC1GivesRowsToWindows: rows without a record may be of any window that their
// request touched, and need one with room.
func TestC1GivesRowsToWindows(t *testing.T) {
	next := zero.Add(time.Minute).UnixNano()
	straddle := func(m *made, cost ledger.Amount) {
		m.h.Meta.Budgets[0].Limit = "1"
		m.accounts("all", func(a *admin.Account) { a.WrittenOff, a.Available = 500_000, a.Available-500_000 })
		m.accounts("fast", func(a *admin.Account) { a.WrittenOff, a.Available = 500_000, a.Available-500_000 })
		m.h.Samples[0].Accounts = append(m.h.Samples[0].Accounts, account("fast", time.Unix(0, next).UTC().Format(time.RFC3339), 130_000, 0, 0))
		m.h.Requests = append(m.h.Requests, history.Request{ID: "late", Node: "n1", Begun: 57 * second, Ended: 62 * second, Budgets: []string{"all", "fast"}})
		m.h.Faults = append(m.h.Faults, history.Fault{Name: "roll-back", Class: "disk", Begun: 50 * second, Ended: 62 * second, Bit: true})
		m.more(0, "req_late", cost, 61*time.Second)
		m.end.Rows[calls].EndUser = "late"
	}
	each(t, []spoilt{
		{"the first has room", func(m *made) { straddle(m, 30_000) }, nil},
		{"only the second has", func(m *made) { straddle(m, 130_000) }, nil},
		{"neither has", func(m *made) { straddle(m, 130_001) }, nil}, // both together have
		{"both together have not", func(m *made) { straddle(m, 160_001) }, []string{"C1: fast was billed 260001 nano-dollars in the 2 windows from 2026-05-01T12:00:00Z on, whose caps and overrun are 260000"}},
		{"a record that names another window", func(m *made) { m.end.Records[3].Charges[1].Start = next + 3*int64(time.Minute) }, []string{"C1: op-3 was charged to the window of fast that begins at 2026-05-01T12:04:00Z", "C2"}},
	})
}

func TestC1SeesTooManyAtOnce(t *testing.T) {
	each(t, []spoilt{
		{"two", func(m *made) { m.end.Records[1].At = m.end.Records[0].At }, nil},
		{"three", func(m *made) {
			m.end.Records[1].At, m.end.Records[2].At = m.end.Records[0].At, m.end.Records[0].At
		}, []string{"C1: 3 requests of at-once"}},
	})
}
