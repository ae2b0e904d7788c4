package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/cluster/pki"
)

func TestWhereGossipListens(t *testing.T) {
	for _, c := range []struct {
		listen, advertise, gossip string
		at, host, says            string
	}{
		{listen: "10.0.0.1:7071", at: "10.0.0.1:7072", host: "10.0.0.1"},
		{listen: "127.0.0.1:0", at: "127.0.0.1:0", host: "127.0.0.1"}, // a free port each
		{listen: ":7071", advertise: "node-1.example:7071", at: ":7072", host: "node-1.example"},
		{listen: "10.0.0.1:7071", advertise: "203.0.113.1:9", at: "10.0.0.1:7072", host: "203.0.113.1"},
		{listen: "10.0.0.1:7071", gossip: "10.0.0.1:9000", at: "10.0.0.1:9000", host: "10.0.0.1"},
		{listen: "10.0.0.1:7071", gossip: ":9000", at: ":9000", host: "10.0.0.1"},
		{listen: "10.0.0.1:7071", advertise: "203.0.113.1:9", gossip: "10.1.0.1:9000", at: "10.1.0.1:9000", host: "10.1.0.1"},
		{listen: "[::1]:7071", at: "[::1]:7072", host: "::1"},
		{listen: "10.0.0.1:7071", gossip: "off"},
		{},
		{listen: "10.0.0.1:65535", says: "no port above"},
		{listen: "10.0.0.1:7071", gossip: "10.0.0.1:7071", says: "another port"},
		{listen: "10.0.0.1:7071", gossip: ":7071", says: "another port"},
		{listen: ":7071", advertise: "10.0.0.1:7071", gossip: "10.0.0.1:7071", says: "another port"},
		{listen: "10.0.0.1:7071", gossip: "7072", says: "not host:port, or off"},
		{listen: "10.0.0.1:7071", gossip: "10.0.0.1:many", says: "has no port"},
	} {
		cfg := Default()
		cfg.Cluster.Listen, cfg.Cluster.Advertise, cfg.Cluster.Gossip = c.listen, c.advertise, c.gossip
		at, host, err := cfg.Cluster.gossip()
		if c.says == "" && (err != nil || at != c.at || host != c.host) {
			t.Errorf("%+v: %q, %q, %v", c, at, host, err)
		}
		if invalid := cfg.Cluster.validate("node-1"); c.says != "" && (invalid == nil || !strings.Contains(invalid.Error(), "gossip: ") || !strings.Contains(invalid.Error(), c.says)) {
			t.Errorf("%+v: %v", c, invalid)
		} else if c.says == "" && invalid != nil {
			t.Errorf("%+v is refused: %v", c, invalid)
		}
	}
	alone := ClusterConfig{Profile: "lan", Gossip: "10.0.0.1:9000"}
	if err := alone.validate("node-1"); err == nil {
		t.Error("gossip without a cluster")
	}
}

// gossiper is as much of a node as gossips.
func gossiper(id string, log *slog.Logger) *Node {
	cfg := Default()
	cfg.Node.ID, cfg.Cluster.Listen, cfg.Cluster.Zone = id, "127.0.0.1:0", "zone-"+id
	return &Node{cfg: cfg, log: log, version: "build-of-" + id + strings.Repeat(".", 100)}
}

