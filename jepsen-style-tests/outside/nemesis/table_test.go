package nemesis

import (
	"os"
	"path/filepath"
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

// TestTheReadmeHasTheTable: make jepsen-list prints what belongs there.
func TestTheReadmeHasTheTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- faults -->\n", "<!-- end of faults -->"
	_, rest, ok := strings.Cut(string(readme), begin)
	table, _, ended := strings.Cut(rest, end)
	if !ok || !ended || table != Markdown() {
		t.Errorf("between %q and %q the README has another table of faults: put there what make jepsen-list prints", strings.TrimSpace(begin), end)
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
