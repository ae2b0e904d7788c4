//go:build linux

package faultfs

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSyncedWritesSurvive: stores that sync lose nothing they acknowledged, whatever is kept of the rest.
func TestSyncedWritesSurvive(t *testing.T) {
	for _, store := range []string{"pebble", "bolt"} {
		t.Run(store, func(t *testing.T) {
			var lost Lost
			for seed := range uint64(6) {
				f := mounted(t, seed)
				dir := f.in("store")
				last := uint64(0)
				for round, keep := range []float64{0, 0.5} {
					last = killedAfter(t, store+" write", dir, 20+seed*60+uint64(round)*31)
					l, err := f.Crash(keep)
					must(t, err)
					lost.Pages, lost.Names = lost.Pages+l.Pages, lost.Names+l.Names
					has := present(t, store, dir)
					for i := uint64(1); i <= last; i++ {
						if !has[i] {
							t.Fatalf("seed %d, keeping %v: write %d of %d was acknowledged, and is lost (%+v)", seed, keep, i, last, l)
						}
					}
				}
				if p := f.Stats().Presumed; p != 0 {
					t.Errorf("%d changes were taken as durable", p)
				}
			}
			if lost.Pages == 0 {
				t.Error("no crash lost anything")
			}
			t.Logf("lost in all: %d pages, %d names", lost.Pages, lost.Names)
		})
	}
}

// TestUnsyncedWritesAreLost: a store that does not sync loses what it acknowledged.
func TestUnsyncedWritesAreLost(t *testing.T) {
	f := mounted(t, 1)
	last := killedAfter(t, "pebble unsynced", f.in("store"), 500)
	if n := len(present(t, "pebble", f.in("store"))); n < int(last)/2 {
		t.Fatalf("a killed process alone lost %d of %d", int(last)-n, last)
	}
	// The store may have flushed, and thereby synced, just before it was killed: of a few
	// cuts one must take something.
	const cuts = 5
	for range cuts {
		f = mounted(t, 1)
		last = killedAfter(t, "pebble unsynced", f.in("store"), 500)
		_, err := f.Crash(0)
		must(t, err)
		if n := len(present(t, "pebble", f.in("store"))); n < int(last) {
			return
		}
	}
	t.Errorf("in %d power cuts no unsynced write was lost", cuts)
}

// file opens a file of the mount, for writing.
func file(t *testing.T, f *FS, name string, flags int) *os.File {
	t.Helper()
	h, err := os.OpenFile(f.in(name), os.O_RDWR|os.O_CREATE|flags, 0o600)
	must(t, err)
	return h
}

func syncDir(t *testing.T, f *FS, name string) {
	t.Helper()
	d, err := os.Open(f.in(name))
	must(t, err)
	must(t, d.Sync())
	must(t, d.Close())
}

