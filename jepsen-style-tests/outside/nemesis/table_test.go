package nemesis

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryFaultCanBeNamedAndPlanned: names are told apart, also from those of classes,
// and a plan that is long enough has every one.
func TestEveryFaultCanBeNamedAndPlanned(t *testing.T) {
	table := Table()
	seen := map[string]bool{}
	for _, c := range Classes {
		seen[string(c)] = true
	}
	for _, f := range table {
		if seen[f.Name] || f.Name != strings.ToLower(f.Name) || strings.ContainsAny(f.Name, ", ") {
			t.Errorf("%q is no name, or that of another fault or class", f.Name)
		}
		seen[f.Name] = true
		if f.What == "" || f.Strike == nil || !slices.Contains(Classes, f.Class) {
			t.Errorf("%s lacks something: %+v", f.Name, f)
		}
	}
	planned := map[string]bool{}
	for _, p := range Plan(1, table, 24*time.Hour, time.Second) {
		planned[p.Name] = true
	}
	for _, f := range table {
		if !planned[f.Name] {
			t.Errorf("%s is never drawn in a day", f.Name)
		}
	}
}

// TestHalvesAskForNothing: what a client has said that hangs up before its request is
// whole is none that a provider may bill.
func TestHalvesAskForNothing(t *testing.T) {
	for _, half := range halves {
		head, body, whole := strings.Cut(half, "\r\n\r\n")
		if whole && (!strings.Contains(head, "Content-Length: 400") || len(body) >= 400) {
			t.Errorf("%q is a whole request", half)
		}
	}
}
