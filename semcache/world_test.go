package semcache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/proxy/price"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const start = ledger.Instant(1_790_000_000_000_000_000)

// testSealer is AES-256-GCM with a key that everybody knows.
var testSealer = sealing{func() cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}()}

type sealing struct{ aead cipher.AEAD }

func (s sealing) Seal(dst, plain, bound []byte) []byte { return s.aead.Seal(dst, nil, plain, bound) }

func (s sealing) Open(dst, sealed, bound []byte) ([]byte, error) {
	return s.aead.Open(dst, nil, sealed, bound)
}

// world is a cache, its store and a clock that moves when told to.
type world struct {
	store *store.Store
	cache *Cache
	clock atomic.Int64
}

func (w *world) now() ledger.Instant      { return ledger.Instant(w.clock.Load()) }
func (w *world) pass(d time.Duration)     { w.clock.Add(int64(d)) }
func (w *world) get(k Key) (*Entry, bool) { return w.cache.Get(k, Wanted{At: w.now()}) }
func small(entry, store, memory int64) Config {
	return Config{TTL: time.Hour, EntryBytes: entry, StoreBytes: store, MemoryBytes: memory, TenantShare: 25}
}

func openWorld(t testing.TB, fs vfs.FS, cfg Config) *world {
	t.Helper()
	w := new(world)
	w.clock.Store(int64(start))
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	if w.store, err = store.Open(store.Options{Dir: "data", FS: fs, CacheBytes: 64 << 20, Log: quiet, Fatal: func(err error) { t.Error(err) }}); err != nil {
		t.Fatal(err)
	}
	if w.cache, err = Open(w.store, testSealer, cfg, w.now, quiet); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) close(t testing.TB) {
	t.Helper()
	w.cache.Close()
	if err := w.store.Close(); err != nil {
		t.Error(err)
	}
}

func inMemory(t testing.TB, cfg Config) *world {
	w := openWorld(t, vfs.NewMem(), cfg)
	t.Cleanup(func() { w.close(t) })
	return w
}

// write puts what Fill returned on disk, as the usage journal does.
func (w *world) write(t testing.TB, kvs []store.KV) {
	t.Helper()
	b := w.store.NewBatch()
	for _, kv := range kvs {
		if err := b.Set(kv.Key, kv.Value, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store.Apply(b, store.Synced); err != nil {
		t.Fatal(err)
	}
}

func (w *world) fill(t testing.TB, k Key, e *Entry) {
	t.Helper()
	e.Epoch = w.cache.Epoch() // as of a request that begins now
	kvs := w.cache.Fill(k, e)
	if len(kvs) != 2 {
		t.Fatalf("%d pairs", len(kvs))
	}
	w.write(t, kvs)
}

// forget empties the front, so that the next lookup reads the store.
func (w *world) forget() { w.cache.front.removeIf(func(*Key, *Entry) bool { return true }) }

func (w *world) keys(t testing.TB, prefix byte) (n int) {
	t.Helper()
	it, err := w.store.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

func answer(body string, created ledger.Instant) *Entry {
	e := &Entry{
		Created: created, Status: 200, ContentType: "application/json", Body: []byte(body),
		Asked: "gpt-5", Model: "gpt-5-2026", Cost: 12345,
	}
	e.Usage[price.InputText], e.Usage[price.OutputText] = 10, 20
	return e
}

func equal(a, b *Entry) bool {
	x, y := *a, *b
	x.Body, y.Body = nil, nil
	return bytes.Equal(a.Body, b.Body) && x.Created == y.Created && x.Expires == y.Expires && x.Status == y.Status &&
		x.ContentType == y.ContentType && x.Asked == y.Asked && x.Model == y.Model && x.Usage == y.Usage && x.Cost == y.Cost &&
		x.Stale == y.Stale && x.Epoch == y.Epoch && slices.Equal(x.Tags, y.Tags)
}

func keyOf(text string) Key {
	return MakeKey(Scope{Tenant: "acme", Route: "openai", Model: "gpt-5", Endpoint: "/v1/chat/completions"}, []byte(text))
}
