package proxy

import (
	"net/netip"
	"strings"

	"purser/proxy/policy"
)

const headerForwardedFor = "X-Forwarded-For"

// clientAddress is where the request comes from, by the proxies that this gateway trusts.
func (g *Gateway) clientAddress(r *Request) netip.Addr {
	peer := r.Remote.Addr()
	if _, trusted := policy.Within(g.cfg.TrustedProxies, policy.Plain(peer)); !trusted {
		return policy.Plain(peer)
	}
	var lines []string
	r.Header.Each(func(name, value []byte) {
		if strings.EqualFold(string(name), headerForwardedFor) {
			lines = append(lines, string(value))
		}
	})
	return ClientAddress(g.cfg.TrustedProxies, peer, lines)
}

// ClientAddress is where a request comes from: the peer, or, where that is a proxy
// of the operator's, what the proxies say. Each appends to X-Forwarded-For, whose
// lines these are, whom it heard from, so that it is read from its end, as far as
// those are trusted who wrote it: what a client sends itself stands before that and
// is never reached. The address is not valid where a trusted proxy wrote none.
func ClientAddress(proxies []netip.Prefix, peer netip.Addr, lines []string) netip.Addr {
	at := policy.Plain(peer)
	if _, trusted := policy.Within(proxies, at); !trusted {
		return at
	}
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; ; {
			comma := strings.LastIndexByte(rest, ',')
			a, ok := forwardedFor(rest[comma+1:])
			if !ok {
				return netip.Addr{}
			}
			at = a
			if _, trusted := policy.Within(proxies, at); !trusted {
				return at
			}
			if comma < 0 {
				break
			}
			rest = rest[:comma]
		}
	}
	return at
}

// forwardedFor reads one entry. Some proxies write the port too.
func forwardedFor(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if a, err := netip.ParseAddr(s); err == nil {
		return policy.Plain(a), true
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return policy.Plain(p.Addr()), true
	}
	return netip.Addr{}, false
}
