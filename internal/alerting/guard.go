package alerting

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errAddress is a receiver at an address that events are not sent to.
var errAddress = errors.New("the receiver is at an address of this machine, of a private network, or of none")

// never are addresses that no receiver has: links, which reach the metadata service
// of clouds, also through a translation, and what those have besides.
var never = prefixes("169.254.0.0/16", "fe80::/10", "64:ff9b::a9fe:0/112", "2002:a9fe::/32",
	"fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
	"224.0.0.0/4", "ff00::/8", "240.0.0.0/4")

// private are this machine and networks that are not the public one, or that reach
// them through a translation.
var private = prefixes("0.0.0.0/8", "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
	"192.0.0.0/24", "198.18.0.0/15", "::/96", "::ffff:0:0:0/96", "fc00::/7", "fec0::/10", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// guard is a [net.Dialer]'s Control: it sees the address that a name was resolved
// to, so that a name which changes its mind is of no use.
func guard(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", errAddress, err)
		}
		if !mayDial(to.Addr(), allowPrivate) {
			return errAddress
		}
		return nil
	}
}

func mayDial(a netip.Addr, allowPrivate bool) bool {
	a = a.Unmap().WithZone("")
	for _, p := range never {
		if p.Contains(a) {
			return false
		}
	}
	if allowPrivate {
		return true
	}
	for _, p := range private {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
