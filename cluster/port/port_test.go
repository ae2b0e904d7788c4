package port

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/cluster/pki"
)

func authority(t *testing.T, cluster string) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func credentials(t *testing.T, a *pki.Authority, node string, at time.Time) *Credentials {
	t.Helper()
	i, err := a.Issue(node, at)
	if err != nil {
		t.Fatal(err)
	}
	return NewCredentials(&a.Root, i, time.Now)
}

// open returns a port that echoes, in both lanes, the name of the lane and of
// the peer.
func open(t *testing.T, creds *Credentials) *Port {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := New(l, creds, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	for _, name := range []Lane{Raft, GRPC} {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				c, err := p.Lane(name).Accept()
				if err != nil {
					return
				}
				peer, err := creds.Peer(c.(*tls.Conn).ConnectionState())
				if err != nil {
					peer = err.Error()
				}
				_, _ = io.WriteString(c, string(name)+" "+peer)
				_ = c.Close()
			}
		}()
	}
	p.Run()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		<-done
		<-done
	})
	return p
}

func said(t *testing.T, c net.Conn) (string, error) {
	t.Helper()
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestK3LanesAndPeersAreTold(t *testing.T) {
	a := authority(t, "prod")
	p := open(t, credentials(t, a, "server", time.Now()))
	caller := credentials(t, a, "caller", time.Now())
	for _, name := range []Lane{Raft, GRPC} {
		c, err := caller.Dial(context.Background(), p.Addr().String(), name, "server")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := said(t, c); err != nil || got != string(name)+" caller" {
			t.Errorf("lane %s: %q, %v", name, got, err)
		}
	}
}

func TestK3OnlyTheNodeMeantIsTalkedTo(t *testing.T) {
	a := authority(t, "prod")
	p := open(t, credentials(t, a, "server", time.Now()))
	_, err := credentials(t, a, "caller", time.Now()).Dial(context.Background(), p.Addr().String(), Raft, "other")
	if !errors.Is(err, pki.ErrCertificate) || !strings.Contains(err.Error(), "server answers where other") {
		t.Errorf("Dial = %v", err)
	}
}

func TestK3StrangersAreRefused(t *testing.T) {
	a := authority(t, "prod")
	p := open(t, credentials(t, a, "server", time.Now()))
	impostor := authority(t, "prod")
	for name, caller := range map[string]*Credentials{
		"another authority":   NewCredentials(&a.Root, mustIssue(t, impostor, "caller"), time.Now),
		"expired certificate": credentials(t, a, "caller", time.Now().Add(-2*pki.NodeLife)),
	} {
		c, err := caller.Dial(context.Background(), p.Addr().String(), Raft, "server")
		if err == nil { // TLS 1.3: the client learns of the refusal at its first read
			_, err = said(t, c)
		}
		if err == nil {
			t.Errorf("%s was let in", name)
		}
	}
	// A plain TLS client without a certificate: not in the Raft lane.
	c, err := tls.Dial("tcp", p.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{string(Raft)}})
	if err == nil {
		_, err = said(t, c)
	}
	if err == nil {
		t.Error("a caller without a certificate was let into the Raft lane")
	}
}

func mustIssue(t *testing.T, a *pki.Authority, node string) *pki.Identity {
	t.Helper()
	i, err := a.Issue(node, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestK3RemovedNodesAreRefused(t *testing.T) {
	a := authority(t, "prod")
	server := credentials(t, a, "server", time.Now())
	p := open(t, server)
	caller := credentials(t, a, "caller", time.Now())
	var removed atomic.Bool
	server.Refuse(func(node string) bool { return removed.Load() && node == "caller" })
	try := func() error {
		c, err := caller.Dial(context.Background(), p.Addr().String(), Raft, "server")
		if err == nil {
			_, err = said(t, c)
		}
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	removed.Store(true)
	if err := try(); err == nil {
		t.Error("a removed node was let in")
	}
	// In the other lane it is told why.
	c, err := caller.Dial(context.Background(), p.Addr().String(), GRPC, "server")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := said(t, c); err != nil || !strings.Contains(got, ErrRemoved.Error()) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestK2AJoinerKnowsTheClusterByItsToken(t *testing.T) {
	a := authority(t, "prod")
	p := open(t, credentials(t, a, "server", time.Now()))
	c, root, err := DialPinned(context.Background(), p.Addr().String(), a.Fingerprint(), time.Now)
	if err != nil || root.Cluster() != "prod" {
		t.Fatalf("DialPinned = %v, %v", root, err)
	}
	if got, err := said(t, c); err != nil || got != "h2 " {
		t.Errorf("%q, %v", got, err)
	}
	if _, _, err := DialPinned(context.Background(), p.Addr().String(), authority(t, "prod").Fingerprint(), time.Now); !errors.Is(err, pki.ErrCertificate) {
		t.Errorf("another cluster's token: %v", err)
	}
}

func TestRenewedCredentialsServeTheNextHandshake(t *testing.T) {
	a := authority(t, "prod")
	server := credentials(t, a, "server", time.Now().Add(-2*pki.NodeLife)) // expired
	p := open(t, server)
	caller := credentials(t, a, "caller", time.Now())
	if _, err := caller.Dial(context.Background(), p.Addr().String(), Raft, "server"); !errors.Is(err, pki.ErrCertificate) {
		t.Fatalf("an expired server: %v", err)
	}
	server.Renew(mustIssue(t, a, "server"))
	c, err := caller.Dial(context.Background(), p.Addr().String(), Raft, "server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := said(t, c); err != nil {
		t.Error(err)
	}
}

func TestASilentPeerHoldsNothingUp(t *testing.T) {
	a := authority(t, "prod")
	p := open(t, credentials(t, a, "server", time.Now()))
	silent, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c, err := credentials(t, a, "caller", time.Now()).Dial(context.Background(), p.Addr().String(), GRPC, "server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := said(t, c); err != nil {
		t.Error(err)
	}
	// The cleanup closes the port while the silent peer's handshake is under way.
}

// TestK3AGatewayTakesNoPartInRaft, neither as who calls nor as who answers; its calls
// arrive.
func TestK3AGatewayTakesNoPartInRaft(t *testing.T) {
	a := authority(t, "prod")
	request, err := pki.NewRequest("gw-1")
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Certify(request.DER, "gw-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	identity, err := a.Root.Accept(request, der, "gw-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gateway, member := NewCredentials(&a.Root, identity, time.Now), credentials(t, a, "server", time.Now())
	p, q := open(t, member), open(t, gateway)
	c, err := gateway.Dial(context.Background(), p.Addr().String(), Raft, "server")
	if err == nil { // TLS 1.3: the client learns of the refusal at its first read
		_, err = said(t, c)
	}
	if err == nil {
		t.Error("a gateway was let into the Raft lane")
	}
	if _, err := member.Dial(context.Background(), q.Addr().String(), Raft, "gw-1"); !errors.Is(err, pki.ErrCertificate) {
		t.Errorf("a member speaks Raft with a gateway: %v", err)
	}
	for _, call := range []struct {
		from *Credentials
		to   *Port
		want string
	}{{gateway, p, "gw-1"}, {member, q, "server"}} {
		c, err := call.from.Dial(context.Background(), call.to.Addr().String(), GRPC, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := said(t, c); err != nil || got != "h2 "+call.want {
			t.Errorf("%q, %v", got, err)
		}
	}
}
