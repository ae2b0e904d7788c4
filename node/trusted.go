package node

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"purser/proxy"
	"purser/proxy/policy"
)

// maxTrusted bounds the list of trusted proxies, which is walked for each request.
const maxTrusted = 256

// trusted reads the ranges of the operator's own proxies.
func (c *ListenConfig) trusted() ([]netip.Prefix, error) {
	if len(c.TrustedProxies) > maxTrusted {
		return nil, fmt.Errorf("there are %d, more than %d", len(c.TrustedProxies), maxTrusted)
	}
	var list []netip.Prefix
	var errs []error
	for i, s := range c.TrustedProxies {
		p, err := policy.ParseRange(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("[%d]: %w", i, err))
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

// fromClients names, to the handlers behind it, the client where a request comes
// through the operator's own proxies. Where they do not say who it is, it is them.
func fromClients(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			if at := proxy.ClientAddress(proxies, peer.Addr(), r.Header.Values("X-Forwarded-For")); at.IsValid() && at != peer.Addr() {
				r = r.Clone(r.Context())
				r.RemoteAddr = netip.AddrPortFrom(at, 0).String()
			}
		}
		next.ServeHTTP(w, r)
	})
}
