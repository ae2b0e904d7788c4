package cluster

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestAFollowerWhoseLogContradictsTheSnapshotStartsAgain: a leader that is cut off
// takes entries that nobody commits; by the time it is back, the others have no
// entries from before those, only a snapshot.
func TestAFollowerWhoseLogContradictsTheSnapshotStartsAgain(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	g.trailing = 1
	ended := make(chan error, 1)
	for name := range g.nodes {
		shut(t, g.nodes[name])
	}
	g.exit = func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	for _, name := range []string{"n1", "n2", "n3"} {
		g.start(name, false)
	}
	old := g.leader()
	apply(t, g.nodes[old], "before")
	g.net.isolate(old, true)
	var lost sync.WaitGroup
	for i := range 40 {
		lost.Go(func() {
			if _, err := g.nodes[old].Apply(fmt.Append(nil, "lost ", i), time.Second); err == nil {
				t.Error("an entry was acknowledged without a quorum")
			}
		})
	}
	lost.Wait()
	next := g.leader(old)
	tail := g.nodes[old].Stats().Last
	for i := range 20 {
		apply(t, g.nodes[next], fmt.Sprint(i))
	}
	for _, name := range []string{"n1", "n2", "n3"} { // whoever leads when it is back
		if name == old {
			continue
		}
		eventually(t, name+" to have applied everything", func() bool { return g.fsms[name].state()[1] == 21 })
		for range 2 { // the second deletes up to the first
			if err := g.nodes[name].Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := g.nodes[next].Stats().Commit; s >= tail {
		t.Fatalf("the snapshot of entry %d is beyond the lost tail that ends at %d: the test shows nothing", s, tail)
	}
	g.net.isolate(old, false)
	select {
	case err := <-ended:
		if !errors.Is(err, ErrReplaced) {
			t.Fatalf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a follower that cannot get on goes on")
	}
	shut(t, g.nodes[old])
	g.start(old, false)
	apply(t, g.nodes[g.leader()], "after")
	g.agree(22)
}
