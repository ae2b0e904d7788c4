//go:build linux

package faultfs

import (
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// kernel is what the kernel asks of the file system; what is not here, is not implemented.
type kernel struct {
	fuse.RawFileSystem
	fs *FS
}

func (k *kernel) String() string { return "faultfs" }

// cacheFor is how long the kernel may keep attributes, which change through it alone.
// Names are never kept: after a crash they mean other files.
const cacheFor = time.Hour

// dirOf is the directory that the kernel knows by a number. The caller holds mu.
func (f *FS) dirOf(node uint64) (*inode, fuse.Status) {
	n := f.nodes[node]
	switch {
	case n == nil:
		return nil, fuse.Status(syscall.ESTALE)
	case n.children == nil:
		return nil, fuse.ENOTDIR
	}
	return n, fuse.OK
}

// entry tells the kernel of n, which counts as one more reference. The caller holds mu.
func (f *FS) entry(n *inode, out *fuse.EntryOut) fuse.Status {
	if s := n.attr(&out.Attr); !s.Ok() {
		return s
	}
	if n.node == 0 {
		f.lastNode++
		n.node = f.lastNode
		f.nodes[n.node] = n
	}
	n.lookups++
	out.NodeId = n.node
	out.SetAttrTimeout(cacheFor)
	return fuse.OK
}

func (k *kernel) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, s := f.dirOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	n := dir.children[name]
	if n == nil {
		return fuse.ENOENT
	}
	return f.entry(n, out)
}

func (k *kernel) Forget(node, times uint64) {
	f := k.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[node]
	if n == nil || node == fuse.FUSE_ROOT_ID {
		return
	}
	n.lookups -= min(times, n.lookups)
	if n.lookups == 0 {
		delete(f.nodes, node)
		n.node = 0
	}
}

// room refuses a new file or directory on a full disk. The caller holds neither lock.
func (f *FS) room(node uint64, name string) fuse.Status {
	s := f.setting.Load()
	if !s.full() {
		return fuse.OK
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, st := f.dirOf(node)
	if !st.Ok() {
		return st
	}
	if at := (&inode{parent: dir, name: name}).path(); strikes(s.Match, at) {
		f.counts.refused.Add(1)
		return fuse.Status(syscall.ENOSPC)
	}
	return fuse.OK
}

// make adds a file or directory. The caller holds the gate and mu.
func (f *FS) make(node uint64, name string, dirMode, fileMode uint32, owner fuse.Owner, out *fuse.EntryOut) (*inode, fuse.Status) {
	dir, s := f.dirOf(node)
	if !s.Ok() {
		return nil, s
	}
	if dir.children[name] != nil {
		return nil, fuse.Status(syscall.EEXIST)
	}
	var n *inode
	if at := f.real(dir, name); dirMode != 0 {
		if err := os.Mkdir(at, perm(dirMode)); err != nil {
			return nil, fuse.ToStatus(err)
		}
		n = f.newDir(dir, name, dirMode&0o7777, owner)
	} else {
		file, err := os.OpenFile(at, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm(fileMode))
		if err != nil {
			return nil, fuse.ToStatus(err)
		}
		if err := syscall.Fchown(int(file.Fd()), int(owner.Uid), int(owner.Gid)); err != nil {
			f.say("faultfs: the owner of a new file: %v", err)
		}
		n = f.newFile(file, 0)
		n.parent, n.name, n.links = dir, name, 1
	}
	dir.children[name] = n
	dir.modified = time.Now()
	f.record(step{{dir, name, nil}}, dir, n)
	n.sized = n.changed
	return n, f.entry(n, out)
}

func (k *kernel) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	f := k.fs
	if s := f.room(in.NodeId, name); !s.Ok() {
		return s
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	_, s := f.make(in.NodeId, name, syscall.S_IFDIR|in.Mode, 0, in.Owner, out)
	return s
}

func (k *kernel) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	f := k.fs
	if in.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fuse.EPERM
	}
	if s := f.room(in.NodeId, name); !s.Ok() {
		return s
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	_, s := f.make(in.NodeId, name, 0, in.Mode, in.Owner, out)
	return s
}

func (k *kernel) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	f := k.fs
	if s := f.room(in.NodeId, name); !s.Ok() {
		return s
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	n, s := f.make(in.NodeId, name, 0, in.Mode, in.Owner, &out.EntryOut)
	if s.Ok() {
		f.open(n, &out.OpenOut)
	}
	return s
}

