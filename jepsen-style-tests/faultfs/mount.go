//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// heldLimit bounds the bytes that the journal keeps to undo writes. Stores sync
	// every few MiB; beyond this, the file that has waited longest is taken as durable.
	heldLimit = 256 << 20
	// stepsLimit bounds the operations on names that the journal keeps.
	stepsLimit = 1 << 16
	// unmountWait is how long [FS.Close] waits for processes to let go of the mount.
	unmountWait = 2 * time.Second
	retryEvery  = 5 * time.Millisecond
	// closeWait is how long the files of a killed process may take to be closed.
	closeWait = 5 * time.Second
)

// Options say what is mounted where.
type Options struct {
	// Backing is the directory of the real files; it is made if it is not there, and
	// what is in it is durable. A tmpfs is best: nothing here needs a disk.
	Backing string
	// Dir is where it is mounted; it is made if it is not there.
	Dir string
	// Seed decides what a crash keeps and which bits flip.
	Seed uint64
	// Log gets what the caller should see in its artefacts; nil for nothing.
	Log func(format string, args ...any)
}

// FS is a mounted file system.
type FS struct {
	backing, dir string
	say          func(string, ...any)
	server       *fuse.Server
	serving      sync.WaitGroup
	closing      sync.Once
	closed       error

	gate sync.RWMutex // shared by operations, alone for what changes everything

	mu         sync.Mutex // guards the tree and what follows
	root       *inode
	inodes     uint64            // numbers given to inodes
	nodes      map[uint64]*inode // what the kernel knows, by its number
	lastNode   uint64
	handles    map[uint64]*inode
	listings   map[uint64][]fuse.DirEntry
	lastHandle uint64
	names      nameJournal
	rng        *rand.Rand

	position atomic.Uint64 // of names, to be read without mu
	held     held

	setting atomic.Pointer[setting]
	counts  counters
}

// Supported says why nothing can be mounted here; nil if it can.
func Supported() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("a file system with faults needs /dev/fuse: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing /dev/fuse: %w", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("a file system with faults needs the right to mount: run as root")
	}
	return nil
}

// Mount mounts Backing at Dir. The caller must [FS.Close] what it gets.
func Mount(o Options) (*FS, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	if o.Backing == "" || o.Dir == "" {
		return nil, errors.New("a mount needs a backing directory and a place: set Backing and Dir")
	}
	backing, err := filepath.Abs(o.Backing)
	if err != nil {
		return nil, fmt.Errorf("backing directory: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("mount point: %w", err)
	}
	if err := freePlace(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{backing, dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("making a directory: %w", err)
		}
	}
	f := &FS{
		backing: backing, dir: dir, say: o.Log,
		nodes: map[uint64]*inode{}, handles: map[uint64]*inode{}, listings: map[uint64][]fuse.DirEntry{}, lastNode: fuse.FUSE_ROOT_ID,
		rng: rand.New(rand.NewPCG(o.Seed, 0)),
	}
	f.held.limit, f.held.dirty = heldLimit, map[*inode]uint64{}
	f.names.limit = stepsLimit
	if f.say == nil {
		f.say = func(string, ...any) {}
	}
	f.setting.Store(newSetting(Fault{}))
	if err := f.load(); err != nil {
		return nil, errors.Join(err, f.closeFiles())
	}
	f.server, err = fuse.NewServer(&kernel{RawFileSystem: fuse.NewDefaultRawFileSystem(), fs: f}, dir, &fuse.MountOptions{
		AllowOther: true, Options: []string{"default_permissions"},
		FsName: "faultfs", Name: "faultfs",
		MaxWrite: fuse.MAX_KERNEL_WRITE, DirectMountStrict: true,
		DisableReadDirPlus: true, DisableXAttrs: true,
		// Nothing changes a file except through the kernel, or by this package, which says so.
		ExplicitDataCacheControl: true,
		Logger:                   log.New(io.Discard, "", 0),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mounting at %s: %w", dir, err), f.closeFiles())
	}
	f.serving.Go(f.server.Serve)
	// The library's wait also has the kernel ask once whether files can be polled, and
	// never again: the runtime's own question would hold up the goroutine that answers.
	if err := f.server.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for the mount at %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// freePlace removes a mount that a killed process left at dir.
func freePlace(dir string) error {
	_, err := os.Stat(dir)
	if !errors.Is(err, syscall.ENOTCONN) {
		return nil
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("removing a dead mount at %s: %w", dir, err)
	}
	return nil
}

// Close lifts the fault, unmounts and waits for every goroutine. Processes that
// still use the mount after two seconds are cut off: their calls fail. The files
// stay in the backing directory.
func (f *FS) Close() error {
	f.closing.Do(func() { f.closed = f.close() })
	return f.closed
}

func (f *FS) close() error {
	f.Clear()
	err := syscall.Unmount(f.dir, 0)
	for until := time.Now().Add(unmountWait); errors.Is(err, syscall.EBUSY) && time.Now().Before(until); {
		time.Sleep(retryEvery)
		err = syscall.Unmount(f.dir, 0)
	}
	if errors.Is(err, syscall.EBUSY) {
		f.say("faultfs: %s is still in use: its users are cut off", f.dir)
		// Forcing aborts the connection, so that the server ends; detaching frees the place.
		err = syscall.Unmount(f.dir, syscall.MNT_FORCE|syscall.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("unmounting %s: %w", f.dir, err)
	}
	f.serving.Wait()
	return f.closeFiles()
}
