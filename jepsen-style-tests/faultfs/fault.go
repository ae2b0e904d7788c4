//go:build linux

package faultfs

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Op is a set of kinds of operations.
type Op uint8

const (
	Writes Op = 1 << iota // of content and sizes
	Syncs                 // fsync, fdatasync, and what O_SYNC and O_DSYNC imply; of directories too
	Reads                 // that the kernel's cache does not answer
)

// Fault is what goes wrong. The zero Fault is none.
type Fault struct {
	FailSync  bool // EIO from fsync and fdatasync; what was to be synced never will be, see the package's comment
	FailWrite bool // EIO from writes and changes of size
	FailRead  bool // EIO from reads; the kernel's cache is dropped. A mapping that reads gets SIGBUS
	// Full is how many bytes that take new room may still be written, before ENOSPC: -1
	// for none, 0 for no limit. Overwriting in place goes on, as it does on a full disk;
	// new files and directories are refused when there is no room.
	Full int64
	// Delay is how long each operation of DelayOps takes longer; no DelayOps are Writes and Syncs.
	Delay    time.Duration
	DelayOps Op
	// Stall holds syncs and writes until the fault is lifted, or their process is being killed.
	Stall bool
	// Match is the glob (see [path.Match]) of the files that are struck, by their path
	// within the mount; a directory that matches stands for all below it. "" is all.
	Match string
}

// setting is a fault in force.
type setting struct {
	Fault
	room   atomic.Int64 // of Full
	lifted chan struct{}
}

func newSetting(f Fault) *setting {
	if f.DelayOps == 0 {
		f.DelayOps = Writes | Syncs
	}
	s := &setting{Fault: f, lifted: make(chan struct{})}
	s.room.Store(max(f.Full, 0))
	return s
}

// Set replaces the fault in force; what it held goes on under the new one.
func (f *FS) Set(fault Fault) {
	if _, err := path.Match(fault.Match, ""); err != nil {
		panic(fmt.Sprintf("faultfs: the glob %q: %v", fault.Match, err))
	}
	f.say("faultfs: %s: %+v", f.dir, fault)
	close(f.setting.Swap(newSetting(fault)).lifted)
	if fault.FailRead {
		f.dropCaches(fault.Match)
	}
}

// Clear lifts the fault and releases what it held.
func (f *FS) Clear() { f.Set(Fault{}) }

// strikes says whether the fault is meant for the file at the path name.
func strikes(glob, name string) bool {
	if glob == "" {
		return true
	}
	for p := name; p != "." && p != "/"; p = path.Dir(p) {
		if ok, err := path.Match(glob, p); ok && err == nil {
			return true
		}
	}
	return false
}

// call is one request of the kernel's, as far as faults are concerned.
type call struct {
	op     Op
	at     func() string // the path within the mount
	thread uint32        // that waits for the answer
	cancel <-chan struct{}
}

// none is the fault of an operation that is not struck.
var none = newSetting(Fault{})

// admit waits as long as the fault in force says, and returns the fault that
// then decides about the call. EINTR means that its process is being killed.
func (f *FS) admit(c call) (*setting, fuse.Status) {
	f.counts.ops.Add(1)
	for stalled := false; ; {
		s := f.setting.Load()
		if s.Fault == none.Fault || !strikes(s.Match, c.at()) {
			return none, fuse.OK
		}
		if s.Stall && c.op&(Writes|Syncs) != 0 {
			if !stalled {
				f.counts.stalled.Add(1)
				stalled = true
			}
			if !s.wait(c, nil) {
				return none, fuse.EINTR
			}
			continue
		}
		if s.Delay > 0 && c.op&s.DelayOps != 0 {
			f.counts.delayed.Add(1)
			t := time.NewTimer(s.Delay)
			defer t.Stop()
			if !s.wait(c, t.C) {
				return none, fuse.EINTR
			}
			if s != f.setting.Load() {
				c.op &^= s.DelayOps // it has waited
				continue
			}
		}
		return s, fuse.OK
	}
}

// wait waits until the fault is lifted or the time is over; false if the process
// is being killed. Any signal interrupts a request, and Go's runtime sends many:
// an EINTR for those would be a fault that no disk has.
func (s *setting) wait(c call, over <-chan time.Time) bool {
	cancel := c.cancel
	var again <-chan time.Time
	for {
		select {
		case <-s.lifted:
			return true
		case <-over:
			return true
		case <-cancel:
			cancel = nil
			tick := time.NewTicker(retryEvery)
			defer tick.Stop()
			again = tick.C
		case <-again:
			if dying(c.thread) {
				return false
			}
		}
	}
}

// dying says whether SIGKILL waits for a thread, or the thread is gone.
func dying(thread uint32) bool {
	const sigkill = 1 << 8
	b, err := os.ReadFile("/proc/" + strconv.Itoa(int(thread)) + "/status")
	if err != nil {
		return os.IsNotExist(err)
	}
	for line := range bytes.Lines(b) {
		name, mask, _ := strings.Cut(string(line), ":")
		if name != "SigPnd" && name != "ShdPnd" {
			continue
		}
		if bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64); err == nil && bits&sigkill != 0 {
			return true
		}
	}
	return false
}

// take takes up to n bytes of what room is left, and returns how many.
func (s *setting) take(n int64) int64 {
	if s.Full == 0 {
		return n
	}
	for {
		left := s.room.Load()
		got := min(left, n)
		if s.room.CompareAndSwap(left, left-got) {
			return got
		}
	}
}

// full says that there is no room at all.
func (s *setting) full() bool { return s.Full != 0 && s.room.Load() == 0 }

// dropCaches makes the kernel forget the content of files.
func (f *FS) dropCaches(glob string) {
	var known []uint64
	f.mu.Lock()
	for id, n := range f.nodes {
		if n.children == nil && strikes(glob, n.path()) {
			known = append(known, id)
		}
	}
	f.mu.Unlock()
	for _, id := range known {
		if s := f.server.InodeNotify(id, 0, -1); !s.Ok() && s != fuse.ENOENT {
			f.say("faultfs: dropping the cache of a file: %v", s)
		}
	}
}
