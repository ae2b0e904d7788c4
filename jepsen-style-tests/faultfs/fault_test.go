//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFullThenRoom(t *testing.T) {
	f := mounted(t, 1)
	h := file(t, f, "a", 0)
	defer h.Close()
	_, err := h.WriteString("here")
	must(t, err)
	f.Set(Fault{Full: 3})
	if n, err := syscall.Pwrite(int(h.Fd()), []byte("12345"), 4096); n != 3 || err != nil {
		t.Errorf("with room for 3 bytes: wrote %d, %v", n, err)
	}
	_, err = h.WriteAt([]byte("over"), 0)
	must(t, err)
	if err := os.WriteFile(f.in("b"), nil, 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a new file on a full disk: %v", err)
	}
	f.Set(Fault{Full: -1})
	if _, err := h.WriteAt([]byte("x"), 9000); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write on a full disk: %v", err)
	}
	if f.Stats().Refused != 2 {
		t.Errorf("refused %d", f.Stats().Refused)
	}
	f.Clear()
	_, err = h.WriteAt([]byte("x"), 9000)
	must(t, err)
}

func TestWritesAndReadsFailWhereAsked(t *testing.T) {
	f := mounted(t, 1)
	must(t, os.Mkdir(f.in("store"), 0o700))
	must(t, os.WriteFile(f.in("store/a"), []byte("a"), 0o600))
	must(t, os.WriteFile(f.in("b"), []byte("b"), 0o600))
	f.Set(Fault{FailRead: true, FailWrite: true, Match: "store/*"})
	if _, err := os.ReadFile(f.in("store/a")); !errors.Is(err, syscall.EIO) {
		t.Errorf("a read: %v", err)
	}
	if err := os.WriteFile(f.in("store/a"), []byte("x"), 0o600); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write: %v", err)
	}
	_, err := os.ReadFile(f.in("b"))
	must(t, err)
}

func TestDelay(t *testing.T) {
	f := mounted(t, 1)
	h := file(t, f, "a", 0)
	defer h.Close()
	const delay = 30 * time.Millisecond
	f.Set(Fault{Delay: delay, DelayOps: Syncs})
	from := time.Now()
	must(t, h.Sync())
	if took := time.Since(from); took < delay || f.Stats().Delayed != 1 {
		t.Errorf("an fsync took %v, %d delayed", took, f.Stats().Delayed)
	}
}

// TestPebbleReportsAFailedSync: it ends its process rather than go on.
func TestPebbleReportsAFailedSync(t *testing.T) {
	f := mounted(t, 1)
	p := start(t, "pebble write", f.in("store"))
	if p.next() != 1 {
		t.Fatal("no write")
	}
	f.Set(Fault{FailSync: true})
	_, err := p.rest()
	if err == nil || !strings.Contains(p.err.String(), "input/output error") {
		t.Errorf("it ended with %v: %s", err, p.err.String())
	}
	if f.Stats().Failed == 0 {
		t.Error("no fsync failed")
	}
}

// TestAStalledProcessCanBeKilled, and its write is not done.
func TestAStalledProcessCanBeKilled(t *testing.T) {
	f := mounted(t, 1)
	p := start(t, "bolt write", f.in("log"))
	if p.next() != 1 {
		t.Fatal("no write")
	}
	f.Set(Fault{Stall: true})
	for f.Stats().Stalled == 0 {
		time.Sleep(time.Millisecond)
	}
	must(t, p.cmd.Process.Kill())
	if _, err := p.rest(); err == nil {
		t.Error("it ended by itself")
	}
	_, err := f.Crash(0)
	must(t, err)
	f.Clear()
	if !present(t, "bolt", f.in("log"))[1] {
		t.Error("an acknowledged write is lost")
	}
}

func TestFlipChangesBits(t *testing.T) {
	f := mounted(t, 3)
	must(t, os.Mkdir(f.in("store"), 0o700))
	must(t, os.WriteFile(f.in("store/a"), make([]byte, 100), 0o600))
	must(t, os.WriteFile(f.in("store/b"), make([]byte, 5000), 0o600))
	must(t, os.WriteFile(f.in("c"), make([]byte, 5000), 0o600))
	contents(t, f.in("store")) // into the kernel's cache
	flipped, err := f.Flip("store", 40)
	must(t, err)
	count := func(s string) (n int) {
		for _, b := range []byte(s) {
			n += bits.OnesCount8(b)
		}
		return n
	}
	all := contents(t, f.in("store"))
	if n := count(all["a"]) + count(all["b"]); n != 40 || len(flipped) != 40 {
		t.Errorf("%d bits changed, %d told", n, len(flipped))
	}
	for _, b := range flipped {
		if all[strings.TrimPrefix(b.Path, "store/")][b.Offset]>>b.Bit&1 != 1 {
			t.Errorf("%v was not flipped", b)
		}
	}
	if c, err := os.ReadFile(f.in("c")); err != nil || count(string(c)) != 0 {
		t.Errorf("a file that does not match changed (%v)", err)
	}
	if _, err := f.Flip("none", 1); err == nil {
		t.Error("bits of no file were flipped")
	}
}

func TestImagesComeBack(t *testing.T) {
	f := mounted(t, 1)
	killedAfter(t, "pebble write", f.in("store"), 50)
	must(t, os.WriteFile(f.in("key"), []byte("secret"), 0o640))
	must(t, os.Chmod(f.in("key"), 0o640))
	image := t.TempDir() + "/image"
	must(t, f.Snapshot(image))
	before := present(t, "pebble", f.in("store"))
	must(t, f.Wipe())
	if all := contents(t, f.dir); len(all) != 0 {
		t.Errorf("wiped, it has %v", all)
	}
	must(t, f.Restore(image))
	if after := present(t, "pebble", f.in("store")); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%d writes came back of %d", len(after), len(before))
	}
	// Not synced, it is not in the image.
	if _, err := os.Stat(f.in("key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unsynced file came back: %v", err)
	}
}

func TestImagesKeepModes(t *testing.T) {
	f := mounted(t, 1)
	must(t, os.Mkdir(f.in("d"), 0o750))
	key := file(t, f, "d/key", os.O_CREATE|os.O_WRONLY)
	must(t, key.Chmod(0o600))
	must(t, key.Sync())
	must(t, key.Close())
	image := t.TempDir() + "/image"
	must(t, f.Snapshot(image))
	must(t, f.Wipe())
	must(t, f.Restore(image))
	for name, mode := range map[string]os.FileMode{"d": 0o750, "d/key": 0o600} {
		if info, err := os.Stat(f.in(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s came back as %v (%v), it was %v", name, info, err, mode)
		}
	}
}

// TestCloseCutsOffUsers: a process that lives in the mount does not hold it up for ever.
func TestCloseCutsOffUsers(t *testing.T) {
	f := mounted(t, 1)
	must(t, os.WriteFile(f.in("a"), nil, 0o600))
	p := exec.Command("sleep", "60")
	p.Stdin = file(t, f, "a", 0)
	must(t, p.Start())
	defer func() {
		must(t, p.Process.Kill())
		if p.Wait() == nil {
			t.Error("it ended by itself")
		}
	}()
	if _, err := f.Crash(0); err == nil || !strings.Contains(err.Error(), "a is still open") {
		t.Errorf("a crash below a living process: %v", err)
	}
	must(t, f.Close())
	if entries, err := os.ReadDir(f.dir); err != nil || len(entries) != 0 {
		t.Errorf("it is still mounted: %v, %v", entries, err)
	}
}
