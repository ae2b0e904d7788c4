package verdict

import (
	"testing"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

func TestNodesThatAreCutOffAdmitNothing(t *testing.T) {
	cut := func(begun int64) func(*made) {
		return func(m *made) {
			m.h.Meta.Authority = 5 * second
			m.fault("partition-long", "network", 9*second, 30*second, "n2").Cut = 10 * second
			m.h.Requests = append(m.h.Requests, history.Request{ID: "late", Node: "n2", Begun: begun, Ended: begun + second/2, Status: 200, Key: "k"})
			for i := range m.h.Requests { // the others were elsewhere
				if r := &m.h.Requests[i]; r.ID != "late" {
					r.Node = "n1"
				}
			}
		}
	}
	each(t, []spoilt{
		{"as long as it may", cut(17 * second), nil},
		{"longer", cut(19 * second), []string{"authority: n2 ran late, 9s after it was cut off"}},
		{"healed", cut(29 * second), nil},
	})
}

func TestNothingIsWrittenOffByAPowerCut(t *testing.T) {
	write := func(m *made) {
		m.accounts("all", func(a *admin.Account) { a.WrittenOff, a.Available = 5, a.Available-5 })
	}
	each(t, []spoilt{
		{"after a power cut", func(m *made) { write(m); m.fault("power-cut", "disk", 9*second, 10*second, "n2") }, []string{"disk: all: 5 was written off"}},
		{"after a disk forgot", func(m *made) { write(m); m.fault("roll-back", "disk", 9*second, 10*second, "n2") }, nil},
	})
}

func TestOrderlyStopsBreakNothingOff(t *testing.T) {
	stop := func(name string, begun int64, change func(*made, *history.Request)) func(*made) {
		return func(m *made) {
			f := m.fault(name, "upgrade", 29*second, 35*second, "n2")
			f.Stops = []history.Stop{{Node: "n2", Is: "n2-1", From: 30 * second, To: 32 * second}}
			r := history.Request{ID: "cut", Node: "n2", Begun: begun, Ended: 31 * second, Err: "EOF"}
			if change != nil {
				change(m, &r)
			}
			m.h.Requests = append(m.h.Requests, r)
		}
	}
	each(t, []spoilt{
		{"under way", stop("rolling-restart", 29*second, nil), []string{"shutdown: cut was under way at n2 for 1s"}},
		{"came too late", stop("rolling-restart", 30*second, nil), nil},
		{"slowly answered", stop("rolling-restart", 29*second, func(_ *made, r *history.Request) { r.Mode = "slow-chunks=5ms" }), []string{"shutdown: cut"}},
		{"cut by the provider", stop("rolling-restart", 29*second, func(_ *made, r *history.Request) { r.Mode = "cut=3" }), nil},
		{"another node", stop("rolling-restart", 29*second, func(_ *made, r *history.Request) { r.Node = "n1" }), nil},
		{"another fault", stop("rolling-restart", 29*second, func(m *made, _ *history.Request) { m.fault("loss", "network", 24*second, 25*second) }), nil},
	})
}

func TestOneWrongClockIsNotTheLedgers(t *testing.T) {
	jump := func(ahead int64, more func(*made)) func(*made) {
		return func(m *made) {
			m.fault("clock-leader", "clock", 9*second, 12*second, "n1")
			for i := range m.h.Samples {
				if s := &m.h.Samples[i]; s.At >= 10*second {
					s.LedgerTime = s.At + ahead
				}
			}
			if more != nil {
				more(m)
			}
		}
	}
	hour := 3600 * second
	each(t, []spoilt{
		{"a little ahead", jump(3*second, nil), nil},
		{"an hour ahead", jump(hour, nil), []string{"time: ledger time is ahead by 1h0m0s, as n1", "time: ledger time is ahead by 1h0m0s, as n2", "time: ledger time is ahead by 1h0m0s, as n3"}},
		{"two clocks", jump(hour, func(m *made) { m.fault("clock-forward", "clock", 10*second, 12*second, "n2") }), nil},
		{"a node away", jump(hour, func(m *made) { m.fault("kill-follower", "process", 5*second, 6*second, "n2") }), nil},
		{"a node away later", jump(hour, func(m *made) { m.fault("kill-follower", "process", 40*second, 41*second, "n2") }), []string{"time: ledger", "n2", "n3"}},
		{"leadership handed on", jump(hour, func(m *made) { m.fault("transfer", "raft", 5*second, 6*second, "n2") }), []string{"time: ledger", "n2", "n3"}},
	})
}
