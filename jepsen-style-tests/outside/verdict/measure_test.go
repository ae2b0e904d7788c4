package verdict

import (
	"math"
	"slices"
	"testing"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

func TestAdmittedByTheClassOfTheOnlyFault(t *testing.T) {
	m := good(t)
	m.fault("split", "network", 10*second, 12*second, "n1")
	m.fault("pause", "pause", 20*second, 22*second, "n2")
	m.fault("kill", "process", 21*second, 23*second, "n2")
	m.h.Requests[21].Status, m.h.Requests[21].Code = 503, "undecided" // at n1, at 10.5 s
	m.h.Requests[22].Status, m.h.Requests[22].Code = 503, "undecided" // at n2, at 11 s
	m.h.Requests[0].Status, m.h.Requests[0].Refusal = 402, &history.Budget{}
	m.h.Requests[3].Left = true
	f := Measure(m.h, m.end)
	if got, want := f.Admitted["network"], (Share{Warm: 3, WarmAdmitted: 2, All: 5, AllAdmitted: 3}); got != want {
		t.Errorf("network: %+v, want %+v", got, want)
	}
	if got, want := f.Admitted["pause"], (Share{Warm: 1, WarmAdmitted: 1, All: 2, AllAdmitted: 2}); got != want {
		t.Errorf("pause, without the time of two classes: %+v, want %+v", got, want)
	}
	if got := f.Admitted["process"]; got.All != 0 {
		t.Errorf("process, which came after another: %+v", got)
	}
	if got := f.Admitted[Quiet]; got.All != got.AllAdmitted || got.All != 51 {
		t.Errorf("quiet: %+v", got)
	}
	if f.Kinds["undecided"] != 2 || f.Kinds["refused"] != 1 || f.Kinds["gone"] != 1 || f.Kinds["admitted"] != calls-4 {
		t.Errorf("%v", f.Kinds)
	}
	if f.Rows != calls || f.Billed != calls*cost || f.Recorded != calls*cost || f.Unrecorded != 0 || f.Terms != 2 || f.Incarnations != 3 {
		t.Errorf("%+v", f)
	}
}

func TestANodeThatWasDownIsNotWarm(t *testing.T) {
	m := good(t)
	m.h.Samples[1].Down = true // n1, from 5 s to 10 s
	if got := Measure(m.h, m.end).Admitted[Quiet]; got.All != calls || got.Warm != calls-3 {
		t.Errorf("%+v", got)
	}
}

func TestC10MeasuresUntilTheLastNodeDecides(t *testing.T) {
	m := good(t)
	m.fault("kill-leader", "process", 10*second, 12*second, "n1")
	for i := range m.h.Samples[:10] {
		m.h.Samples[i].Role = "leader"
	}
	for i := range m.h.Requests {
		if r := &m.h.Requests[i]; r.Node == "n1" && r.Begun >= 10*second && r.Begun < 15*second {
			r.Status = 0
		}
	}
	m.change("read", "all", 0, 9*second, 11*second).Node = "n2"
	m.change("read", "all", 0, 10*second+second/4, 13*second).Node = "n2"
	m.change("read", "all", 0, 10*second, 10*second+1).Node = "n1"
	f := Measure(m.h, m.end)
	// n1 is asked every 1.5 s: at 15 s it answers, after a quarter of a second.
	if want := []int64{3*second + second/4}; !slices.Equal(f.Recovery["process"], want) {
		t.Errorf("recovered within %v, want %v", f.Recovery, want)
	}
	if want := []int64{3 * second}; !slices.Equal(f.Committed, want) {
		t.Errorf("committed within %v, want %v", f.Committed, want)
	}
	if len(f.WithoutLead) != 1 || f.WithoutLead[0] > second {
		t.Errorf("decided within %v", f.WithoutLead)
	}
	m.fault("split", "network", 14*second, 15*second, "n2")
	if f := Measure(m.h, m.end); len(f.Recovery["process"]) != 0 {
		t.Errorf("a recovery with another fault in it counts: %v", f.Recovery)
	}
}

func TestSlopes(t *testing.T) {
	h := &history.History{}
	for i := range 100 {
		at := int64(i) * int64(time.Minute)
		s := history.Sample{At: at, Node: "n1", Is: "n1-1", Incarnation: 1, RSS: 1<<20 + int64(i)*1000, FDs: 10, Goroutines: 50 - i/10}
		if i < 20 {
			s.RSS = 1 // while it warms up
		}
		h.Samples = append(h.Samples, s)
	}
	got := Slopes(h, time.Hour)
	if len(got) != 1 || math.Abs(got[0].RSS-60_000) > 1 || got[0].FDs != 0 || got[0].Goroutines > -4 || got[0].Span < 79*time.Minute {
		t.Errorf("%+v", got)
	}
	if got := Slopes(h, 2*time.Hour); got != nil {
		t.Errorf("of a life that was too short: %+v", got)
	}
}
