package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

func TestAssumptionsThatDoNotHold(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*made)
		want  string
	}{
		{"no load", func(m *made) { m.h.Requests = m.h.Requests[:40] }, "there was no load"},
		{"no bill", func(m *made) { m.end.Rows = nil }, "the bill is empty"},
		{"a row of nobody", func(m *made) { m.end.Rows[5].EndUser = "ghost" }, `is of "ghost"`},
		{"clocks", func(m *made) { m.end.Rows[50].At = zero.Add(-time.Hour) }, "the clocks of harness and bill differ"},
		{"a node that was never heard", func(m *made) {
			m.h.Samples = slices.DeleteFunc(m.h.Samples, func(s history.Sample) bool { return s.Node == "n2" })
		}, "n2 was never seen"},
		{"a node that is missing at the end", func(m *made) { delete(m.end.Nodes, "n1") }, "only [n2 n3] of 3 nodes"},
		{"records that are missing", func(m *made) { m.end.Lacking = []string{"n1: silent"} }, "n1: silent"},
		{"no records", func(m *made) { m.end.Records = nil }, "no usage records"},
		{"no budgets", func(m *made) { m.h.Meta.Budgets = nil }, "which budgets"},
		{"faults that did nothing", func(m *made) { m.fault("a", "pause", 1, 2).Bit = false }, "of 1 faults only 0"},
	} {
		m := good(t)
		c.spoil(m)
		why := Assume(m.h, m.end)
		if !slices.ContainsFunc(why, func(s string) bool { return strings.Contains(s, c.want) }) {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