func gossiping(t *testing.T, n *Node, a *pki.Authority) *hearsay {
	t.Helper()
	h, err := n.openGossip(&credentials{authority: a}, n.cfg.Node.ID+":7071")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("prod", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hears waits until gossip says of a node what want accepts.
func hears(t *testing.T, h *hearsay, node string, want func(*admin.Gossip) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !want(h.text(node, "")) {
		if time.Now().After(deadline) {
			t.Fatalf("of %s it heard %+v", node, h.text(node, ""))
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// TestNodesGossipWithThoseTheyHearOf: no list is configured; one address that one
// node says in passing is enough, and a node of another cluster at such an address
// changes nothing.
func TestNodesGossipWithThoseTheyHearOf(t *testing.T) {
	quiet, a := slog.New(slog.DiscardHandler), newAuthority(t)
	one := gossiping(t, gossiper("one", quiet), a)
	two := gossiping(t, gossiper("two", quiet), a)
	other := newAuthority(t)
	stranger := gossiping(t, gossiper("two", quiet), other)

	if g := one.text("two", ""); g != nil {
		t.Errorf("before anything: %+v", g)
	}
	one.hear("three", stranger.address())
	if g := one.text("three", stranger.address()); g == nil || g.State != "unseen" || g.Address != stranger.address() {
		t.Errorf("before it is heard: %+v", g)
	}
	one.hear("two", two.address())
	two.registered(7)
	for _, h := range []*hearsay{one, two} {
		hears(t, h, "two", func(g *admin.Gossip) bool { return g != nil && g.State == "alive" && g.Incarnation == 7 })
		hears(t, h, "one", func(g *admin.Gossip) bool { return g != nil && g.State == "alive" && g.Zone == "zone-one" })
	}
	if g := one.text("two", ""); len(g.Version) != maxBuild || one.where("two") != "two:7071" || g.Cluster != "two:7071" || one.alive() != 2 {
		t.Errorf("of two: %+v, its port is at %q, %d alive", g, one.where("two"), one.alive())
	}
	if one.where("three") != "" || one.text("three", "") != nil || stranger.alive() != 1 {
		t.Error("a node of another cluster is listened to")
	}
	if err := two.close(); err != nil {
		t.Fatal(err)
	}
	hears(t, one, "two", func(g *admin.Gossip) bool { return g.State == "left" })
	if one.where("two") != "" {
		t.Error("a node that left is still looked for where it was")
	}
}

// TestAddressesAreTriedInTurn: each at once when it is news, and not again for a
// while.
func TestAddressesAreTriedInTurn(t *testing.T) {
	a := newAuthority(t)
	h := gossiping(t, gossiper("one", slog.New(slog.DiscardHandler)), a)
	h.stop() // its own rounds would take turns with these
	h.working.Wait()
	h.hear("one", "127.0.0.1:1") // itself
	h.hear("gone", "127.0.0.1:2")
	h.hear("gone", "")
	now := time.Now()
	if got := h.missing(now); len(got) != 0 {
		t.Errorf("itself, or who gossips no more: %v", got)
	}
	for i := range mingleMost + 1 {
		h.hear(fmt.Sprint("node-", i), fmt.Sprint("127.0.0.1:1000", i))
	}
	if first, second := h.missing(now), h.missing(now); len(first) != mingleMost || len(second) != 1 {
		t.Errorf("two rounds: %v, %v", first, second)
	}
	h.hear("node-0", "127.0.0.1:10000") // as before
	if got := h.missing(now.Add(mingleAgain - 1)); len(got) != 0 {
		t.Errorf("too soon: %v", got)
	}
	h.hear("node-0", "127.0.0.1:20000")
	if got := h.missing(now); len(got) != 1 || got[0] != "127.0.0.1:20000" {
		t.Errorf("news: %v", got)
	}
	if got := h.missing(now.Add(mingleAgain)); len(got) != mingleMost {
		t.Errorf("after a while: %v", got)
	}
}

// TestATakenGossipPortIsAnError, as is any other address that cannot be had; of
// what else goes wrong there is a warning.
func TestATakenGossipPortIsAnError(t *testing.T) {
	a := newAuthority(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var log bytes.Buffer
	n := gossiper("one", slog.New(slog.NewTextHandler(&log, nil)))
	n.cfg.Cluster.Gossip = taken.Addr().String()
	if _, err := n.openGossip(&credentials{authority: a}, "x:1"); err == nil || !strings.Contains(err.Error(), "cluster.gossip") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("a taken port: %v", err)
	}
	n.cfg.Cluster.Gossip, n.cfg.Cluster.Region = "", "line\nbreak"
	if h, err := n.openGossip(&credentials{authority: a}, "x:1"); h != nil || err != nil || !strings.Contains(log.String(), "does not gossip") {
		t.Errorf("what cannot be said: %v, %v, %s", h, err, log.String())
	}
}

// TestANodeWithoutGossip answers everything with nothing.
func TestANodeWithoutGossip(t *testing.T) {
	n := gossiper("one", slog.New(slog.DiscardHandler))
	n.cfg.Cluster.Gossip = "off"
	h, err := n.openGossip(nil, "x:1")
	if h != nil || err != nil {
		t.Fatal(h, err)
	}
	h.hear("two", "127.0.0.1:1")
	h.registered(1)
	if h.address() != "" || h.where("two") != "" || h.alive() != 0 || h.foreign() != 0 || h.text("two", "") != nil || h.close() != nil {
		t.Error("it says something")
	}
	if g := h.text("two", "127.0.0.1:1"); g == nil || g.State != "unseen" {
		t.Errorf("of a node that gossips: %+v", g)
	}
}
