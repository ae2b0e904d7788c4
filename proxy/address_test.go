package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"purser/proxy/policy"
)

// TestClientAddress: what stands in X-Forwarded-For counts as far as those wrote it
// who are trusted, and a client's own lines never do.
func TestClientAddress(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "fd00::/8"}
	for name, c := range map[string]struct {
		peer    string
		headers headerList
		want    string
	}{
		"no header":                     {"203.0.113.9", nil, "203.0.113.9"},
		"a client's own header":         {"203.0.113.9", headerList{"X-Forwarded-For", "10.0.0.1"}, "203.0.113.9"},
		"and others of its":             {"203.0.113.9", headerList{"Forwarded", "for=10.0.0.1", "X-Real-IP", "10.0.0.1", "X-Forwarded-For", "1.1.1.1"}, "203.0.113.9"},
		"one proxy":                     {"10.0.0.2", headerList{"X-Forwarded-For", "203.0.113.9"}, "203.0.113.9"},
		"what the client sent before":   {"10.0.0.2", headerList{"X-Forwarded-For", "10.9.9.9, 1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		"in a line of its own":          {"10.0.0.2", headerList{"X-Forwarded-For", "10.9.9.9", "x-forwarded-for", "203.0.113.9"}, "203.0.113.9"},
		"two proxies":                   {"10.0.0.2", headerList{"X-Forwarded-For", "10.9.9.9, 203.0.113.9, 10.0.0.3"}, "203.0.113.9"},
		"a client within":               {"10.0.0.2", headerList{"X-Forwarded-For", "10.1.1.1, 10.0.0.3"}, "10.1.1.1"},
		"a proxy that says nothing":     {"10.0.0.2", nil, "10.0.0.2"},
		"other headers of a proxy":      {"10.0.0.2", headerList{"X-Real-IP", "1.2.3.4", "Forwarded", "for=1.2.3.4"}, "10.0.0.2"},
		"with ports":                    {"10.0.0.2", headerList{"X-Forwarded-For", "203.0.113.9:51000, [fd00::3]:443"}, "203.0.113.9"},
		"IPv6":                          {"fd00::2", headerList{"X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		"IPv4 as IPv6":                  {"::ffff:10.0.0.2", headerList{"X-Forwarded-For", "::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone":                        {"10.0.0.2", headerList{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1"},
		"rubbish from a proxy":          {"10.0.0.2", headerList{"X-Forwarded-For", "203.0.113.9, unknown"}, ""},
		"rubbish that is never reached": {"10.0.0.2", headerList{"X-Forwarded-For", "<script>, 203.0.113.9"}, "203.0.113.9"},
		"an empty entry":                {"10.0.0.2", headerList{"X-Forwarded-For", "203.0.113.9,"}, ""},
		"an empty header":               {"10.0.0.2", headerList{"X-Forwarded-For", ""}, ""},
		"a very long header":            {"10.0.0.2", headerList{"X-Forwarded-For", strings.Repeat("1.1.1.1,", 5000) + " 203.0.113.9"}, "203.0.113.9"},
	} {
		g := &Gateway{}
		for _, s := range trusted {
			p, err := policy.ParseRange(s)
			if err != nil {
				t.Fatal(err)
			}
			g.cfg.TrustedProxies = append(g.cfg.TrustedProxies, p)
		}
		got := g.clientAddress(&Request{Remote: netip.AddrPortFrom(netip.MustParseAddr(c.peer), 4711), Header: c.headers})
		if want := c.want; want == "" && got.IsValid() || want != "" && got != netip.MustParseAddr(want) {
			t.Errorf("%s: %v, want %q", name, got, want)
		}
		var lines []string // as administration has them
		c.headers.Each(func(name, value []byte) {
			if strings.EqualFold(string(name), headerForwardedFor) {
				lines = append(lines, string(value))
			}
		})
		if again := ClientAddress(g.cfg.TrustedProxies, netip.MustParseAddr(c.peer), lines); again != got {
			t.Errorf("%s: %v for requests, %v for administration", name, got, again)
		}
		g.cfg.TrustedProxies = nil
		if got := g.clientAddress(&Request{Remote: netip.AddrPortFrom(netip.MustParseAddr(c.peer), 4711), Header: c.headers}); got != netip.MustParseAddr(c.peer).Unmap() {
			t.Errorf("%s, without trusted proxies: %v", name, got)
		}
	}
}
