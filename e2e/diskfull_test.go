package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
)

// mountDisk gives the node's data directory a small file system of its own.
func (r *rig) mountDisk(mib int) {
	r.t.Helper()
	dir := filepath.Join(r.dir, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		if errors.Is(err, syscall.EPERM) {
			r.t.Skip("mounting a small file system needs the right to (run as root): ", err)
		}
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			r.t.Errorf("unmounting %s: %v", dir, err)
		}
	})
}

// fillDisk leaves about the given room on the node's file system, and returns
// what frees it again.
func (r *rig) fillDisk(room uint64) (free func()) {
	r.t.Helper()
	var fs syscall.Statfs_t
	dir := filepath.Join(r.dir, "data")
	if err := syscall.Statfs(dir, &fs); err != nil {
		r.t.Fatal(err)
	}
	have := fs.Bavail * uint64(fs.Bsize)
	if have < room {
		r.t.Fatalf("only %d bytes are free before the disk is filled", have)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, have-room), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestDiskFull fills the node's disk under load. Whichever store writes first, the
// process ends and says why;
// with room again it starts, and every nano-dollar is accounted for.
func TestDiskFull(t *testing.T) {
	r := newRig(t, rigOptions{disk: 128})
	r.budget(usd("cap", "50"))
	key := r.key(admin.NewKey{Name: "full"}).Secret
	free := r.fillDisk(2 << 20)
	l := newLoad(r.url, key, 16)
	l.noService = true
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, 16, *firstSeed) })
	var ended error
	select {
	case ended = <-r.node.done:
	case <-time.After(2 * patience):
		t.Error("the node still runs")
		ended = r.node.signal(t, syscall.SIGKILL)
	}
	stop()
	running.Wait()
	log, err := os.ReadFile(r.node.log)
	if err != nil {
		t.Fatal(err)
	}
	r.node = nil
	const exitFatal = 70
	var exit *exec.ExitError
	if !errors.As(ended, &exit) || exit.ExitCode() != exitFatal {
		t.Errorf("the node ended with %v, want status %d", ended, exitFatal)
	}
	for _, want := range []string{"no space left on device", "free or repair the disk"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	free()
	r.startNode()
	r.accountedFor()
}
