package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The dashboard is tested by what a person's browser does with it: Chromium, driven by
// the scripts in the folder browser, which tell in lines of JSON how each step went.

// screenshots is where pictures of every page are kept, from the last run.
const screenshots = "../_fail/screenshots"

// browserTime bounds one script.
const browserTime = 4 * time.Minute

// chromiums are the names that Chromium has.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome"}

// browserFolder has the scripts and the lock file of what they need.
var browserFolder = npmFolder("browser")

// suite is a node with a dashboard, and what drives it.
type browserSuite struct {
	*rig
	dir, chromium, shots string
}

func newBrowserSuite(t *testing.T) *browserSuite {
	t.Helper()
	dir, err := browserFolder.install(t)
	if err != nil {
		t.Fatal(err)
	}
	s := &browserSuite{dir: dir, chromium: chromium(t)}
	if s.shots, err = filepath.Abs(screenshots); err != nil {
		t.Fatal(err)
	}
	s.rig = newRig(t, rigOptions{cluster: true, provider: []string{"--output-max", "40"}})
	return s
}

// chromium is the browser of this machine.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range chromiums {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("this machine has no Chromium: apt-get install chromium, or make chromium")
	return ""
}

// told is a line of a script.
type told struct {
	Kind string `json:"kind"` // pass, fail, absent, note
	Name string `json:"name"`
	Why  string `json:"why"`
	Ms   int64  `json:"ms"`
}

// run has a script do its steps, each a test of its own, and fails if there is none.
func (s *browserSuite) run(t *testing.T, script string, more map[string]any) {
	t.Helper()
	task := map[string]any{"url": s.url, "token": adminToken, "chromium": s.chromium, "shots": s.shots}
	for name, value := range more {
		task[name] = value
	}
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), browserTime)
	defer stop()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PURSER_TASK=" + string(text)}
	said := &strings.Builder{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	steps, lines := 0, bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x told
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Errorf("%s printed %.500q", script, lines.Text())
			continue
		}
		steps++
		s.tell(t, x)
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil || steps == 0 {
		t.Errorf("%s ended after %d steps: %v\n%.3000s", script, steps, err, said)
	}
}

func (s *browserSuite) tell(t *testing.T, x told) {
	if x.Kind == "note" {
		t.Logf("%s: %s", x.Name, x.Why)
		return
	}
	t.Run(strings.ReplaceAll(x.Name, "/", "_"), func(t *testing.T) {
		switch x.Kind {
		case "pass":
			t.Logf("%d ms", x.Ms)
		default:
			t.Error(x.Why)
		}
	})
}
