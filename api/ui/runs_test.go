package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// outline is a tree as text.
func outline(list []*branch) string {
	var parts []string
	for _, b := range list {
		text := fmt.Sprintf("%s=%d", b.ID, b.Sum)
		if len(b.Below) > 0 {
			text += "(" + outline(b.Below) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func TestRunsAreTrees(t *testing.T) {
	at := func(i int, id, step, parent, agent string) *request {
		return &request{ID: id, Step: step, Parent: parent, Cost: 1, Total: int64(time.Second), At: start.Add(time.Duration(i) * time.Second), Outcome: "completed", Dimensions: map[string]string{"agent": agent}}
	}
	for name, c := range map[string]struct {
		list []*request
		want string
	}{
		"nothing is said":            {[]*request{at(0, "a", "", "", ""), at(1, "b", "", "", "")}, "a=1 b=1"},
		"by id, step and agent":      {[]*request{at(0, "a", "plan", "", "lead"), at(1, "b", "", "a", "coder"), at(2, "c", "", "plan", ""), at(3, "d", "", "coder", ""), at(4, "e", "", "lead", "")}, "a=5(b=2(d=1) c=1 e=1)"},
		"the latest before it":       {[]*request{at(0, "a", "s", "", ""), at(1, "b", "s", "", ""), at(2, "c", "", "s", "")}, "a=1 b=2(c=1)"},
		"of itself, or of one later": {[]*request{at(0, "a", "", "b", ""), at(1, "b", "b", "b", "")}, "a=1 b=1"},
		"of one that is not there":   {[]*request{at(0, "a", "", "x", "")}, "a=1"},
	} {
		var v runView
		v.plant(c.list)
		if got := outline(v.Roots); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// A run in which each request is the next one's parent is shown all the same.
func TestDeepRunsAreShown(t *testing.T) {
	list := make([]*request, mostOfRun)
	for i := range list {
		list[i] = &request{ID: fmt.Sprint(i), Parent: fmt.Sprint(i - 1), Cost: 1, At: start, Outcome: "completed"}
	}
	var v runView
	v.plant(list)
	deep, shown := 0, 0
	var walk func([]*branch, int)
	walk = func(list []*branch, depth int) {
		deep, shown = max(deep, depth), shown+len(list)
		for _, b := range list {
			walk(b.Below, depth+1)
		}
	}
	walk(v.Roots, 0)
	if deep > deepest+1 || shown != mostOfRun || v.Roots[0].Sum != mostOfRun {
		t.Errorf("%d deep, %d of %d requests, a sum of %d", deep, shown, mostOfRun, v.Roots[0].Sum)
	}
}
