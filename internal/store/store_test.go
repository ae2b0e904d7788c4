package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

// fatal counts the calls of a Fatal function.
type fatal struct {
	calls atomic.Int32
	first chan struct{} // closed by the first call
}

func (f *fatal) end(error) {
	if f.calls.Add(1) == 1 {
		close(f.first)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t *testing.T, fs vfs.FS, dir string) (*Store, *fatal) {
	t.Helper()
	f := &fatal{first: make(chan struct{})}
	s, err := Open(Options{Dir: dir, FS: fs, Fatal: f.end, Log: quiet(), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

func set(t *testing.T, s *Store, key, value string, d Durability) error {
	t.Helper()
	b := s.NewBatch()
	if err := b.Set([]byte(key), []byte(value), nil); err != nil {
		t.Fatal(err)
	}
	return s.Apply(b, d)
}

func TestIdentityIsDrawnOnce(t *testing.T) {
	fs := vfs.NewMem()
	s, f := open(t, fs, "data")
	id := s.Identity()
	if id == (Identity{}) {
		t.Error("the identity is zero")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, fs, "data")
	if s.Identity() != id {
		t.Error("the identity changed when the store was opened again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other, _ := open(t, vfs.NewMem(), "data")
	if other.Identity() == id {
		t.Error("two stores have one identity")
	}
	if err := errors.Join(other.Close()); err != nil || f.calls.Load() != 0 {
		t.Error(err, f.calls.Load())
	}
}

func TestIdentitySurvivesACrashRightAfterOpen(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s, _ := open(t, fs, "data")
	after := fs.CrashClone(vfs.CrashCloneCfg{})
	again, _ := open(t, after, "data")
	if again.Identity() != s.Identity() {
		t.Error("the identity was not durable when Open returned")
	}
	if err := errors.Join(s.Close(), again.Close()); err != nil {
		t.Error(err)
	}
}

func TestHeldStoreIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, nil, dir)
	_, err := Open(Options{Dir: dir, Fatal: func(error) {}, Log: quiet()})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "stop the other process") {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, nil, dir)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedStoreIsNotOpenedAsIfWhole(t *testing.T) {
	newStore := func(t *testing.T) string {
		dir := t.TempDir()
		s, _ := open(t, nil, dir)
		for _, k := range []string{"a", "b", "c", "d", "e"} { // some blocks of the log
			if err := set(t, s, k, strings.Repeat("v", 30<<10), Synced); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	// ruin applies f to the largest file that matches.
	ruin := func(t *testing.T, dir, pattern string, f func([]byte) []byte) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		var name string
		var b []byte
		for _, n := range names {
			c, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(c) >= len(b) {
				name, b = n, c
			}
		}
		if err := os.WriteFile(name, f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b }
	for name, damage := range map[string]func(t *testing.T, dir string){
		"manifest": func(t *testing.T, dir string) { ruin(t, dir, "MANIFEST-*", flip) },
		"log":      func(t *testing.T, dir string) { ruin(t, dir, "*.log", flip) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := newStore(t)
			damage(t, dir)
			s, err := Open(Options{Dir: dir, Fatal: func(error) {}, Log: quiet()})
			if err == nil {
				// Pebble could do without what was damaged: then nothing is missing.
				for _, k := range []string{"a", "b", "c", "d", "e"} {
					_, closer, err := s.DB().Get([]byte(k))
					if err != nil {
						t.Fatalf("opened, but %s: %v", k, err)
					}
					if err := closer.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			// The lock is free again: the operator need not wait for the process to end.
			l, err := pebble.LockDirectory(dir, vfs.Default)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A store that comes up empty, for whatever reason, must not pass for a new one.
func TestEmptiedStoreIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, nil, dir)
	if err := errors.Join(set(t, s, "k", "v", Synced), s.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) == identityFile {
			continue
		}
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(Options{Dir: dir, Fatal: func(error) {}, Log: quiet()}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestIdentityFile(t *testing.T) {
	newStore := func(t *testing.T) (string, Identity) {
		dir := t.TempDir()
		s, _ := open(t, nil, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dir, s.Identity()
	}
	for name, text := range map[string]string{
		"of another store": strings.Repeat("ab", 16) + "\n", "cut off": "ab", "no text": "\x00\x00", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := newStore(t)
			if err := os.WriteFile(filepath.Join(dir, identityFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(Options{Dir: dir, Fatal: func(error) {}, Log: quiet()}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("not yet written", func(t *testing.T) {
		dir, id := newStore(t)
		if err := os.Remove(filepath.Join(dir, identityFile)); err != nil {
			t.Fatal(err)
		}
		s, _ := open(t, nil, dir)
		if got, exists, err := readIdentityFile(vfs.Default, dir); got != id || !exists || err != nil || s.Identity() != id {
			t.Errorf("%v, %v, %v", got, exists, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStoreWithoutItsIdentityIsNotOpened(t *testing.T) {
	for name, ruin := range map[string]func(b *pebble.Batch) error{
		"missing":   func(b *pebble.Batch) error { return b.Delete([]byte{PrefixIdentity}, nil) },
		"truncated": func(b *pebble.Batch) error { return b.Set([]byte{PrefixIdentity}, []byte{identityVersion, 1}, nil) },
		"empty":     func(b *pebble.Batch) error { return b.Set([]byte{PrefixIdentity}, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s, _ := open(t, fs, "data")
			b := s.NewBatch()
			if err := errors.Join(ruin(b), b.Set([]byte("mark"), []byte("x"), nil)); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Apply(b, Synced), s.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(Options{Dir: "data", FS: fs, Fatal: func(error) {}, Log: quiet()}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNewerStoreIsNotOpened(t *testing.T) {
	fs := vfs.NewMem()
	s, _ := open(t, fs, "data")
	if err := errors.Join(set(t, s, string(PrefixIdentity), "\x02whatever", Synced), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "data", FS: fs, Fatal: func(error) {}, Log: quiet()}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestUnusableDirectoryIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(Options{Dir: dir, Fatal: func(error) {}, Log: quiet()}); err == nil || errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// broken is a file system whose writes or syncs of some files fail when it is switched on.
func broken(err error, fails func(errorfs.Op) bool) (*errorfs.FS, *errorfs.Toggle) {
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails(op) {
			return err
		}
		return nil
	})}
	return errorfs.Wrap(vfs.NewMem(), toggle), toggle
}

func TestFailedWriteFailsTheStoreForGood(t *testing.T) {
	isLog := func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }
	for name, c := range map[string]struct {
		err   error
		fails func(errorfs.Op) bool
	}{
		"disk full": {syscall.ENOSPC, func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite }},
		"sync error": {syscall.EIO, func(op errorfs.Op) bool {
			return isLog(op) && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fs, toggle := broken(c.err, c.fails)
			s, f := open(t, fs, "data")
			if err := set(t, s, "before", "v", Synced); err != nil {
				t.Fatal(err)
			}
			toggle.On()
			if err := set(t, s, "during", "v", Synced); !errors.Is(err, c.err) {
				t.Errorf("a write that failed returned %v", err)
			}
			toggle.Off()
			if err := set(t, s, "after", "v", Synced); !errors.Is(err, c.err) {
				t.Errorf("a write after the failure returned %v", err)
			}
			if n := f.calls.Load(); n != 1 {
				t.Errorf("Fatal was called %d times", n)
			}
			if err := s.Close(); !errors.Is(err, c.err) {
				t.Errorf("Close returned %v", err)
			}
		})
	}
}

func TestFailedFlushFailsTheStore(t *testing.T) {
	fs, toggle := broken(syscall.ENOSPC, func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite
	})
	s, f := open(t, fs, "data")
	if err := set(t, s, "k", "v", Synced); err != nil {
		t.Fatal(err)
	}
	toggle.On()
	if _, err := s.DB().AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	<-f.first
	if err := set(t, s, "k", "w", Synced); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write after the failure returned %v", err)
	}
}

func TestClosedStoreTakesNothing(t *testing.T) {
	s, f := open(t, vfs.NewMem(), "data")
	b := s.NewBatch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(b, Synced); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if f.calls.Load() != 0 {
		t.Error("closing was fatal")
	}
}

func TestSumsAddUpAcrossFlushes(t *testing.T) {
	s, _ := open(t, vfs.NewMem(), "data")
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		keys := []string{fmt.Sprintf("p%d a", round), fmt.Sprintf("p%d b", round), fmt.Sprintf("p%d c", round)}
		want := map[string]int64{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "flush") == 0 {
				if err := s.DB().Flush(); err != nil {
					rt.Fatal(err)
				}
				continue
			}
			key := rapid.SampledFrom(keys).Draw(rt, "key")
			b := s.NewBatch()
			var err error
			if rapid.IntRange(0, 9).Draw(rt, "forget") == 0 {
				delete(want, key)
				err = b.Delete([]byte(key), nil)
			} else {
				v := rapid.Int64Range(-1<<50, 1<<50).Draw(rt, "summand")
				want[key] += v
				err = b.Merge([]byte(key), AppendSum(nil, v), nil)
			}
			if err := errors.Join(err, s.Apply(b, Buffered)); err != nil {
				rt.Fatal(err)
			}
		}
		if err := s.DB().Compact(rt.Context(), []byte("p"), []byte("q"), false); err != nil {
			rt.Fatal(err)
		}
		for _, key := range keys {
			v, closer, err := s.DB().Get([]byte(key))
			if errors.Is(err, pebble.ErrNotFound) {
				if _, ok := want[key]; ok {
					rt.Fatalf("%s is lost", key)
				}
				continue
			}
			if err != nil {
				rt.Fatal(err)
			}
			got, err := DecodeSum(v)
			if err = errors.Join(err, closer.Close()); err != nil || got != want[key] {
				rt.Fatalf("%s is %d, want %d: %v", key, got, want[key], err)
			}
		}
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSumsAreBounded(t *testing.T) {
	s := new(sum)
	if err := errors.Join(s.add(AppendSum(nil, math.MaxInt64)), s.add(AppendSum(nil, math.MinInt64)), s.add(AppendSum(nil, 1))); err != nil || s.total != 0 {
		t.Errorf("%d, %v", s.total, err)
	}
	if err := errors.Join(s.add(AppendSum(nil, math.MaxInt64)), s.add(AppendSum(nil, 1))); err == nil {
		t.Error("a sum wrapped around")
	}
	for _, b := range [][]byte{nil, {0x80}, {0, 0}, []byte(strings.Repeat("\xff", 11))} {
		if _, err := DecodeSum(b); err == nil {
			t.Errorf("%x is a sum", b)
		}
	}
}
