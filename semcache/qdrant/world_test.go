package qdrant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "github.com/qdrant/go-client/qdrant"

	"purser/ledger"
	"purser/semcache/qdrant/double"
	"purser/semcache/semantic"
)

var real = flag.String("qdrant", "", "host:port of a real Qdrant server to run the suite against, instead of the double; faults are of the double alone")

const dim = 8

// noon is where the clocks of tests stand.
const noon = 1_800_000_000 * ledger.Second

// brisk is a pace that a test can wait for.
var brisk = pace{first: 5 * time.Millisecond, longest: 40 * time.Millisecond, steady: time.Minute, refused: 20 * time.Millisecond, retry: time.Millisecond, sweep: 5 * time.Millisecond}

// world is a server and what nodes share of a test's clock.
type world struct {
	t      testing.TB
	server *double.Server // nil against a real server
	addr   string
	clock  atomic.Int64
	config Config
	pace   pace
	dim    int
	log    lines
}

// lines is what nodes log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newWorld has a double.
func newWorld(t testing.TB, o double.Options) *world {
	t.Helper()
	if *real != "" {
		t.Skip("faults are of the double")
	}
	s, err := double.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := bare(t, s.Addr())
	w.server = s
	return w
}

// anyWorld has the double, or the real server if there is one, with collections of the
// test's own that it removes.
func anyWorld(t testing.TB) *world {
	t.Helper()
	if *real == "" {
		return newWorld(t, double.Options{})
	}
	w := bare(t, *real)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		tier, err := open(w.options(), brisk)
		if err == nil {
			_ = tier.client.DeleteCollection(ctx, tier.collection)
			_ = tier.Close(ctx)
		}
	})
	return w
}

func bare(t testing.TB, addr string) *world {
	w := &world{t: t, addr: addr, config: Default(), pace: brisk, dim: dim}
	sum := sha256.Sum256([]byte(t.Name()))
	w.config.Address, w.config.Prefix = addr, fmt.Sprintf("test_%x_", sum[:6])
	w.config.Timeout = time.Second // a machine under load is no fault
	w.clock.Store(int64(noon))
	return w
}

func (w *world) options() Options {
	return Options{
		Config: w.config, Embedder: "static-1", Dim: w.dim, Leads: func() bool { return false },
		Now: func() ledger.Instant { return ledger.Instant(w.clock.Load()) }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

// node opens a tier, and closes it after the test.
func (w *world) node(change func(*Options)) *Tier {
	w.t.Helper()
	o := w.options()
	if change != nil {
		change(&o)
	}
	tier, err := open(o, w.pace)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := tier.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return tier
}

// readyNode is a node that has connected.
func (w *world) readyNode() *Tier {
	w.t.Helper()
	tier := w.node(nil)
	w.until("ready", func() bool { return tier.ready() })
	return tier
}

// until waits for a condition. It is not a measure of speed.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(end) {
			w.t.Fatalf("waited for: %s\n%s", what, w.log.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// at is a unit vector, its angle in degrees from the first axis.
func at(degrees float64) []float32 {
	v := make([]float32, dim)
	v[0], v[1] = float32(math.Cos(degrees*math.Pi/180)), float32(math.Sin(degrees*math.Pi/180))
	return v
}

func scope(name string) semantic.Scope { return sha256.Sum256([]byte(name)) }

func entry(name string) semantic.EntryID {
	sum := sha256.Sum256([]byte(name))
	return semantic.EntryID(sum[:16])
}

// point is one that is valid for an hour; its payload is its name.
func point(tenant, in, name string, degrees float64) semantic.Point {
	return semantic.Point{Tenant: tenant, Scope: scope(in), ID: entry(name), Vector: at(degrees), Expires: noon + ledger.Hour, Payload: []byte(name)}
}

func query(tenant, in string, degrees float64) semantic.Query {
	return semantic.Query{Tenant: tenant, Scope: scope(in), Vector: at(degrees), K: 5, Floor: 0.5, Now: noon}
}

// store writes points and waits until the server has acknowledged them.
func (w *world) store(tier *Tier, points ...semantic.Point) {
	w.t.Helper()
	before := tier.Status().Counts.Written
	for _, p := range points {
		tier.Store(p)
	}
	w.until("the points are written", func() bool { return tier.Status().Counts.Written-before >= uint64(len(points)) })
}

// names asks and gives the payloads that were found, nearest first.
func (w *world) names(tier *Tier, q semantic.Query) string {
	w.t.Helper()
	found, err := tier.Nearest(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, n := range found {
		names = append(names, string(n.Payload))
	}
	return strings.Join(names, " ")
}

// finds waits for what an acknowledged write brings, which may be seen a little later.
func (w *world) finds(tier *Tier, q semantic.Query, want string) {
	w.t.Helper()
	got := ""
	end := time.Now().Add(10 * time.Second)
	for got = w.names(tier, q); got != want && time.Now().Before(end); got = w.names(tier, q) {
		time.Sleep(time.Millisecond)
	}
	if got != want {
		w.t.Fatalf("found %q, want %q", got, want)
	}
}

// goroutines are those of this package and of its library, by their stacks.
func goroutines() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var out []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		for _, mine := range []string{"qdrant.(*Tier)", "google.golang.org/grpc"} {
			if strings.Contains(g, mine) {
				out = append(out, g)
				break
			}
		}
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// collectionOf reads a collection's description past the tier.
func collectionOf(t *testing.T, tier *Tier) *api.CollectionInfo {
	t.Helper()
	info, err := tier.client.GetCollectionInfo(t.Context(), tier.collection)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
