package builds

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/jepsen-style-tests/builds/clock"
)

// Variant says in what a build differs from the shipped one. The zero value is the
// shipped one.
type Variant struct {
	Clock         bool      // the wall clock obeys a clock.Clock; such a build has the tag faultclock
	TinySnapshots bool      // a snapshot every ten entries, and ten entries behind it: the tag tinysnapshots
	Race          bool      // with the race detector; needs a C compiler
	Revision      string    // a commit or tag that is built in place of the tree; "" is the tree
	Patch         *Mutation // a known bug put back
}

// String is the variant as part of a file's name.
func (v Variant) String() string {
	name := "purser"
	if v.Revision != "" {
		name += "-" + strings.Map(plain, v.Revision)
	}
	for _, p := range []struct {
		on   bool
		name string
	}{{v.Clock, "clock"}, {v.TinySnapshots, "tiny"}, {v.Race, "race"}} {
		if p.on {
			name += "-" + p.name
		}
	}
	if v.Patch != nil {
		name += "-" + v.Patch.Name
	}
	return name
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
		return r
	}
	return '_'
}

// Builder makes variants of one tree, one at a time. It is safe for several
// goroutines; other processes may use the same directory.
type Builder struct {
	root, dir string
	mu        sync.Mutex
}

// New returns a builder of the tree at root. Programs and what they are made of go to
// dir, which may be kept from run to run: Go's own build cache makes what is unchanged
// a matter of a second. Nothing is removed from it.
func New(root, dir string) *Builder { return &Builder{root: root, dir: dir} }

// Build returns the path of the program. It has its content's hash in its name and is
// never written again, so that a run which takes hours restarts what it began with,
// whatever becomes of the tree.
func (b *Builder) Build(ctx context.Context, v Variant) (path string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path, err = b.build(ctx, v)
	if err != nil {
		return "", fmt.Errorf("build %v: %w", v, err)
	}
	return path, nil
}

func (b *Builder) build(ctx context.Context, v Variant) (string, error) {
	root, err := filepath.Abs(b.root)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return "", err
	}
	if v.Revision != "" {
		if root, err = checkOut(ctx, root, filepath.Join(dir, "source"), v.Revision); err != nil {
			return "", err
		}
	}
	over, err := v.overlay(ctx, root)
	if err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp("", "purser-overlay-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	list, err := writeOverlay(scratch, over)
	if err != nil {
		return "", err
	}
	// Always at the same place, where go build sees what is up to date.
	latest := filepath.Join(dir, "latest", v.String())
	if err := run(ctx, root, v.environment(), "go", v.arguments(list, latest)...); err != nil {
		return "", err
	}
	return keep(latest, filepath.Join(dir, v.String()))
}

// overlay returns what is put over the files of the tree and of Go, by their paths.
func (v Variant) overlay(ctx context.Context, root string) (map[string][]byte, error) {
	over := map[string][]byte{}
	if v.Clock {
		goroot, err := output(ctx, root, "go", "env", "GOROOT")
		if err != nil {
			return nil, err
		}
		if over, err = clock.Files(goroot); err != nil {
			return nil, err
		}
	}
	if v.TinySnapshots {
		if _, err := os.Stat(filepath.Join(root, "cluster", "threshold_tiny.go")); err != nil {
			return nil, fmt.Errorf("this tree has no tiny snapshots: %w", err)
		}
	}
	if v.Patch != nil {
		mutated, err := v.Patch.apply(root)
		if err != nil {
			return nil, err
		}
		maps.Copy(over, mutated)
	}
	return over, nil
}

func (v Variant) arguments(overlay, out string) []string {
	args := []string{"build", "-trimpath", "-o", out}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	var tags []string
	if v.Clock {
		tags = append(tags, "faultclock") // no file asks for it: it tells such a program from others (go version -m)
	}
	if v.TinySnapshots {
		tags = append(tags, "tinysnapshots")
	}
	if len(tags) > 0 {
		args = append(args, "-tags", strings.Join(tags, ","))
	}
	if v.Race {
		args = append(args, "-race")
	}
	if v.Revision != "" {
		args = append(args, "-buildvcs=false") // or it would be stamped with the tree around it
	}
	return append(args, "./cmd/purser")
}

func (v Variant) environment() []string {
	if v.Race {
		return []string{"CGO_ENABLED=1"}
	}
	return []string{"CGO_ENABLED=0"}
}

// writeOverlay writes the files and the list of them that go build wants, and returns
// the list's path, "" without files.
func writeOverlay(dir string, over map[string][]byte) (string, error) {
	if len(over) == 0 {
		return "", nil
	}
	replace := map[string]string{}
	for i, path := range slices.Sorted(maps.Keys(over)) {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replace[path], over[path], 0o600); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, b, 0o600)
}

// keep gives a program a second name with its hash in it.
func keep(latest, prefix string) (string, error) {
	f, err := os.Open(latest)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	path := fmt.Sprintf("%s-%x", prefix, h.Sum(nil)[:6])
	// go build removes what it replaces, and leaves what another name refers to.
	if err := os.Link(latest, path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return path, nil
}

// patience is how long the children of a cancelled command have to end.
const patience = 10 * time.Second

// run runs a command; what it prints is in the error.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), env...), patience
	out, err := cmd.CombinedOutput()
	if err != nil {
		const last = 4 << 10
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(out[max(0, len(out)-last):]))
	}
	return nil
}

// output is what a command prints, without the end of its last line.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, patience
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