// TestWhatACrashTakes: scripts, each with what is there after Crash(0).
func TestWhatACrashTakes(t *testing.T) {
	write := func(name, s string, flags int, sync bool) func(*testing.T, *FS) {
		return func(t *testing.T, f *FS) {
			h := file(t, f, name, flags)
			_, err := h.WriteString(s)
			must(t, err)
			if sync {
				must(t, h.Sync())
			}
			must(t, h.Close())
		}
	}
	dir := func(t *testing.T, f *FS) { syncDir(t, f, ".") }
	rename := func(from, to string) func(*testing.T, *FS) {
		return func(t *testing.T, f *FS) { must(t, os.Rename(f.in(from), f.in(to))) }
	}
	remove := func(name string) func(*testing.T, *FS) {
		return func(t *testing.T, f *FS) { must(t, os.Remove(f.in(name))) }
	}
	const dsync, sync = 0x1000, 0x101000
	for _, c := range []struct {
		name  string
		does  []func(*testing.T, *FS)
		after map[string]string
	}{
		{"a new file, unsynced", []func(*testing.T, *FS){write("a", "x", 0, false)}, map[string]string{}},
		{"a name is synced, its content is not", []func(*testing.T, *FS){write("a", "x", 0, false), dir}, map[string]string{"a": ""}},
		{"a new file's own fsync", []func(*testing.T, *FS){write("a", "x", 0, true)}, map[string]string{"a": "x"}},
		{"O_DSYNC", []func(*testing.T, *FS){write("a", "x", dsync, false)}, map[string]string{"a": "x"}},
		{"O_SYNC", []func(*testing.T, *FS){write("a", "x", sync, false)}, map[string]string{"a": "x"}},
		{"an overwrite", []func(*testing.T, *FS){write("a", "old", 0, true), write("a", "newer", 0, false)}, map[string]string{"a": "old"}},
		{"an append", []func(*testing.T, *FS){write("a", "old", 0, true), write("a", "er", os.O_APPEND, false)}, map[string]string{"a": "old"}},
		{"a truncation", []func(*testing.T, *FS){write("a", "old", 0, true), write("a", "n", os.O_TRUNC, false)}, map[string]string{"a": "old"}},
		{"a rename", []func(*testing.T, *FS){write("a", "1", 0, true), rename("a", "b")}, map[string]string{"a": "1"}},
		{"a rename, synced", []func(*testing.T, *FS){write("a", "1", 0, true), rename("a", "b"), dir}, map[string]string{"b": "1"}},
		{"a rename over another", []func(*testing.T, *FS){write("a", "1", 0, true), write("b", "2", 0, true), rename("a", "b")}, map[string]string{"a": "1", "b": "2"}},
		{"a removal", []func(*testing.T, *FS){write("a", "1", 0, true), remove("a")}, map[string]string{"a": "1"}},
		{"a removal, synced", []func(*testing.T, *FS){write("a", "1", 0, true), remove("a"), dir}, map[string]string{}},
		{"a later file's fsync orders what came before", []func(*testing.T, *FS){write("a", "1", 0, true), rename("a", "b"), write("c", "3", 0, true)}, map[string]string{"b": "1", "c": "3"}},
		{"what comes after an fsync is not in it", []func(*testing.T, *FS){write("c", "3", 0, true), rename("c", "d")}, map[string]string{"c": "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mounted(t, 1)
			for _, do := range c.does {
				do(t, f)
			}
			image := t.TempDir() + "/image"
			must(t, f.Snapshot(image))
			_, err := f.Crash(0)
			must(t, err)
			for _, at := range []string{f.dir, f.backing, image} {
				if got := contents(t, at); fmt.Sprint(got) != fmt.Sprint(c.after) {
					t.Errorf("%s has %v, want %v", at, got, c.after)
				}
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(dir + "/" + e.Name())
		must(t, err)
		all[e.Name()] = string(b)
	}
	return all
}

// TestPagesAreKeptByChance: each page of an unsynced overwrite is old, new, or torn between sectors.
func TestPagesAreKeptByChance(t *testing.T) {
	f := mounted(t, 7)
	h := file(t, f, "a", 0)
	const pages = 400
	_, err := h.Write(bytes.Repeat([]byte{'o'}, pages*pageSize))
	must(t, err)
	must(t, h.Sync())
	_, err = h.WriteAt(bytes.Repeat([]byte{'n'}, pages*pageSize), 0)
	must(t, err)
	must(t, h.Close())
	lost, err := f.Crash(0.5)
	must(t, err)
	b, err := os.ReadFile(f.in("a"))
	must(t, err)
	fresh, torn := 0, 0
	for i := range pages {
		p := b[i*pageSize:][:pageSize]
		n := bytes.Count(p, []byte{'n'})
		if n%sectorSize != 0 || string(p) != strings.Repeat("n", n)+strings.Repeat("o", pageSize-n) {
			t.Fatalf("page %d is neither old nor new nor torn", i)
		}
		if n == pageSize {
			fresh++
		} else if n > 0 {
			torn++
		}
	}
	if len(b) != pages*pageSize || fresh < pages/4 || fresh > pages*3/4 || torn == 0 || lost.Pages != pages-fresh {
		t.Errorf("%d bytes, %d pages new, %d torn; %d pages lost", len(b), fresh, torn, lost.Pages)
	}
}

// TestAFailedSyncIsForgotten: what it did not write, a later fsync does not bring back.
func TestAFailedSyncIsForgotten(t *testing.T) {
	f := mounted(t, 1)
	h := file(t, f, "a", 0)
	_, err := h.WriteString("old")
	must(t, err)
	must(t, h.Sync())
	_, err = h.WriteAt([]byte("new"), 0)
	must(t, err)
	f.Set(Fault{FailSync: true})
	if err := h.Sync(); err == nil {
		t.Fatal("an fsync that should fail did not")
	}
	f.Clear()
	must(t, h.Sync())
	must(t, h.Close())
	_, err = f.Crash(0)
	must(t, err)
	if got := contents(t, f.dir)["a"]; got != "old" {
		t.Errorf("the file has %q", got)
	}
}
