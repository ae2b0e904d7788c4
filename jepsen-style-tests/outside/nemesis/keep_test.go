package nemesis

import (
	"slices"
	"strings"
	"testing"
)

// TestWhatCannotBeMadeIsLeftOutWithTheReason: every fault is kept or named, once.
func TestWhatCannotBeMadeIsLeftOutWithTheReason(t *testing.T) {
	table := Table()
	if kept, out := Keep(table, Lacks{}); len(kept) != len(table) || len(out) != 0 {
		t.Errorf("where nothing lacks %d of %d faults are kept: %q", len(kept), len(table), out)
	}
	lacks := Lacks{Packets: "no namespaces", Disks: "no /dev/fuse", Clocks: "no clock", Tiny: "no snapshots", Older: "no tag"}
	kept, out := Keep(table, lacks)
	left := map[string]string{}
	for _, line := range out {
		names, why, _ := strings.Cut(line, ": ")
		for name := range strings.SplitSeq(names, ", ") {
			left[name] = why
		}
	}
	if len(out) != 5 || len(kept)+len(left) != len(table) {
		t.Errorf("of %d faults %d are kept and %d left out, in %d lines", len(table), len(kept), len(left), len(out))
	}
	for _, f := range kept {
		if f.Needs != (Needs{}) {
			t.Errorf("%s is kept without what it needs: %s", f.Name, f.Needs)
		}
	}
	for _, f := range table {
		if f.Needs.Disks && left[f.Name] != lacks.Disks {
			t.Errorf("%s is left out for %q", f.Name, left[f.Name])
		}
	}
	kept, _ = Keep(table, Lacks{Disks: lacks.Disks})
	if slices.ContainsFunc(kept, func(f Fault) bool { return f.Needs.Disks }) || !slices.ContainsFunc(kept, func(f Fault) bool { return f.Needs.Packets }) {
		t.Error("without disks other faults than those of disks are left out")
	}
}
