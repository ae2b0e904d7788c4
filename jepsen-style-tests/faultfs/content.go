//go:build linux

package faultfs

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// dataOnly is the flag of the kernel's by which fdatasync differs from fsync.
const dataOnly = 1

// open adds a handle. The caller holds mu.
func (f *FS) open(n *inode, out *fuse.OpenOut) {
	f.lastHandle++
	f.handles[f.lastHandle] = n
	n.handles++
	out.Fh, out.OpenFlags = f.lastHandle, fuse.FOPEN_KEEP_CACHE
}

func (k *kernel) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[in.NodeId]
	if n == nil || n.file == nil {
		return fuse.Status(syscall.ESTALE)
	}
	f.open(n, out)
	return fuse.OK
}

func (k *kernel) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	f := k.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.handles[in.Fh]
	if n == nil {
		return
	}
	delete(f.handles, in.Fh)
	n.handles--
	f.release(n)
}

func (k *kernel) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// at returns the path of what the kernel knows by a number.
func (f *FS) at(node uint64) func() string {
	return func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := f.nodes[node]; n != nil {
			return n.path()
		}
		return "."
	}
}

// fileOf is the file that the kernel knows by a number. It stays open while the
// kernel asks for it, because the kernel holds a handle or a name.
func (f *FS) fileOf(node uint64) (*inode, *os.File, fuse.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[node]
	if n == nil || n.file == nil {
		return nil, nil, fuse.Status(syscall.ESTALE)
	}
	return n, n.file, fuse.OK
}

// fail counts an operation that the fault makes fail.
func (f *FS) fail() fuse.Status {
	f.counts.failed.Add(1)
	return fuse.EIO
}

// full counts an operation for which there is no room.
func (f *FS) full() fuse.Status {
	f.counts.refused.Add(1)
	return fuse.Status(syscall.ENOSPC)
}

