package ui

import (
	"fmt"
	"testing"
	"time"

	"purser/api/admin"
)

// A run in which each call is the next one's parent is shown all the same, with its sums.
func TestDeepRunsAreShown(t *testing.T) {
	const calls = 2000
	var chain []admin.RunCall
	for i := calls; i > 0; i-- {
		chain = []admin.RunCall{{ID: fmt.Sprint(i), At: start.Add(time.Duration(i) * time.Second).Format(time.RFC3339), Cost: 1, Tokens: 2, Total: int64(time.Second), Outcome: "completed", Agent: "a", Children: chain}}
	}
	chain = append(chain, admin.RunCall{ID: "alone", At: "never", Cost: 5, Outcome: "refused"})
	var v runView
	v.measure(chain)
	v.Took = v.end.Sub(v.began)
	v.Trees, _ = v.grow(chain, 0)
	deep, shown := 0, 0
	var walk func([]*branch, int)
	walk = func(list []*branch, depth int) {
		deep, shown = max(deep, depth), shown+len(list)
		for _, b := range list {
			walk(b.Below, depth+1)
		}
	}
	walk(v.Trees, 0)
	if deep > deepest+1 || shown != calls+1 {
		t.Errorf("%d deep, %d of %d calls", deep, shown, calls+1)
	}
	if v.Trees[0].Sum != calls || v.Trees[1].Sum != 5 || v.Tokens != 2*calls || v.Failed != 1 || len(v.Agents) != 1 || v.Took != calls*time.Second {
		t.Errorf("the first comes to %d, the other to %d; %d tokens, %d failed, %v, %v", v.Trees[0].Sum, v.Trees[1].Sum, v.Tokens, v.Failed, v.Agents, v.Took)
	}
	if last := v.Trees[0].Below[0]; last.X == "" || last.W == "" {
		t.Error("a call has no place in time")
	}
}
