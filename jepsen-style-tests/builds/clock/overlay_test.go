package clock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnotherTimeNowIsAnError(t *testing.T) {
	root := t.TempDir()
	if _, err := Files(root); err == nil {
		t.Error("no error without Go")
	}
	dir := filepath.Join(root, "src", "time")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "time.go"), []byte("package time\n\nfunc Now() Time { return now2() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Files(root); err == nil || !strings.Contains(err.Error(), "time.go") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheReaderKnowsTheLayout(t *testing.T) {
	for _, want := range []string{`"` + Variable + `"`, `"` + magic + `"`, "words[1] != 1", "8+8*(changes&1)"} {
		if !strings.Contains(string(reader), want) {
			t.Errorf("the reader has no %s", want)
		}
	}
}

func TestDriftOfDaysDoesNotOverflow(t *testing.T) {
	const day = 24 * 3600 * 1e9
	s := shift{offset: 5, since: 1e18, drift: -100_000_000} // a tenth
	if got, want := s.at(1e18+30*day), int64(5-3*day); got != want {
		t.Errorf("off by %d, not %d", got, want)
	}
	if got := (shift{swing: 7, period: 10}).at(19) - (shift{swing: 7, period: 10}).at(20); got != 7 {
		t.Errorf("the swing is %d", got)
	}
}
