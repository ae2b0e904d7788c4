package compat

import (
	"os"
	"strings"
	"testing"
)

const (
	root     = "../.."
	document = root + "/docs/compatibility.md"
)

// TestTheTableIsOfTheLockedVersions fails when a version was changed and the
// clients were not run again, and when a run that failed was kept.
func TestTheTableIsOfTheLockedVersions(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	locks, err := ReadLocks(root)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i := range Clients {
		row := Row{Client: &Clients[i]}
		if row.Versions, err = locks.Of(row.Client); err != nil {
			t.Error(err)
			continue
		}
		found := 0
		for _, line := range lines {
			if cells, ok := strings.CutPrefix(line, row.head()); ok && strings.Count(cells, "|") == len(Scenarios) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d rows begin with %q, with a cell for each scenario: run make e2e", found, row.head())
		}
	}
	if !strings.Contains(string(text), "Node "+locks.Runtime()+",") {
		t.Errorf("the document does not name Node %s: run make e2e", locks.Runtime())
	}
	for _, bad := range []string{"**fail**", "**not run**"} {
		if strings.Contains(string(text), bad) {
			t.Errorf("the document has cells that are %s", bad)
		}
	}
}

func TestATableSaysWhatBecameOfEachCell(t *testing.T) {
	const why = "it has no streams"
	row := Row{Client: &Clients[0], Versions: []string{"1.2.3"}, Cells: map[Scenario]Cell{
		Chat: {Result: Passed}, Stream: {Result: NotApplicable, Why: why}, Tools: {Result: Failed, Why: "status 500"},
		Parallel: {Result: NotApplicable, Why: why}, Denial: {Result: Passed, Attempts: 1}, Cancel: {Result: NotRun, Why: "no registry"},
	}}
	got := Draw([]Row{row}, "24.0.0")
	for _, want := range []string{
		"| Go | `github.com/openai/openai-go/v3` | 1.2.3 | `/v1/chat/completions` | pass | n/a (1) | **fail** (2) | n/a (1) |",
		"| **not run** (4) | pass, 1 attempt |\n",
		"\n1. " + why + "\n2. status 500\n",
		"on Node 24.0.0,",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestLockFilesAreRead(t *testing.T) {
	for name, x := range map[string]struct {
		read func([]byte) (map[string]string, error)
		text string
		want map[string]string
	}{
		"modules":      {readModules, "module x\n\nrequire (\n\ta.b/c/v3 v3.1.0\n\td.e/f v0.2.0 // indirect\n)\n", map[string]string{"a.b/c/v3": "3.1.0", "d.e/f": "0.2.0"}},
		"packages":     {readPackageLock, `{"packages":{"":{"version":"9"},"node_modules/@a/b":{"version":"1.0.0"},"node_modules/@a/b/node_modules/c":{"version":"2.0.0"}}}`, map[string]string{"@a/b": "1.0.0"}},
		"requirements": {readRequirements, "a-b==1.0.0 \\\n    --hash=sha256:00\n    # via c==2\nd==3\n", map[string]string{"a-b": "1.0.0", "d": "3"}},
	} {
		got, err := x.read([]byte(x.text))
		if err != nil || len(got) != len(x.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		for k, v := range x.want {
			if got[k] != v {
				t.Errorf("%s: %s is %q, want %q", name, k, got[k], v)
			}
		}
	}
	if _, err := readPackageLock([]byte("no")); err == nil {
		t.Error("a lock file that is not JSON is read")
	}
}
