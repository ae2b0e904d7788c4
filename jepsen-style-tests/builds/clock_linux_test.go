package builds

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/jepsen-style-tests/builds/clock"
)

func TestAClockAndABugInOneProgram(t *testing.T) {
	bug := &Mutation{Name: "a-bug", File: "cmd/purser/main.go", Old: "sound", New: "mutant"}
	path, err := New(tree(t), t.TempDir()).Build(t.Context(), Variant{Clock: true, Patch: bug})
	if err != nil {
		t.Fatal(err)
	}
	c, err := clock.Create(filepath.Join(t.TempDir(), "clock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Jump(1000 * time.Hour)
	got := says(t, path, c.Env())
	ahead, err := time.ParseDuration(got[2] + "s")
	if err != nil {
		t.Fatal(err)
	}
	if d := ahead - time.Duration(time.Now().UnixNano()); got[1] != "mutant" || d < 999*time.Hour || d > 1001*time.Hour {
		t.Errorf("it says %v, %v from now", got, d)
	}
	if out, err := exec.Command("go", "version", "-m", path).Output(); err != nil || !strings.Contains(string(out), "faultclock") {
		t.Errorf("the program does not say that it has such a clock: %v %s", err, out)
	}
}
