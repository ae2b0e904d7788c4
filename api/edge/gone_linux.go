package edge

import (
	"encoding/binary"
	"syscall"
)

// established is TCP_ESTABLISHED of the kernel: any other state of an accepted
// connection means that the client has closed it, or its half of it.
const established = 1

// Gone is proxy.Client's. It asks the kernel for the connection's state, because
// bytes that the client sent before it left (a farewell of TLS's) would hide the
// end from a look at what is to be read. tcp_info begins with the state, one byte.
func (c *conn) Gone() bool {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		var head [4]byte
		binary.NativeEndian.PutUint32(head[:], uint32(info))
		gone = err == nil && head[0] != established
	})
	return err == nil && gone
}
