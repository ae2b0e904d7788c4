package semantic

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/semcache/decide"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const start = ledger.Instant(1_790_000_000_000_000_000)

// words is an embedder of bags of words: texts of the same words have the same vector.
// It stands in for the table where similarity itself is not what is tested.
type words struct {
	id    string
	dim   int
	fails atomic.Bool
	slow  atomic.Bool
	long  atomic.Bool // gives vectors that are not of unit length
	calls atomic.Int64
}

func (w *words) ID() string { return w.id }
func (w *words) Dim() int   { return w.dim }
func (w *words) Embed(ctx context.Context, dst []float32, text string) error {
	w.calls.Add(1)
	if w.slow.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.fails.Load() {
		return errors.New("the embedder is down")
	}
	clear(dst)
	for word := range strings.FieldsSeq(strings.ToLower(strings.Trim(text, "?.! "))) {
		h := fnv.New32a()
		h.Write([]byte(word))
		n := h.Sum32()
		dst[int(n)%len(dst)] += 1
		dst[int(n>>16)%len(dst)] += 0.5
	}
	var sum float64
	for _, x := range dst {
		sum += float64(x) * float64(x)
	}
	for i := range dst {
		dst[i] /= float32(math.Sqrt(sum))
		if w.long.Load() {
			dst[i] *= 3
		}
	}
	return nil
}

// shelf is the exact cache.
type shelf struct {
	mu   sync.Mutex
	body map[[32]byte]string
	gone [][32]byte
}

func (s *shelf) Answer(_ context.Context, key [32]byte, _ ledger.Instant) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.body[key]
	return []byte(b), ok
}

func (s *shelf) Forget(key [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.body, key)
	s.gone = append(s.gone, key)
}

func (s *shelf) put(key [32]byte, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body[key] = body
}

// world is a tier, its store, and a clock and dice that are set.
type world struct {
	t        testing.TB
	fs       vfs.FS
	store    *store.Store
	tier     *Tier
	embedder *words
	shelf    *shelf
	clock    atomic.Int64
	dice     atomic.Uint64 // what Random gives, in thousandths
	moved    []Moved
	cfg      Config
	with     With
	keys     atomic.Uint64
}

func newWorld(t testing.TB, change func(*world)) *world {
	w := &world{t: t, fs: vfs.NewMem(), embedder: &words{id: "words:1", dim: 64}, shelf: &shelf{body: map[[32]byte]string{}}, cfg: DefaultConfig()}
	w.clock.Store(int64(start))
	w.dice.Store(999)
	w.with = With{
		Embedder: w.embedder, Model: testModel(&words{id: "model", dim: 64}), Native: true, Answers: w.shelf, Now: w.now, Random: func() float64 { return float64(w.dice.Load()) / 1000 },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Tell: func(m Moved) { w.moved = append(w.moved, m) },
	}
	if change != nil {
		change(w)
	}
	w.open()
	w.trust()
	t.Cleanup(w.close)
	return w
}

// trust lets the route of the questions have been measured enough that not every hit is
// asked anew.
func (w *world) trust() {
	v := &Visit{route: "openai", policy: serving()}
	for range 100 {
		w.tier.observe(v, decide.Agrees, 0.9999, true)
	}
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(store.Options{Dir: "data", FS: w.fs, CacheBytes: 64 << 20, Log: w.with.Log, Fatal: func(err error) { w.t.Error(err) }}); err != nil {
		w.t.Fatal(err)
	}
	if w.tier, err = Open(w.store, w.cfg, w.with); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.t.Helper()
	w.tier.Close()
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) now() ledger.Instant  { return ledger.Instant(w.clock.Load()) }
func (w *world) pass(d time.Duration) { w.clock.Add(int64(d)) }

func serving() Policy {
	p := DefaultPolicy()
	p.Serve = true
	return p
}

// plain reads answers that are their own text; what begins with "cut:" is not whole.
func plain(answer []byte) (string, bool) {
	return string(answer), !strings.HasPrefix(string(answer), "cut:")
}

func question(text string) *Question {
	return &Question{Text: text, In: Parts{Tenant: "org:acme", Route: "openai", Model: "gpt-5", Endpoint: "/v1/chat/completions", Rest: []byte(`{"messages":[{"content":"","role":"user"}]}`)}, Policy: serving(), Read: plain}
}

func (w *world) ask(q *Question) Found {
	w.t.Helper()
	f := w.tier.Ask(context.Background(), q)
	if f.Verdict == 0 || f.Reason == "" {
		w.t.Fatalf("found %+v", f)
	}
	return f
}

// keyFor names an answer as the exact cache would.
func (w *world) keyFor(tenant string) (k [32]byte) {
	id := tenantOf(tenant)
	copy(k[:], id[:])
	n := w.keys.Add(1)
	k[30], k[31] = byte(n>>8), byte(n)
	return k
}

// answer tells the tier what a question got, and waits until it has learned it.
func (w *world) answer(q *Question, f Found, body string) [32]byte {
	w.t.Helper()
	k := w.keyFor(q.In.Tenant)
	w.shelf.put(k, body)
	w.tier.Learn(Lesson{Visit: f.Visit, Key: k, Answer: []byte(body)})
	w.tier.busy.Wait()
	return k
}

// teach asks a question and answers it.
func (w *world) teach(q *Question, body string) [32]byte {
	w.t.Helper()
	return w.answer(q, w.ask(q), body)
}

func (w *world) expect(q *Question, v Verdict, reason string) Found {
	w.t.Helper()
	f := w.ask(q)
	if f.Verdict != v || f.Reason != reason {
		w.t.Fatalf("%v, %q; want %v, %q", f.Verdict, f.Reason, v, reason)
	}
	return f
}

func (w *world) counted(n counted) uint64 { return w.tier.count.of[n].Load() }

// testModel trusts what is very similar, and nothing else; guards are the real ones.
func testModel(e *words) *decide.Model {
	m, err := decide.NewModel(&decide.Params{
		Features: decide.FeaturesVersion, Dim: e.dim, Net: decide.Net{Out: []float32{0}},
		Trees:       []decide.Tree{{{Feature: 0, Threshold: 0.9, Left: 1, Right: 2}, {Threshold: -1}, {Threshold: 1}}},
		Calibration: decide.Calibration{Slope: 1, Points: []decide.Point{{Score: -1, Probability: 0.5, Lower: 0.2}, {Score: 1, Probability: 0.9999, Lower: 0.9999}}},
	}, func(dst []float32, word string) bool { return e.Embed(context.Background(), dst, word) == nil })
	if err != nil {
		panic(err)
	}
	return m
}
