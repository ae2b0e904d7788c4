package fleet

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/semcache"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// network is several nodes in one process, and what goes wrong between them.
type network struct {
	t     *testing.T
	nodes map[string]*node

	mu    sync.Mutex
	dead  map[string]bool    // does not answer, as one whose process has ended
	deaf  map[string]bool    // takes questions and says nothing
	spoil map[string]bool    // what it says is damaged on the way
	calls map[*talk]struct{} // under way
	asked atomic.Int64
}

type node struct {
	id    string
	fleet *Fleet
	cache *semcache.Cache
	store *store.Store
	clock atomic.Int64
	calls atomic.Int64 // of its provider
}

func (n *node) now() ledger.Instant { return ledger.Instant(n.clock.Load()) }

type sealing struct{ aead cipher.AEAD }

func (s sealing) Seal(dst, plain, bound []byte) []byte { return s.aead.Seal(dst, nil, plain, bound) }

func (s sealing) Open(dst, sealed, bound []byte) ([]byte, error) {
	return s.aead.Open(dst, nil, sealed, bound)
}

func newSealer(t *testing.T) semcache.Sealer {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return sealing{a}
}

const start = ledger.Instant(1_790_000_000_000_000_000)

// newNetwork starts nodes that know of each other.
func newNetwork(t *testing.T, ids ...string) *network {
	w := &network{t: t, nodes: map[string]*node{}, dead: map[string]bool{}, deaf: map[string]bool{}, spoil: map[string]bool{}, calls: map[*talk]struct{}{}}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	for _, id := range ids {
		n := &node{id: id}
		n.clock.Store(int64(start))
		var err error
		if n.store, err = store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), CacheBytes: 64 << 20, Log: quiet, Fatal: func(err error) { t.Error(err) }}); err != nil {
			t.Fatal(err)
		}
		cfg := semcache.DefaultConfig()
		cfg.TTL = time.Hour
		if n.cache, err = semcache.Open(n.store, newSealer(t), cfg, n.now, quiet); err != nil {
			t.Fatal(err)
		}
		// A second: what is slow because the machine is busy is not to look like a fault.
		n.fleet = New(id, n.cache, way{w, id}, Config{AskTime: time.Second, PutTime: 5 * time.Second, Compare: time.Hour}, n.now, quiet)
		w.nodes[id] = n
	}
	for _, n := range w.nodes {
		n.fleet.SetNodes(ids)
	}
	t.Cleanup(func() {
		for _, id := range ids {
			w.kill(id) // first all: no conversation holds another's end up
		}
		for _, id := range ids {
			n := w.nodes[id]
			n.fleet.Close()
			n.cache.Close()
			if err := n.store.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// kill breaks off every conversation of a node; nobody reaches it any more.
func (w *network) kill(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[id] = true
	for c := range w.calls {
		if c.from == id || c.to == id {
			c.cut()
		}
	}
}

func (w *network) set(m map[string]bool, id string, v bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m[id] = v
}

func (w *network) is(m map[string]bool, id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return m[id]
}

// way is how a node reaches the others.
type way struct {
	w    *network
	from string
}

var errDown = errors.New("no such host")

// talk is both ends of a conversation.
type talk struct {
	w        *network
	from, to string
	ctx      context.Context
	cut      context.CancelFunc
	said     chan Reply
	landed   chan []byte
	over     chan struct{} // closed when the owner has ended it in order
}

func (y way) Ask(ctx context.Context, to string, q Question) (Line, error) {
	y.w.asked.Add(1)
	ctx, cut := context.WithCancel(ctx)
	c := &talk{w: y.w, from: y.from, to: to, ctx: ctx, cut: cut, said: make(chan Reply), landed: make(chan []byte), over: make(chan struct{})}
	y.w.mu.Lock()
	if y.w.dead[to] || y.w.dead[y.from] {
		y.w.mu.Unlock()
		cut()
		return nil, errDown
	}
	y.w.calls[c] = struct{}{}
	deaf := y.w.deaf[to]
	y.w.mu.Unlock()
	go func() { // ended by the asking node's ctx
		defer func() {
			y.w.mu.Lock()
			delete(y.w.calls, c)
			y.w.mu.Unlock()
		}()
		if deaf {
			<-ctx.Done()
			return
		}
		if err := y.w.nodes[to].fleet.Answer(ctx, q, c); err == nil {
			close(c.over)
			return
		}
		cut()
	}()
	return c, nil
}

// Say implements Side.
func (c *talk) Say(r Reply) error {
	if c.w.is(c.w.spoil, c.to) && len(r.Entry) > 0 {
		r.Entry[len(r.Entry)/2] ^= 1
	}
	select {
	case c.said <- r:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// Landed implements Side.
func (c *talk) Landed(ctx context.Context) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case b := <-c.landed:
		if c.w.is(c.w.spoil, c.from) && len(b) > 0 {
			b[len(b)/2] ^= 1
		}
		return b, nil
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

// Next implements Line.
func (c *talk) Next() (Reply, error) {
	select {
	case r := <-c.said:
		return r, nil
	case <-c.over:
		return Reply{}, io.EOF
	case <-c.ctx.Done():
		return Reply{}, c.ctx.Err()
	}
}

// Land implements Line.
func (c *talk) Land(entry []byte) error {
	select {
	case c.landed <- entry:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (y way) Put(_ context.Context, to string, k semcache.Key, entry []byte) error {
	if y.w.is(y.w.dead, to) {
		return errDown
	}
	return y.w.nodes[to].fleet.Take(k, entry)
}

func (y way) Exchange(_ context.Context, to string, marks []semcache.Mark) ([]semcache.Mark, int, error) {
	if y.w.is(y.w.dead, to) || y.w.is(y.w.dead, y.from) {
		return nil, 0, errDown
	}
	return y.w.nodes[to].fleet.Exchange(marks)
}

func keyOf(text string) semcache.Key {
	return semcache.MakeKey(semcache.Scope{Tenant: "acme", Route: "r", Model: "m"}, []byte(text))
}

// ownedBy is a key that the node owns, as all of them see it.
func (w *network) ownedBy(id string) semcache.Key {
	for i := 0; ; i++ {
		k := keyOf(fmt.Sprint("owned ", i))
		if w.nodes[id].fleet.owner(&k).id == id {
			return k
		}
	}
}

// provider makes an answer: it waits until it may, and fails if it is to.
type provider func() (body string, ok bool)

// serve is what a node does with a request: look, join, ask the provider, fill, land.
func (n *node) serve(ctx context.Context, k semcache.Key, limit time.Duration, ask provider) (body string, how How) {
	if e, ok := n.fleet.Get(k, semcache.Wanted{At: n.now()}); ok {
		return string(e.Body), Found
	}
	epoch := n.cache.Epoch()
	flight, e, how := n.fleet.Join(ctx, Question{Key: k, Wait: limit})
	if e != nil {
		return string(e.Body), how
	}
	n.calls.Add(1)
	body, ok := ask()
	made := func() *semcache.Entry {
		return &semcache.Entry{Created: n.now(), Expires: n.now() + ledger.Hour, Epoch: epoch, Status: 200, ContentType: "application/json", Body: []byte(body)}
	}
	if ok {
		b := n.store.NewBatch()
		for _, kv := range n.fleet.Fill(k, made()) {
			if err := b.Set(kv.Key, kv.Value, nil); err != nil {
				panic(err)
			}
		}
		if err := n.store.Apply(b, store.Buffered); err != nil {
			panic(err)
		}
	}
	if flight != nil {
		if ok {
			flight.Land(made())
		} else {
			flight.Land(nil)
		}
	}
	return body, Going
}

func (w *network) provided() (n int64) {
	for _, x := range w.nodes {
		n += x.calls.Load()
	}
	return n
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
