package node

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAdministrationKnowsTheClientBehindTrustedProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct{ peer, forwarded, want string }{
		"a client that says it is another": {"192.0.2.1:5000", "198.51.100.7", "192.0.2.1:5000"},
		"a proxy says who it is":           {"10.0.0.1:5000", "198.51.100.7", "198.51.100.7:0"},
		"a client behind it lies":          {"10.0.0.1:5000", "203.0.113.9, 198.51.100.7", "198.51.100.7:0"},
		"a proxy that says nothing":        {"10.0.0.1:5000", "", "10.0.0.1:5000"},
		"a proxy that says nonsense":       {"10.0.0.1:5000", "unknown", "10.0.0.1:5000"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			h := fromClients(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest(http.MethodGet, "/admin/v1/keys", nil)
			r.RemoteAddr = c.peer
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("from %q, want %q", got, c.want)
			}
		})
	}
}
