//go:build linux

package netlab

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	tunPath = "/dev/net/tun"
	tunName = "lab0"
	// mtu is Ethernet's, so that a message is lost in the pieces that it would be.
	mtu = 1500
	// tunQueue is how many packets the kernel keeps for a switch that is not scheduled.
	tunQueue = 4096
)

// openTUN makes a device with an address in the calling thread's network
// namespace, and brings it and the loopback device up. What is sent to the
// address's network is read from the file, a packet a read.
func openTUN(address netip.Prefix) (*os.File, error) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tunPath, err)
	}
	if err := configure(fd, address); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	// Go's poller takes the file only once it has a device.
	return os.NewFile(uintptr(fd), tunPath), nil
}

func configure(tun int, address netip.Prefix) error {
	create, err := request(tunName)
	if err != nil {
		return err
	}
	create.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tun, unix.TUNSETIFF, create); err != nil {
		return fmt.Errorf("%s: TUNSETIFF: %w", tunPath, err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("a socket for device settings: %w", err)
	}
	defer func() { _ = unix.Close(s) }()

	ip, mask := address.Addr().As4(), netmask(address.Bits())
	const up = unix.IFF_UP | unix.IFF_RUNNING
	for _, step := range []struct {
		name, device string
		code         uint
		fill         func(*unix.Ifreq) error
	}{
		{"SIOCSIFFLAGS", "lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(up); return nil }},
		{"SIOCSIFMTU", tunName, unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(mtu); return nil }},
		{"SIOCSIFTXQLEN", tunName, unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(tunQueue); return nil }},
		{"SIOCSIFADDR", tunName, unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(ip[:]) }},
		{"SIOCSIFNETMASK", tunName, unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask[:]) }},
		{"SIOCSIFFLAGS", tunName, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(up); return nil }},
	} {
		r, err := request(step.device)
		if err != nil {
			return err
		}
		if err := step.fill(r); err != nil {
			return fmt.Errorf("%s of %s: %w", step.name, step.device, err)
		}
		if err := unix.IoctlIfreq(s, step.code, r); err != nil {
			return fmt.Errorf("%s of %s: %w", step.name, step.device, err)
		}
	}
	return nil
}

func request(device string) (*unix.Ifreq, error) {
	r, err := unix.NewIfreq(device)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", device, err)
	}
	return r, nil
}

func netmask(bits int) [4]byte {
	m := uint32(0xffffffff) << (32 - bits)
	return [4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}
}