func (k *kernel) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, s := f.dirOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	n := f.nodes[in.Oldnodeid]
	switch {
	case n == nil:
		return fuse.Status(syscall.ESTALE)
	case n.children != nil:
		return fuse.EPERM
	case n.links == 0:
		return fuse.ENOENT
	case dir.children[name] != nil:
		return fuse.Status(syscall.EEXIST)
	}
	if err := os.Link(f.real(n.parent, n.name), f.real(dir, name)); err != nil {
		return fuse.ToStatus(err)
	}
	n.links++
	dir.children[name] = n
	dir.modified = time.Now()
	f.record(step{{dir, name, nil}}, dir, n)
	return f.entry(n, out)
}

func (k *kernel) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return k.remove(in.NodeId, name, false)
}

func (k *kernel) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return k.remove(in.NodeId, name, true)
}

func (k *kernel) remove(node uint64, name string, isDir bool) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, s := f.dirOf(node)
	if !s.Ok() {
		return s
	}
	n := dir.children[name]
	switch {
	case n == nil:
		return fuse.ENOENT
	case isDir && n.children == nil:
		return fuse.ENOTDIR
	case !isDir && n.children != nil:
		return fuse.Status(syscall.EISDIR)
	case len(n.children) > 0:
		return fuse.Status(syscall.ENOTEMPTY)
	}
	if err := os.Remove(f.real(dir, name)); err != nil {
		return fuse.ToStatus(err)
	}
	delete(dir.children, name)
	dir.modified = time.Now()
	f.record(step{{dir, name, n}}, dir, n)
	f.unnamed(n, dir, name)
	return fuse.OK
}

// unnamed notes that n lost a name. Of other names that it has, one becomes its place.
func (f *FS) unnamed(n, dir *inode, name string) {
	if n.children != nil {
		return
	}
	n.links--
	if n.links > 0 && n.parent == dir && n.name == name {
		n.parent, n.name = f.root.find(n)
	}
	f.release(n)
}

// find returns a name of a file at or below dir.
func (dir *inode) find(n *inode) (*inode, string) {
	for name, c := range dir.children {
		if c == n {
			return dir, name
		}
		if c.children != nil {
			if in, as := c.find(n); in != nil {
				return in, as
			}
		}
	}
	return nil, ""
}

func (k *kernel) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	f := k.fs
	if in.Flags&^unix.RENAME_NOREPLACE != 0 {
		return fuse.EINVAL
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	source, s := f.dirOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	target, s := f.dirOf(in.Newdir)
	if !s.Ok() {
		return s
	}
	n, over := source.children[from], target.children[to]
	switch {
	case n == nil:
		return fuse.ENOENT
	case n == over:
		return fuse.OK
	case over != nil && in.Flags&unix.RENAME_NOREPLACE != 0:
		return fuse.Status(syscall.EEXIST)
	case over != nil && len(over.children) > 0:
		return fuse.Status(syscall.ENOTEMPTY)
	}
	if err := os.Rename(f.real(source, from), f.real(target, to)); err != nil {
		return fuse.ToStatus(err)
	}
	delete(source.children, from)
	target.children[to] = n
	n.parent, n.name = target, to
	source.modified, target.modified = time.Now(), time.Now()
	f.record(step{{source, from, n}, {target, to, over}}, source, target, n)
	if over != nil {
		over.changed = n.changed
		f.unnamed(over, target, to)
	}
	return fuse.OK
}

func (k *kernel) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, s := f.dirOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	list := []fuse.DirEntry{{Name: ".", Mode: syscall.S_IFDIR, Ino: dir.number}, {Name: "..", Mode: syscall.S_IFDIR}}
	for _, name := range sortedNames(dir.children) {
		mode := uint32(syscall.S_IFREG)
		if dir.children[name].children != nil {
			mode = syscall.S_IFDIR
		}
		list = append(list, fuse.DirEntry{Name: name, Mode: mode, Ino: dir.children[name].number})
	}
	f.lastHandle++
	f.listings[f.lastHandle] = list
	out.Fh = f.lastHandle
	return fuse.OK
}

func (k *kernel) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	f := k.fs
	f.mu.Lock()
	list := f.listings[in.Fh]
	f.mu.Unlock()
	for i := int(in.Offset); i < len(list); i++ {
		if !out.AddDirEntry(list[i]) {
			break
		}
	}
	return fuse.OK
}

func (k *kernel) ReleaseDir(in *fuse.ReleaseIn) {
	f := k.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listings, in.Fh)
}
