package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"purser/ledger"
	"purser/semcache/qdrant"
	"purser/semcache/qdrant/double"
	"purser/semcache/semantic"
)

// leads is a replica of which no more is asked than whether it leads.
type leads struct {
	replica
	yes bool
}

func (l leads) Leader() bool { return l.yes }

// sharingNode is what a node needs to open its shared tier.
func sharingNode(t *testing.T, address string, log *bytes.Buffer) *Node {
	t.Helper()
	c := valid()
	c.Semcache.Qdrant.Address, c.Semcache.Qdrant.SealKey = address, strings.Repeat("k", leastSealKey)
	c.Semcache.Qdrant.Timeout = time.Second // a machine under load is no fault
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	n := &Node{cfg: c, log: slog.New(slog.NewTextHandler(log, nil)), raft: leads{}}
	t.Cleanup(func() {
		if err := n.closeShared(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for: %s", what)
		}
	}
}

// TestWhatANodeSealsAndStoresAnotherFindsAndOpens goes the whole way between two nodes.
func TestWhatANodeSealsAndStoresAnotherFindsAndOpens(t *testing.T) {
	s, err := double.Start(double.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := sharingNode(t, s.Addr(), &bytes.Buffer{}), sharingNode(t, s.Addr(), &bytes.Buffer{})
	sharedA, sealA := a.openShared("static", 4)
	sharedB, sealB := b.openShared("static", 4)
	for _, n := range []*Node{a, b} {
		until(t, "ready", func() bool { m, ok := n.sharedTier(); return ok && m.Ready })
	}
	bound := []byte("scope and entry")
	p := semantic.Point{Tenant: "acme", Scope: semantic.Scope{1}, ID: semantic.EntryID{2}, Vector: []float32{1, 0, 0, 0}, Expires: now() + ledger.Hour, Payload: sealA.Seal(nil, []byte("a question"), bound)}
	if bytes.Contains(p.Payload, []byte("question")) {
		t.Fatal("the text is not sealed")
	}
	sharedA.Store(p)
	var found []semantic.Neighbour
	until(t, "the other node finds it", func() bool {
		found, err = sharedB.Nearest(t.Context(), semantic.Query{Tenant: "acme", Scope: semantic.Scope{1}, Vector: p.Vector, K: 5, Floor: 0.5, Now: now()})
		return err == nil && len(found) == 1
	})
	if plain, err := sealB.Open(nil, found[0].Payload, bound); err != nil || string(plain) != "a question" {
		t.Errorf("the other node opens %q: %v", plain, err)
	}
	other := QdrantConfig{SealKey: strings.Repeat("x", leastSealKey)}
	seal, err := other.sealer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(nil, found[0].Payload, bound); err == nil {
		t.Error("another cluster's key opens it")
	}
	until(t, "the first node has counted it", func() bool { m, _ := a.sharedTier(); return m.Points["written"] == 1 && m.Queued == 0 })
}

func TestTheSharedTierIsNoConditionOfANode(t *testing.T) {
	var log bytes.Buffer
	without := sharingNode(t, "127.0.0.1:1", &log)
	without.cfg.Semcache.Qdrant.Address = ""
	if shared, seal := without.openShared("static", 4); shared != nil || seal != nil {
		t.Error("a tier without an address")
	}
	if _, ok := without.sharedTier(); ok {
		t.Error("metrics of no tier")
	}
	down := sharingNode(t, "127.0.0.1:1", &bytes.Buffer{})
	began := time.Now()
	shared, _ := down.openShared("static", 4)
	if took := time.Since(began); took > time.Second || shared == nil {
		t.Errorf("%v after %v", shared, took)
	}
	if _, err := shared.Nearest(t.Context(), semantic.Query{Vector: make([]float32, 4), K: 1}); err == nil {
		t.Error("an answer from nowhere")
	}
	if m, ok := down.sharedTier(); !ok || m.Ready || m.Lookups["off"] != 1 {
		t.Errorf("metrics %+v", m)
	}
	lost := sharingNode(t, "127.0.0.1:1", &log)
	lost.cfg.Semcache.Qdrant.TLS, lost.cfg.Semcache.Qdrant.CAFile = true, "/does/not/exist"
	if shared, _ := lost.openShared("static", 4); shared != nil || !strings.Contains(log.String(), "ca_file") {
		t.Errorf("a tier without its authorities; the log says %s", log.String())
	}
}

func TestJoiningNodesAreGivenTheSharedTier(t *testing.T) {
	c := valid()
	c.Semcache.Qdrant.Address, c.Semcache.Qdrant.SealKey = "qdrant:6334", strings.Repeat("k", leastSealKey)
	text, _, err := c.shared()
	if err != nil {
		t.Fatal(err)
	}
	given, err := parse("given", string(text))
	if err != nil || given.Semcache != c.Semcache {
		t.Errorf("given %+v: %v", given.Semcache, err)
	}
}

func TestKeysOfTheSharedTierMatchThePackages(t *testing.T) {
	c := defaultQdrant()
	if got, want := c.tier(), qdrant.Default(); got != want {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
}