func (k *kernel) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f := k.fs
	fault, s := f.admit(call{Reads, f.at(in.NodeId), in.Pid, cancel})
	switch {
	case !s.Ok():
		return nil, s
	case fault.FailRead:
		return nil, f.fail()
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	_, file, s := f.fileOf(in.NodeId)
	if !s.Ok() {
		return nil, s
	}
	n, err := file.ReadAt(buf[:in.Size], int64(in.Offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fuse.ToStatus(err)
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

func (k *kernel) Write(cancel <-chan struct{}, in *fuse.WriteIn, b []byte) (uint32, fuse.Status) {
	f := k.fs
	fault, s := f.admit(call{Writes, f.at(in.NodeId), in.Pid, cancel})
	switch {
	case !s.Ok():
		return 0, s
	case fault.FailWrite:
		return 0, f.fail()
	}
	defer f.trim()
	f.gate.RLock()
	defer f.gate.RUnlock()
	n, file, s := f.fileOf(in.NodeId)
	if !s.Ok() {
		return 0, s
	}
	n.data.Lock()
	defer n.data.Unlock()
	from := int64(in.Offset)
	if fault.Full != 0 {
		need, err := unallocated(file, from, int64(len(b)))
		if err != nil {
			return 0, fuse.ToStatus(err)
		}
		short := need - fault.take(need)
		if short >= int64(len(b)) {
			return 0, f.full()
		}
		b = b[:int64(len(b))-short]
	}
	more, err := n.save(file, from, from+int64(len(b)))
	f.held.add(n, more)
	if err != nil {
		return 0, fuse.ToStatus(err)
	}
	wrote, err := file.WriteAt(b, from)
	if err != nil {
		return 0, fuse.ToStatus(err)
	}
	at := f.position.Load()
	n.wrote(from+int64(wrote), at)
	return uint32(wrote), fuse.OK
}

// wrote notes a write that ended at end, when the journal of names was at a position.
func (n *inode) wrote(end int64, at uint64) {
	n.touched = max(n.touched, at)
	if end > n.size {
		n.size = end
		n.extended = max(n.extended, at)
	}
}

// unallocated counts the bytes of a range for which the backing file has no room yet.
func unallocated(file *os.File, from, size int64) (int64, error) {
	need := size
	for at := from; at < from+size; {
		data, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			break
		}
		if err != nil {
			return 0, err
		}
		hole, err := unix.Seek(int(file.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return 0, err
		}
		need -= max(0, min(hole, from+size)-max(data, at))
		at = hole
	}
	return need, nil
}

func (k *kernel) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	f := k.fs
	fault, s := f.admit(call{Syncs, f.at(in.NodeId), in.Pid, cancel})
	if !s.Ok() {
		return s
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	n, _, s := f.fileOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	n.data.Lock()
	weight := n.weight()
	if fault.FailSync {
		n.fail()
	} else {
		n.clean()
	}
	f.held.add(n, n.weight()-weight)
	changed, sized := n.touched, n.extended
	n.data.Unlock()
	if fault.FailSync {
		return f.fail()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	upTo := max(sized, n.sized)
	if in.FsyncFlags&dataOnly == 0 {
		upTo = max(upTo, changed, n.changed)
	}
	f.settle(upTo)
	f.counts.syncs.Add(1)
	return fuse.OK
}

func (k *kernel) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	f := k.fs
	fault, s := f.admit(call{Syncs, f.at(in.NodeId), in.Pid, cancel})
	switch {
	case !s.Ok():
		return s
	case fault.FailSync:
		return f.fail()
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, s := f.dirOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	f.settle(dir.changed)
	f.counts.syncs.Add(1)
	return fuse.OK
}

func (k *kernel) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if in.Mode&^unix.FALLOC_FL_KEEP_SIZE != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	f := k.fs
	fault, s := f.admit(call{Writes, f.at(in.NodeId), in.Pid, cancel})
	switch {
	case !s.Ok():
		return s
	case fault.FailWrite:
		return f.fail()
	case fault.full():
		return f.full()
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	n, file, s := f.fileOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	n.data.Lock()
	defer n.data.Unlock()
	if err := unix.Fallocate(int(file.Fd()), in.Mode, int64(in.Offset), int64(in.Length)); err != nil {
		return fuse.ToStatus(err)
	}
	if end := int64(in.Offset + in.Length); in.Mode&unix.FALLOC_FL_KEEP_SIZE == 0 && end > n.size {
		n.resize(end)
		n.touched = f.position.Load()
		n.extended = n.touched
	}
	return fuse.OK
}

// truncate changes the size of a file.
func (f *FS) truncate(cancel <-chan struct{}, in *fuse.SetAttrIn, size int64) fuse.Status {
	fault, s := f.admit(call{Writes, f.at(in.NodeId), in.Pid, cancel})
	switch {
	case !s.Ok():
		return s
	case fault.FailWrite:
		return f.fail()
	}
	defer f.trim()
	f.gate.RLock()
	defer f.gate.RUnlock()
	n, file, s := f.fileOf(in.NodeId)
	if !s.Ok() {
		return s
	}
	n.data.Lock()
	defer n.data.Unlock()
	if size < n.size {
		more, err := n.save(file, size, n.size)
		f.held.add(n, more)
		if err != nil {
			return fuse.ToStatus(err)
		}
	}
	if err := file.Truncate(size); err != nil {
		return fuse.ToStatus(err)
	}
	n.resize(size)
	n.touched = f.position.Load()
	n.extended = n.touched
	return fuse.OK
}

func (k *kernel) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	f := k.fs
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attrOf(in.NodeId, out)
}

// attrOf tells the attributes of what the kernel knows by a number. The caller holds mu.
func (f *FS) attrOf(node uint64, out *fuse.AttrOut) fuse.Status {
	n := f.nodes[node]
	if n == nil || n.children == nil && n.file == nil {
		return fuse.Status(syscall.ESTALE)
	}
	if node != fuse.FUSE_ROOT_ID {
		out.SetTimeout(cacheFor)
	}
	return n.attr(&out.Attr)
}

func (k *kernel) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	f := k.fs
	if size, ok := in.GetSize(); ok {
		if s := f.truncate(cancel, in, int64(size)); !s.Ok() {
			return s
		}
	}
	f.gate.RLock()
	defer f.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[in.NodeId]
	if n == nil || n.children == nil && n.file == nil {
		return fuse.Status(syscall.ESTALE)
	}
	if err := f.describe(n, in); err != nil {
		return fuse.ToStatus(err)
	}
	return f.attrOf(in.NodeId, out)
}

// describe sets mode, owner and times.
func (f *FS) describe(n *inode, in *fuse.SetAttrIn) error {
	mode, hasMode := in.GetMode()
	uid, hasUID := in.GetUID()
	gid, hasGID := in.GetGID()
	modified, hasTime := in.GetMTime()
	if n.children != nil {
		if hasMode {
			n.mode = mode & 0o7777
		}
		if hasUID {
			n.owner.Uid = uid
		}
		if hasGID {
			n.owner.Gid = gid
		}
		if hasTime {
			n.modified = modified
		}
		return nil
	}
	if hasMode {
		if err := n.file.Chmod(perm(mode)); err != nil {
			return err
		}
	}
	if hasUID || hasGID {
		keep := func(id uint32, has bool) int {
			if !has {
				return -1
			}
			return int(id)
		}
		if err := n.file.Chown(keep(uid, hasUID), keep(gid, hasGID)); err != nil {
			return err
		}
	}
	if hasTime {
		t := unix.NsecToTimeval(modified.UnixNano())
		return unix.Futimes(int(n.file.Fd()), []unix.Timeval{t, t})
	}
	return nil
}

func (k *kernel) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	f := k.fs
	var st syscall.Statfs_t
	if err := syscall.Statfs(f.backing, &st); err != nil {
		return fuse.ToStatus(err)
	}
	out.FromStatfsT(&st)
	if s := f.setting.Load(); s.Full != 0 {
		out.Bfree = uint64(s.room.Load()) / uint64(st.Bsize)
		out.Bavail = out.Bfree
	}
	return fuse.OK
}
