//go:build linux

package netlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"syscall"
)

// Host is a place in a lab's network, where processes run and the harness listens
// and dials. Its methods may be called by any number of goroutines.
type Host struct {
	name   string
	number byte // from 1
	lab    *Lab
	ip     netip.Addr
	thread *thread
}

// numbered is an address of a network of 256.
func numbered(network netip.Prefix, n byte) netip.Addr {
	a := network.Addr().As4()
	a[3] = n
	return netip.AddrFrom4(a)
}

// stream draws the chances of one direction apart from those of the others.
func stream(from, to *Host) uint64 { return uint64(from.number)<<8 | uint64(to.number) }

// Name is the name that the host was made with.
func (h *Host) Name() string { return h.name }

// Address is host:port to listen on. Each host has an IP address of its own in
// either mode, so a fixed port may be used on all hosts. With port 0 the kernel
// picks one when it is listened on.
func (h *Host) Address(port int) string { return net.JoinHostPort(h.ip.String(), strconv.Itoa(port)) }

// Advertise is what others dial to reach what listens on an address of this host:
// the same with namespaces, a proxy in front of it on the loopback device. It may be
// called before anything listens, and again for the same answer.
func (h *Host) Advertise(listen string) (string, error) {
	a, err := netip.ParseAddrPort(listen)
	if err != nil {
		return "", fmt.Errorf("advertise: %w", err)
	}
	if a.Addr() != h.ip || a.Port() == 0 {
		return "", fmt.Errorf("advertise %s: it takes an address of %s with its port, as %s", listen, h.name, h.Address(8080))
	}
	return h.lab.advertise(h, a)
}

// Start starts a command on the host. It is killed when the harness ends or the lab
// is closed; what it starts itself is not. The caller waits for it.
func (h *Host) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The signal comes when the thread that started it ends.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return h.lab.start(h, cmd)
}

// Do runs a function on the host's thread, in whose network it may open sockets of
// any kind. Start and the lab's Close wait for it; it may not call Do, Start or Listen
// of this host.
func (h *Host) Do(f func() error) error { return h.thread.do(f) }

// DialContext dials an IP address and port from the host, for the Transport of a
// client there.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial from %s: hosts have no names to look up: %w", h.name, err)
	}
	c, err := h.lab.dial(ctx, h, network, to)
	if err != nil {
		return nil, fmt.Errorf("dial from %s: %w", h.name, err)
	}
	return c, nil
}

// Listen listens on an address of the host, such as [Host.Address].
func (h *Host) Listen(network, address string) (net.Listener, error) {
	var l net.Listener
	err := h.thread.do(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", h.name, err)
	}
	return l, nil
}
