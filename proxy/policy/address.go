package policy

import (
	"fmt"
	"net/netip"
	"strings"
)

// v4Mapped is how many bits come before an IPv4 address that is written as an IPv6
// one: ::ffff:0:0/96.
const v4Mapped = 96

// ParseRange reads a range of addresses, such as 10.0.0.0/8, or one address. IPv4
// addresses that are written as IPv6 ones are IPv4 addresses.
func ParseRange(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no address, nor a range such as 10.0.0.0/8", s)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is no range of addresses such as 10.0.0.0/8", s)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= v4Mapped {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-v4Mapped)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%q has bits after its range; write %s", s, p.Masked())
	}
	return p, nil
}

// Plain is the form of an address in which addresses are compared: without a zone,
// and IPv4 as IPv4.
func Plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Within gives the range that has the address, which is a plain one.
func Within(ranges []netip.Prefix, a netip.Addr) (netip.Prefix, bool) {
	for _, p := range ranges {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
