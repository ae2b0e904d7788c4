//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// inode is a file or directory. FS.mu guards it, save what data guards.
type inode struct {
	number  uint64 // for users; never given again
	node    uint64 // the kernel's, since the last crash; 0 if it knows none
	lookups uint64 // references of the kernel's

	// parent and name are where it is, or was last; of a file with several names, one of them.
	parent *inode
	name   string

	// Of a directory.
	children map[string]*inode // nil of a file
	owner    fuse.Owner
	mode     uint32
	modified time.Time

	// Of a file. It stays open as long as a name, a handle or the journal needs it.
	file    *os.File
	links   int // names
	handles int
	pins    int // changes in the journal that would bring it back

	// changed and sized are positions in the journal of names: an fsync makes durable
	// what was before changed, an fdatasync what was before sized.
	changed, sized uint64

	data sync.Mutex // guards what follows
	pages
}

// path is where it is within the mount, "." for the root.
func (n *inode) path() string {
	if n.parent == nil {
		return "."
	}
	return path.Join(n.parent.path(), n.name)
}

// real is the path of a name in the backing directory.
func (f *FS) real(dir *inode, name string) string { return filepath.Join(f.backing, dir.path(), name) }

// load makes the tree from what is in the backing directory, all of it durable.
func (f *FS) load() error {
	f.root = f.newDir(nil, "", 0o755, fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())})
	f.nodes[fuse.FUSE_ROOT_ID] = f.root
	f.root.node = fuse.FUSE_ROOT_ID
	return f.loadDir(f.root, map[uint64]*inode{})
}

// loadDir adds what is in the backing directory of dir. linked has the files with
// several names, by their inode number there.
func (f *FS) loadDir(dir *inode, linked map[uint64]*inode) error {
	entries, err := os.ReadDir(f.real(dir, ""))
	if err != nil {
		return fmt.Errorf("reading the backing directory: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("reading the backing directory: %w", err)
		}
		st := info.Sys().(*syscall.Stat_t)
		switch {
		case info.IsDir():
			child := f.newDir(dir, e.Name(), st.Mode&0o7777, fuse.Owner{Uid: st.Uid, Gid: st.Gid})
			dir.children[e.Name()] = child
			if err := f.loadDir(child, linked); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			n := linked[st.Ino]
			if n == nil {
				file, err := os.OpenFile(f.real(dir, e.Name()), os.O_RDWR, 0)
				if err != nil {
					return fmt.Errorf("opening a file of the backing directory: %w", err)
				}
				n = f.newFile(file, st.Size)
				linked[st.Ino] = n
			}
			n.parent, n.name, n.links = dir, e.Name(), n.links+1
			dir.children[e.Name()] = n
		default:
			return fmt.Errorf("%s in the backing directory is neither a file nor a directory: remove it", e.Name())
		}
	}
	return nil
}

func (f *FS) newDir(parent *inode, name string, mode uint32, owner fuse.Owner) *inode {
	f.inodes++
	return &inode{number: f.inodes, parent: parent, name: name, children: map[string]*inode{}, mode: mode, owner: owner, modified: time.Now()}
}

func (f *FS) newFile(file *os.File, size int64) *inode {
	f.inodes++
	return &inode{number: f.inodes, file: file, pages: pages{size: size, durable: size, cut: uncut}}
}

// release closes a file that nothing needs.
func (f *FS) release(n *inode) {
	if n.file == nil || n.links > 0 || n.handles > 0 || n.pins > 0 {
		return
	}
	if err := n.file.Close(); err != nil {
		f.say("faultfs: closing a removed file: %v", err)
	}
	n.file = nil
	n.data.Lock()
	weight := n.weight()
	n.pages = pages{cut: uncut}
	f.held.add(n, -weight)
	n.data.Unlock()
}

// files calls do for every file that a name or the journal can reach, once.
func (f *FS) files(do func(*inode) error) error {
	seen := map[*inode]bool{}
	var walk func(*inode) error
	walk = func(n *inode) error {
		if n == nil || seen[n] {
			return nil
		}
		seen[n] = true
		if n.children == nil {
			return do(n)
		}
		for _, name := range sortedNames(n.children) {
			if err := walk(n.children[name]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(f.root); err != nil {
		return err
	}
	for _, s := range f.names.steps {
		for _, c := range s {
			if err := walk(c.before); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeFiles closes every file, those that only a handle reaches too.
func (f *FS) closeFiles() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	shut := func(n *inode) error {
		if n.file != nil {
			errs = append(errs, n.file.Close())
			n.file = nil
		}
		return nil
	}
	for _, n := range f.handles {
		errs = append(errs, shut(n))
	}
	return errors.Join(append(errs, f.files(shut))...)
}

// attr tells the attributes of n.
func (n *inode) attr(out *fuse.Attr) fuse.Status {
	if n.children != nil {
		*out = fuse.Attr{Ino: n.number, Mode: syscall.S_IFDIR | n.mode, Nlink: 2, Owner: n.owner, Blksize: pageSize}
		out.SetTimes(&n.modified, &n.modified, &n.modified)
		return fuse.OK
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(n.file.Fd()), &st); err != nil {
		return fuse.ToStatus(err)
	}
	out.FromStat(&st)
	out.Ino, out.Nlink, out.Blksize = n.number, uint32(n.links), pageSize
	return fuse.OK
}

// perm is a mode of the kernel's as this process gives it to files.
func perm(mode uint32) fs.FileMode { return fs.FileMode(mode & 0o777) }
