package qdrant_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"purser/internal/store"
	"purser/internal/vault"
	"purser/ledger"
	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/qdrant"
	"purser/semcache/qdrant/double"
	"purser/semcache/semantic"
)

// answers is the exact cache that all nodes find their answers in.
type answers struct {
	mu   sync.Mutex
	kept map[[32]byte]string
}

func (a *answers) Answer(_ context.Context, key [32]byte, _ ledger.Instant) ([]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, ok := a.kept[key]
	return []byte(body), ok
}

func (a *answers) Forget(key [32]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kept, key)
}

func clock() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) }

// node is a semantic cache with its own store and its own connection to the server.
type node struct {
	cache  *semantic.Tier
	shared *qdrant.Tier
}

func newNode(t *testing.T, addr string, kept *answers) *node {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	table, err := embed.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	fitted, err := decide.Fitted(table.ID())
	if err != nil {
		t.Fatal(err)
	}
	model, err := decide.NewModel(fitted, func(dst []float32, word string) bool { return table.Embed(t.Context(), dst, word) == nil })
	if err != nil {
		t.Fatal(err)
	}
	seal, err := vault.NewDataKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	c := qdrant.Default()
	c.Address, c.Timeout, c.Prefix = addr, time.Second, "test_nodes_"
	n := &node{}
	if n.shared, err = qdrant.Open(qdrant.Options{Config: c, Embedder: table.ID(), Dim: table.Dim(), Leads: func() bool { return false }, Now: clock, Log: log}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), CacheBytes: 8 << 20, Log: log, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	cfg := semantic.DefaultConfig()
	cfg.SharedWait = time.Second
	if n.cache, err = semantic.Open(s, cfg, semantic.With{
		Embedder: table, Model: model, Native: true, Answers: kept, Seal: seal, Shared: n.shared, SharedSeal: seal, Now: clock,
		Random: func() float64 { return 0.999 }, Log: log, // never explores
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.cache.Close()
		if err := n.shared.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	until(t, "the shared tier is ready", func() bool { return n.shared.Status().State == qdrant.Ready })
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

func asked(tenant, text string) *semantic.Question {
	p := semantic.DefaultPolicy()
	p.Serve = true
	return &semantic.Question{
		Text: text, Policy: p, Read: func(a []byte) (string, bool) { return string(a), true },
		In: semantic.Parts{Tenant: tenant, Route: "/v1/chat/completions", Model: "gpt-4o", Endpoint: "/v1/chat/completions"},
	}
}

// TestOneNodeLearnsAndAnotherAnswers goes the whole way: question, vector, seal, server,
// and back through the guards and the decision of the other node.
func TestOneNodeLearnsAndAnotherAnswers(t *testing.T) {
	s, err := double.Start(double.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	kept := &answers{kept: map[[32]byte]string{{1}: "With three pointers.", {2}: "Not for others."}}
	a, b := newNode(t, s.Addr(), kept), newNode(t, s.Addr(), kept)
	for tenant, key := range map[string][32]byte{"org:acme": {1}, "org:other": {2}} {
		q := asked(tenant, "how do I reverse a linked list in place")
		f := a.cache.Ask(t.Context(), q)
		if f.Verdict != semantic.Miss {
			t.Fatalf("found %+v before anything was learned", f)
		}
		a.cache.Learn(semantic.Lesson{Visit: f.Visit, Key: key, Answer: []byte(kept.kept[key]), Expires: clock() + ledger.Hour})
	}
	until(t, "both are written", func() bool { return a.shared.Status().Counts.Written == 2 })
	// A paraphrase is found; whether it is trusted is the decision's affair, not this tier's.
	if f := b.cache.Ask(t.Context(), asked("org:acme", "how do I reverse in place a linked list")); f.Answer != [32]byte{1} || f.Similarity < 0.9 {
		t.Errorf("of a paraphrase it found %+v", f)
	}
	if f := b.cache.Ask(t.Context(), asked("org:acme", "how do I reverse  a linked list in place?")); f.Verdict != semantic.Serve || f.Answer != [32]byte{1} {
		t.Errorf("of the same question it found %+v", f)
	}
	if f := b.cache.Ask(t.Context(), asked("org:third", "how do I reverse a linked list in place")); f.Verdict != semantic.Miss {
		t.Errorf("a third tenant found %+v", f)
	}
	if _, err := a.cache.Purge(t.Context(), semantic.Which{Tenant: "org:other"}); err != nil {
		t.Fatal(err)
	}
	if f := b.cache.Ask(t.Context(), asked("org:other", "how do I reverse a linked list in place")); f.Verdict != semantic.Miss {
		t.Errorf("what was purged is found: %+v", f)
	}
	s.Halt()
	until(t, "the other node has made it its own", func() bool {
		return b.cache.Ask(t.Context(), asked("org:acme", "how do I reverse a linked list in place")).Verdict == semantic.Serve
	})
	if f := b.cache.Ask(t.Context(), asked("org:acme", "what is the capital of France")); f.Verdict != semantic.Miss {
		t.Errorf("without the server it found %+v", f)
	}
}
