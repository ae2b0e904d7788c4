package port

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"purser/cluster/pki"
)

// silent returns an address that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// nowhere returns an address that refuses connections.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestK3AHintFindsANodeAndIsNotBelieved: whatever the address and the hint are, it
// is the right node that answers, or none; and a wrong hint costs no time.
func TestK3AHintFindsANodeAndIsNotBelieved(t *testing.T) {
	a := authority(t, "prod")
	right := open(t, credentials(t, a, "wanted", time.Now())).Addr().String()
	another := open(t, credentials(t, a, "another", time.Now())).Addr().String()
	stranger := open(t, credentials(t, authority(t, "prod"), "wanted", time.Now())).Addr().String()
	for name, c := range map[string]struct {
		address, hint string
		found         bool
	}{
		"moved, and nobody is there":    {nowhere(t), right, true},
		"moved, and another node is":    {another, right, true},
		"moved, and nobody answers":     {silent(t), right, true},
		"a wrong hint":                  {right, another, true},
		"a hint that leads nowhere":     {right, nowhere(t), true},
		"a hint that does not answer":   {right, silent(t), true},
		"a hint into another cluster":   {right, stranger, true},
		"only another node":             {nowhere(t), another, false},
		"only another cluster":          {nowhere(t), stranger, false},
		"the same address twice, wrong": {another, another, false},
		"no hint":                       {right, "", true},
	} {
		caller := credentials(t, a, "caller", time.Now())
		caller.Elsewhere(func(node string) string {
			if node != "wanted" {
				t.Errorf("%s: asked for %q", name, node)
			}
			return c.hint
		})
		ctx, cancel := context.WithTimeout(t.Context(), handshakeTime/2)
		conn, err := caller.Dial(ctx, c.address, GRPC, "wanted")
		cancel()
		if !c.found {
			if err == nil {
				conn.Close()
				t.Errorf("%s: connected to %s", name, conn.RemoteAddr())
			} else if !errors.Is(err, pki.ErrCertificate) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if conn.RemoteAddr().String() != right {
			t.Errorf("%s: connected to %s", name, conn.RemoteAddr())
		}
		if got, err := said(t, conn); err != nil || got != string(GRPC)+" caller" {
			t.Errorf("%s: it says %q, %v", name, got, err)
		}
	}
}
