//go:build !linux

package edge

// Gone is proxy.Client's. Without Linux's tcp_info it is not known.
func (c *conn) Gone() bool { return false }
