package node

import (
	"errors"
	"fmt"
	"net/netip"

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
