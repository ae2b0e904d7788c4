package node

import (
	"context"
	"crypto/ecdsa"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/cluster/port"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

// certified is a gateway's directory with a certificate that was made at an instant.
func certified(t *testing.T, a *pki.Authority, made time.Time, members ...place) (*Config, *credentials) {
	t.Helper()
	cfg := Default()
	cfg.Node = NodeConfig{ID: "gw-1", DataDir: t.TempDir()}
	cfg.Cluster.Listen, cfg.Cluster.Gateway = "127.0.0.1:0", true
	request, err := pki.NewRequest("gw-1")
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Certify(request.DER, "gw-1", made)
	if err != nil {
		t.Fatal(err)
	}
	c := &credentials{standing: clusterFile{Version: standingFormat, Cluster: "prod", Node: "gw-1", Gateway: true, Members: members}, root: &a.Root}
	if c.identity, err = a.Root.Accept(request, der, "gw-1", made); err != nil {
		t.Fatal(err)
	}
	if err := c.save(cfg.Node.DataDir, nil); err != nil {
		t.Fatal(err)
	}
	return &cfg, c
}

// oldAuthority was made long ago.
func oldAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("prod", time.Now().Add(-4*pki.NodeLife))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// certifier is a member that signs.
func certifier(t *testing.T, a *pki.Authority, node string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	identity, err := a.Issue(node, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := port.New(l, port.NewCredentials(&a.Root, identity, time.Now), quiet)
	s := peer.Serve(p, peer.Service{Certify: func(_ context.Context, from string, in *pb.CertifyRequest) (*pb.CertifyReply, error) {
		der, err := a.Certify(in.CertificateRequest, from, time.Now())
		return &pb.CertifyReply{Certificate: der}, err
	}})
	p.Run()
	t.Cleanup(func() {
		s.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestAGatewayRenewsItsCertificate: with a new key, at a member that answers, and the
// next start has it.
func TestAGatewayRenewsItsCertificate(t *testing.T) {
	a := oldAuthority(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, c := certified(t, a, time.Now().Add(-pki.NodeLife*3/4), place{"n1", nobody.Addr().String()}, place{"n2", certifier(t, a, "n2")})
	if !c.identity.Due(time.Now()) || c.ended(time.Now()) != nil {
		t.Fatalf("not due, or over: good until %v", c.identity.Until)
	}
	n := &Node{cfg: *cfg, log: quiet, fsm: raftfsm.New(), fatal: func(err error) { t.Error(err) }}
	p := &peers{n: n, standing: c.standing, proof: port.NewCredentials(c.root, c.identity, time.Now)}
	p.clients = peer.NewClients(p.proof)
	defer p.clients.Close()
	f := newFollower(p)
	if err := f.certify(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	next := p.proof.Identity()
	if next.Due(time.Now()) {
		t.Errorf("the next, good until %v, is due", next.Until)
	}
	if next.Certificate.PrivateKey.(*ecdsa.PrivateKey).Equal(c.identity.Certificate.PrivateKey) {
		t.Error("the key is the old one")
	}
	again, err := readCredentials(cfg.Node.DataDir, "gw-1")
	if err != nil || !again.identity.Until.Equal(next.Until) {
		t.Errorf("on disk: %v", err)
	}
}

// TestAGatewayWhoseCertificateEndedSaysWhatToDo: no member would talk to it.
func TestAGatewayWhoseCertificateEndedSaysWhatToDo(t *testing.T) {
	cfg, _ := certified(t, oldAuthority(t), time.Now().Add(-2*pki.NodeLife))
	n := &Node{cfg: *cfg}
	if _, err := n.credentials(); err == nil || !strings.Contains(err.Error(), "join again") {
		t.Errorf("to serve: %v", err)
	}
	if joined, err := Join(t.Context(), cfg, "test", false); joined || err == nil || !strings.Contains(err.Error(), "join again") {
		t.Errorf("to join without a token: %v", err)
	}
}

// TestAGatewayKnowsTheMembersOfItsLastRun: those that were there when it joined may
// all be gone at its next start.
func TestAGatewayKnowsTheMembersOfItsLastRun(t *testing.T) {
	cfg, c := certified(t, newAuthority(t), time.Now(), place{"n1", "n1:1"})
	f := &follower{peers: &peers{n: &Node{cfg: *cfg, log: quiet}, standing: c.standing}, members: c.standing.Members}
	d := directory.New()
	apply := func(c directory.Command) {
		t.Helper()
		if out := d.Apply(1, c); out.Code != directory.Applied {
			t.Fatal(out)
		}
	}
	f.keepMembers(d) // of a member that knows none yet
	apply(directory.AdmitNode{Node: directory.Node{ID: "n1", Address: "n1:1"}})
	for i, id := range []ledger.NodeID{"n2", "gw-1"} {
		token := directory.Hash{byte(i + 1)}
		node := directory.Node{ID: id, Address: string(id) + ":1"}
		apply(directory.PutToken{Hash: token, Expires: 9})
		if id == "n2" {
			apply(directory.AdmitNode{Node: node, Token: token})
		} else {
			apply(directory.AdmitGateway{Node: node, Token: token})
		}
	}
	apply(directory.SetNode{ID: "n1", State: directory.NodeRemoved})
	f.keepMembers(d)
	again, err := readCredentials(cfg.Node.DataDir, "gw-1")
	if err != nil || len(again.standing.Members) != 1 || again.standing.Members[0] != (place{"n2", "n2:1"}) || !again.standing.Gateway {
		t.Errorf("%+v, %v", again.standing, err)
	}
	info, err := os.Stat(filepath.Join(cfg.Node.DataDir, clusterDir, standingFile))
	if err != nil {
		t.Fatal(err)
	}
	f.keepMembers(d)
	if same, err := os.Stat(filepath.Join(cfg.Node.DataDir, clusterDir, standingFile)); err != nil || !os.SameFile(info, same) {
		t.Errorf("what has not changed was written again: %v", err)
	}
}
