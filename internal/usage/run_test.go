package usage

import (
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

func TestRunsAreTrees(t *testing.T) {
	call := func(i int, step, parent, agent string) *record.Record {
		r := &record.Record{ID: record.NewID(start + ledger.Instant(i)), Attempt: 1, Attempts: 1, Step: step, Parent: parent, Cost: 10, Outcome: record.Completed}
		r.Dims.Values[ledger.DimAgent] = agent
		return r
	}
	root := call(0, "plan", "", "boss")
	list := []*record.Record{
		root, call(1, "search", "plan", "scout"), call(2, "read", root.ID, "scout"), call(3, "search", "boss", "scout"),
		call(4, "write", "search", "boss"), call(5, "lost", "nobody", ""), call(6, "self", "self", ""),
	}
	again := *list[1]
	again.Attempt, again.Attempts, again.Outcome = 2, 2, record.UpstreamError
	list = append(list[:2], append([]*record.Record{&again}, list[2:]...)...)
	list = append(list, &record.Record{ID: record.NewID(start), Kind: record.KindCorrection, Cost: -3})
	u := NewRun(6)
	for _, r := range list {
		u.Add(r)
	}
	if len(u.Calls) != 6 || !u.More || u.Cost != 8*10-3 {
		t.Fatalf("%d calls, more %v, %d", len(u.Calls), u.More, u.Cost)
	}
	for i, want := range []int{-1, 0, 0, 0, 3, -1} {
		if u.Calls[i].Under != want {
			t.Errorf("call %d is under %d, want %d", i, u.Calls[i].Under, want)
		}
	}
	if c := u.Calls[1]; c.Records != 2 || c.Calls != 2 || c.Cost != 20 || c.Outcome != record.UpstreamError || c.Class != record.ClassProviderError {
		t.Errorf("a call of two attempts: %+v", c)
	}
	u = NewRun(10)
	u.Add(list[len(list)-2])
	if u.Calls[0].Under != -1 {
		t.Error("a call is under itself")
	}
}
