//go:build linux

package faultfs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mounted is a file system of the test's own, on a tmpfs if there is one.
func mounted(t *testing.T, seed uint64) *FS {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	fast := "/dev/shm"
	if _, err := os.Stat(fast); err != nil {
		fast = t.TempDir()
	}
	backing, err := os.MkdirTemp(fast, "faultfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(backing) })
	f, err := Mount(Options{Backing: backing, Dir: filepath.Join(t.TempDir(), "mnt"), Seed: seed, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *FS) in(name string) string { return filepath.Join(f.dir, name) }

func TestFilesAreFiles(t *testing.T) {
	f := mounted(t, 1)
	must(t, os.MkdirAll(f.in("a/b"), 0o755))
	must(t, os.WriteFile(f.in("a/b/one"), []byte("hello"), 0o600))
	h, err := os.OpenFile(f.in("a/b/one"), os.O_APPEND|os.O_RDWR, 0)
	must(t, err)
	_, err = h.WriteString(", world")
	must(t, err)
	must(t, h.Truncate(8))
	must(t, h.Sync())
	must(t, h.Close())
	must(t, os.Rename(f.in("a/b/one"), f.in("a/two")))
	must(t, os.Link(f.in("a/two"), f.in("three")))
	b, err := os.ReadFile(f.in("three"))
	must(t, err)
	if string(b) != "hello, w" {
		t.Errorf("read %q", b)
	}
	st, err := os.Stat(f.in("three"))
	must(t, err)
	if st.Size() != 8 || st.Mode() != 0o600 || st.Sys().(*syscall.Stat_t).Nlink != 2 {
		t.Errorf("attributes %+v", st.Sys())
	}
	must(t, os.Remove(f.in("a/two")))
	must(t, os.Remove(f.in("a/b")))
	entries, err := os.ReadDir(f.dir)
	must(t, err)
	if len(entries) != 2 || entries[0].Name() != "a" || entries[1].Name() != "three" {
		t.Errorf("entries %v", entries)
	}
	if b, err := os.ReadFile(filepath.Join(f.backing, "three")); err != nil || string(b) != "hello, w" {
		t.Errorf("the backing directory has %q, %v", b, err)
	}
}

func TestStalledUntilLifted(t *testing.T) {
	f := mounted(t, 1)
	f.Set(Fault{Stall: true, Match: "raft"})
	must(t, os.WriteFile(f.in("free"), []byte("x"), 0o600))
	must(t, os.Mkdir(f.in("raft"), 0o700))
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(f.in("raft/held"), []byte("x"), 0o600) }()
	for f.Stats().Stalled == 0 {
		select {
		case err := <-done:
			t.Fatalf("a write that should wait returned %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	f.Clear()
	must(t, <-done)
}
