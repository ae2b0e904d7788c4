//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Lost is what a crash took.
type Lost struct {
	Pages int      // of content, in part or whole
	Torn  int      // of the pages that survived, how many may lack their end
	Bytes int64    // of content
	Names int      // creations, links, renames and removals
	Files []string // whose content changed, by their paths after the crash
}

// Crash is a power cut: what was written and not synced is lost, save what is kept
// with the given chance, 0 to 1 (see the package's comment). The process must have
// been killed; if files stay open, nothing happens, and the error names one of them.
func (f *FS) Crash(keep float64) (Lost, error) {
	if !(keep >= 0 && keep <= 1) {
		return Lost{}, fmt.Errorf("a crash keeps with a chance of 0 to 1, not %v", keep)
	}
	var lost Lost
	err := f.alone(func() error {
		f.counts.crashes.Add(1)
		kept := 0
		for kept < len(f.names.steps) && f.rng.Float64() < keep {
			kept++
		}
		if len(f.names.steps) > kept {
			if err := f.undoNames(kept, &lost); err != nil {
				return err
			}
		} else {
			f.settle(f.names.base + uint64(kept))
		}
		err := f.files(func(n *inode) error {
			l, err := n.crash(n.file, keep, f.rng)
			if err != nil {
				return fmt.Errorf("%s: %w", n.path(), err)
			}
			if l.pages > 0 {
				lost.Files = append(lost.Files, n.path())
			}
			lost.Pages, lost.Torn, lost.Bytes = lost.Pages+l.pages, lost.Torn+l.torn, lost.Bytes+l.bytes
			return nil
		})
		f.counts.lost.Add(uint64(lost.Bytes))
		f.held.clear()
		return err
	})
	if err == nil {
		f.say("faultfs: %s: a power cut took %+v", f.dir, lost)
	}
	return lost, err
}

// alone runs do while nothing else does, with no file open, and makes the kernel
// forget all that it knows.
func (f *FS) alone(do func() error) error {
	for until := time.Now().Add(closeWait); ; time.Sleep(retryEvery) {
		f.gate.Lock()
		f.mu.Lock()
		open := f.anOpenFile()
		if open == "" {
			break
		}
		f.mu.Unlock()
		f.gate.Unlock()
		if time.Now().After(until) {
			return fmt.Errorf("%s is still open: end the process that has it first", open)
		}
	}
	defer f.gate.Unlock()
	defer f.mu.Unlock()
	err := do()
	for id, n := range f.nodes {
		n.node, n.lookups = 0, 0
		delete(f.nodes, id)
	}
	f.root.node = fuse.FUSE_ROOT_ID
	f.nodes[fuse.FUSE_ROOT_ID] = f.root
	return err
}

// anOpenFile is the path of one, or "". The caller holds mu.
func (f *FS) anOpenFile() string {
	for _, n := range f.handles {
		return n.path()
	}
	return ""
}

// undoNames takes back the operations after the first kept ones, in the backing
// directory too: it sets the files aside, and lays them out anew.
func (f *FS) undoNames(kept int, lost *Lost) error {
	aside, err := os.MkdirTemp(filepath.Dir(f.backing), ".faultfs-crash-")
	if err != nil {
		return fmt.Errorf("a place for files: %w", err)
	}
	defer os.RemoveAll(aside)
	place := func(n *inode) string { return filepath.Join(aside, strconv.FormatUint(n.number, 10)) }
	var all []*inode
	err = f.files(func(n *inode) error {
		all = append(all, n)
		if n.links > 0 {
			return os.Rename(f.real(n.parent, n.name), place(n))
		}
		return revive(n, place(n))
	})
	if err != nil {
		return fmt.Errorf("setting files aside: %w", err)
	}
	if err := empty(f.backing); err != nil {
		return err
	}
	for _, n := range all {
		n.links, n.pins = 0, 0
	}
	lost.Names = f.names.undo(kept)
	if err := f.layOut(f.root, place); err != nil {
		return err
	}
	for _, n := range all {
		f.release(n)
	}
	return nil
}

// revive copies a file without a name to a new one, and goes on with that.
func revive(n *inode, to string) error {
	info, err := n.file.Stat()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	whole := pages{durable: n.size}
	if err := whole.image(file, n.file); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Truncate(n.size); err != nil {
		return errors.Join(err, file.Close())
	}
	old := n.file
	n.file = file
	return old.Close()
}

// layOut makes the directories below dir, and moves the files into them.
func (f *FS) layOut(dir *inode, place func(*inode) string) error {
	for _, name := range sortedNames(dir.children) {
		n, at := dir.children[name], f.real(dir, name)
		first := ""
		if n.links > 0 {
			first = f.real(n.parent, n.name)
		}
		n.parent, n.name = dir, name
		switch {
		case n.children != nil:
			if err := os.Mkdir(at, perm(n.mode)); err != nil {
				return fmt.Errorf("laying out directories: %w", err)
			}
			if err := f.layOut(n, place); err != nil {
				return err
			}
		case n.links == 0:
			if err := os.Rename(place(n), at); err != nil {
				return fmt.Errorf("laying out files: %w", err)
			}
			n.links = 1
		default:
			if err := os.Link(first, at); err != nil {
				return fmt.Errorf("laying out links: %w", err)
			}
			n.links++
		}
	}
	return nil
}

// empty removes what is in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("emptying the backing directory: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("emptying the backing directory: %w", err)
		}
	}
	return nil
}
