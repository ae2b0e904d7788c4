//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// probe looks at a socket without taking anything from it. The closure is made
// once per connection so that looking allocates nothing.
type probe struct {
	look   func(fd uintptr)
	buf    [1]byte
	silent bool
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	w.probe.look = func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), w.probe.buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		w.probe.silent = n < 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
	}
	return w
}

// silent says that the peer has neither closed an idle connection nor sent
// anything on it. Bytes that nobody asked for (a 408, a TLS farewell) mean that
// the next answer could not be told from them.
func (w *wire) silent() bool {
	if w.raw == nil {
		return false
	}
	w.probe.silent = false
	// Control, not Read: a deadline that passed while idle must not answer for the peer.
	if err := w.raw.Control(w.probe.look); err != nil {
		return false
	}
	return w.probe.silent
}
