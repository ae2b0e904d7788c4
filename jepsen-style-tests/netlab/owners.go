//go:build linux

package netlab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// owners says which host's process has a connection, from what the kernel shows of
// sockets and files in /proc.
type owners struct {
	mu    sync.Mutex
	byPID map[int]*Host
}

// start starts a process on a host. What it dials is not looked up before it is
// known here.
func (o *owners) start(h *Host, cmd *exec.Cmd) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := h.thread.do(cmd.Start); err != nil {
		return err
	}
	o.byPID[cmd.Process.Pid] = h
	return nil
}

// of is the host whose process has the socket with these two ends, local and remote.
func (o *owners) of(local, remote netip.AddrPort) (*Host, error) {
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	defer func() { _ = table.Close() }()
	inode, err := inodeOf(bufio.NewScanner(table), local, remote)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	processes := maps.Clone(o.byPID)
	o.mu.Unlock()
	var unseen []error
	for pid, h := range processes {
		has, err := hasSocket(pid, inode)
		if has {
			return h, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			o.forget(pid, h)
		} else if err != nil {
			unseen = append(unseen, err) // ended and not waited for, or of another user
		}
	}
	return nil, errors.Join(append(unseen, fmt.Errorf("%v is of no process that was started on a host", local))...)
}

// forget takes a process off that has ended, unless its number is used again.
func (o *owners) forget(pid int, h *Host) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byPID[pid] == h {
		delete(o.byPID, pid)
	}
}

// inodeOf reads a table of /proc/net/tcp, as proc(5) and Linux's
// Documentation/networking/proc_net_tcp.rst have it: after a heading, each line has
// the local address, the remote one, and in its tenth field the inode.
func inodeOf(table *bufio.Scanner, local, remote netip.AddrPort) (string, error) {
	const localField, remoteField, inodeField = 1, 2, 9
	l, r := hexed(local), hexed(remote)
	for table.Scan() {
		f := strings.Fields(table.Text())
		if len(f) > inodeField && f[localField] == l && f[remoteField] == r {
			return f[inodeField], nil
		}
	}
	if err := table.Err(); err != nil {
		return "", fmt.Errorf("/proc/net/tcp: %w", err)
	}
	return "", fmt.Errorf("/proc/net/tcp has no connection from %v to %v", local, remote)
}

// hexed is an address as the kernel prints it: the address's number in the order of
// the machine, the port's as it is.
func hexed(a netip.AddrPort) string {
	ip := a.Addr().Unmap().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), a.Port())
}

func hasSocket(pid int, inode string) (bool, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && to == "socket:["+inode+"]" {
			return true, nil
		}
	}
	return false, nil
}
