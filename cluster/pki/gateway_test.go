package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

func gatewayIdentity(t *testing.T, a *Authority, node string) *Identity {
	t.Helper()
	request, err := NewRequest(node)
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Certify(request.DER, node, start)
	if err != nil {
		t.Fatal(err)
	}
	i, err := a.Root.Accept(request, der, node, start)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestK1AGatewayKeepsItsKey: its certificate is for a key that the authority never
// saw, names it as a gateway, and proves what a member's proves.
func TestK1AGatewayKeepsItsKey(t *testing.T) {
	a := authority(t, "prod")
	i := gatewayIdentity(t, a, "gw-1")
	chain := chainOf(t, i)
	if node, err := a.Verify(chain, start); err != nil || node != "gw-1" {
		t.Errorf("Verify = %q, %v", node, err)
	}
	if !IsGateway(chain[0]) || IsGateway(chainOf(t, issue(t, a, "node-1"))[0]) || IsGateway(chain[1]) {
		t.Error("a gateway, a member and the authority are taken for each other")
	}
	if !i.Due(i.Until) || i.Due(start) || i.Until.Sub(start) != NodeLife {
		t.Errorf("good until %v", i.Until)
	}
	for name, c := range map[string]struct {
		request []byte
		node    string
	}{
		"another node":   {mustRequest(t, "gw-2").DER, "gw-1"},
		"nothing":        {nil, "gw-1"},
		"a damaged one":  {append([]byte{0}, mustRequest(t, "gw-1").DER...), "gw-1"},
		"another's name": {mustRequest(t, "gw-1").DER, "../gw-1"},
	} {
		if _, err := a.Certify(c.request, c.node, start); err == nil {
			t.Errorf("certified a request of %s", name)
		}
	}
	forged := mustRequest(t, "gw-1").DER
	forged[len(forged)-1] ^= 1 // of the signature, which proves that the asker has the key
	if _, err := a.Certify(forged, "gw-1", start); !errors.Is(err, ErrCertificate) {
		t.Errorf("a request that its key did not sign: %v", err)
	}
}

func mustRequest(t *testing.T, node string) *Request {
	t.Helper()
	r, err := NewRequest(node)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAGatewayAcceptsOnlyItsOwnCertificate, from its own cluster.
func TestAGatewayAcceptsOnlyItsOwnCertificate(t *testing.T) {
	a, other := authority(t, "prod"), authority(t, "prod")
	mine, another := mustRequest(t, "gw-1"), mustRequest(t, "gw-1")
	certify := func(a *Authority, r *Request) []byte {
		der, err := a.Certify(r.DER, "gw-1", start)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, der := range map[string][]byte{
		"another key's":       certify(a, another),
		"another authority's": certify(other, mine),
		"nothing":             nil,
		"the authority's":     a.cert.Raw,
	} {
		if _, err := a.Root.Accept(mine, der, "gw-1", start); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s certificate: %v", name, err)
		}
	}
	if _, err := a.Root.Accept(mine, certify(a, mine), "gw-2", start); !errors.Is(err, ErrCertificate) {
		t.Errorf("as another node: %v", err)
	}
}

// TestAGatewayCannotLetOthersIn: what its key signs is believed by nobody, whatever
// it says of itself.
func TestAGatewayCannotLetOthersIn(t *testing.T) {
	a := authority(t, "prod")
	i := gatewayIdentity(t, a, "gw-1")
	chain := chainOf(t, i)
	key := mustRequest(t, "node-9").key
	for name, uri := range map[string]*url.URL{"a member": nodeURI("prod", "node-9"), "a gateway": gatewayURI("prod", "gw-9")} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "node-9"}, URIs: []*url.URL{uri},
			NotBefore: start, NotAfter: start.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, chain[0], &key.PublicKey, i.Certificate.PrivateKey.(*ecdsa.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if node, err := a.Verify(append([]*x509.Certificate{leaf}, chain...), start); !errors.Is(err, ErrCertificate) {
			t.Errorf("it made %s: %q, %v", name, node, err)
		}
		if _, err := VerifyPinned(append([]*x509.Certificate{leaf}, chain...), a.Fingerprint(), start); err == nil {
			t.Errorf("a new node believes %s that a gateway made", name)
		}
	}
	// Nor is it shown a new node's secret.
	if _, err := VerifyPinned(chain, a.Fingerprint(), start); !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), "gateway") {
		t.Errorf("a new node talks to a gateway: %v", err)
	}
}

// TestAGatewaySurvivesItsFiles: the root without its key, and the identity, also one
// that has ended; not those of another.
func TestAGatewaySurvivesItsFiles(t *testing.T) {
	a := authority(t, "prod")
	root, err := ParseRoot(a.Root.PEM())
	if err != nil || root.Fingerprint() != a.Fingerprint() || strings.Contains(string(a.Root.PEM()), pemKey) {
		t.Fatalf("ParseRoot = %v", err)
	}
	i := gatewayIdentity(t, a, "gw-1")
	b, err := i.PEM()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{start, start.Add(2 * NodeLife)} {
		again, err := root.ParseIdentity(b, "gw-1", at)
		if err != nil || !again.Until.Equal(i.Until) {
			t.Fatalf("at %v: %v", at, err)
		}
		if _, err := root.Verify(chainOf(t, again), start); err != nil {
			t.Errorf("what was read is not believed: %v", err)
		}
	}
	member, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		root *Root
		node string
	}{
		"another node":      {b, root, "gw-2"},
		"another authority": {b, &authority(t, "prod").Root, "gw-1"},
		"an authority":      {member, root, "gw-1"},
		"no key":            {a.Root.PEM(), root, "gw-1"},
		"nothing":           {nil, root, "gw-1"},
	} {
		if _, err := c.root.ParseIdentity(c.b, c.node, start); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := ParseRoot(nil); err == nil {
		t.Error("a root was read from nothing")
	}
}
