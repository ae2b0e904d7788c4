package qdrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"

	"purser/ledger"
	"purser/semcache/semantic"
)

// Options are what a tier is opened with.
type Options struct {
	Config   Config
	Embedder string // its id
	Dim      int    // of its vectors
	// Leads says whether this node is the one that deletes what has expired.
	Leads func() bool
	Now   func() ledger.Instant
	Log   *slog.Logger
}

// Tier is the shared tier. It is safe for concurrent use.
type Tier struct {
	opt        Options
	collection string
	client     *api.Client
	pace       pace

	state   atomic.Uint32 // a State
	breaker breaker
	under   atomic.Int64 // lookups under way
	count   counters

	mu      sync.Mutex
	reason  Reason
	detail  string
	version string

	tripped chan Reason   // to keep, one for each end of Ready
	awake   chan struct{} // to write: there is something, or the state changed
	forgets chan forget
	closing chan struct{} // closed by Close: write what there is, and end
	wrote   chan struct{} // closed when write has ended

	queue  queue
	stop   context.CancelFunc
	closed sync.Once
	work   sync.WaitGroup
}

var _ semantic.Shared = (*Tier)(nil)

// pace is how often things are tried.
type pace struct {
	first   time.Duration // pause after the first failure to connect; it doubles
	longest time.Duration
	steady  time.Duration // Ready for so long is a success, and the pauses start over
	refused time.Duration // pause after a refusal
	retry   time.Duration // pause after the first failure of a write; it doubles
	sweep   time.Duration
}

var usualPace = pace{first: time.Second, longest: 30 * time.Second, steady: time.Minute, refused: time.Minute, retry: 100 * time.Millisecond, sweep: 10 * time.Minute}

const (
	// largestAnswer bounds what is read of one answer: [semantic.Query.K] points of
	// [semantic.MaxPayload] are a quarter of it.
	largestAnswer = 1 << 20
	// mostLookups are under way at once; servers bound the streams of a connection, and
	// who would wait for one would be late.
	mostLookups = 128
	// longestRetryAfter bounds how long a server can ask to wait.
	longestRetryAfter = 30 * time.Second
)

// Open starts a tier. It does not wait for the server: an error is one of the options.
func Open(o Options) (*Tier, error) { return open(o, usualPace) }

func open(o Options, p pace) (*Tier, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("qdrant: %w", err)
	}
	if o.Embedder == "" || o.Dim <= 0 || o.Leads == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("qdrant: embedder, dimension, leads, now and log must be there")
	}
	host, port, err := o.Config.hostPort()
	if err != nil {
		return nil, fmt.Errorf("qdrant: address: %w", err)
	}
	t := &Tier{
		opt: o, collection: Collection(o.Config.Prefix, o.Embedder), pace: p,
		tripped: make(chan Reason, 1), awake: make(chan struct{}, 1), forgets: make(chan forget), closing: make(chan struct{}), wrote: make(chan struct{}),
	}
	tlsConfig, err := o.Config.tlsConfig()
	if err != nil {
		return nil, fmt.Errorf("qdrant: %w", err)
	}
	t.client, err = api.NewClient(&api.Config{
		Host: host, Port: port, UseTLS: tlsConfig != nil, TLSConfig: tlsConfig,
		PoolSize: 1,
		// The library's check would wait for a minute, and only warn.
		SkipCompatibilityCheck: true,
		GrpcOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestAnswer)),
			grpc.WithChainUnaryInterceptor(withKey(o.Config.APIKey)),
			grpc.WithDisableServiceConfig(), // which would be asked of DNS, and could set retries
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: p.first / 2, Multiplier: 1.6, Jitter: 0.2, MaxDelay: p.longest / 4}, MinConnectTimeout: 2 * time.Second}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("qdrant: %w", err)
	}
	if o.Config.APIKey != "" && !o.Config.TLS {
		o.Log.Warn("the API key of the shared semantic tier is sent in the clear, as plain_api_key allows")
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.work.Go(func() { t.keep(ctx) })
	t.work.Go(func() { defer close(t.wrote); t.write(ctx) })
	t.work.Go(func() { t.sweep(ctx) })
	return t, nil
}

// withKey sends an API key with each call. The client library would do the same, and
// write to the process's default log.
func withKey(key string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "api-key", key)
		}
		return call(ctx, method, req, reply, conn, opts...)
	}
}

// Close writes what is queued, as long as the server takes it and ctx lasts, and ends
// everything that [Open] began.
func (t *Tier) Close(ctx context.Context) error {
	var err error
	t.closed.Do(func() {
		t.queue.close()
		close(t.closing)
		select {
		case <-t.wrote:
		case <-ctx.Done():
		}
		t.stop()
		t.work.Wait()
		t.state.Store(uint32(Closed))
		if err = t.client.Close(); err != nil {
			err = fmt.Errorf("qdrant: closing the connection: %w", err)
		}
	})
	return err
}

// Status is for metrics and the admin API.
func (t *Tier) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Status{State: State(t.state.Load()), Reason: t.reason, Detail: t.detail, Version: t.version, Collection: t.collection, Queued: t.queue.length(), Counts: t.count.read()}
}

func (t *Tier) ready() bool { return State(t.state.Load()) == Ready }

// enter changes the state, and says so once.
func (t *Tier) enter(s State, why Reason, err error) {
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	t.mu.Lock()
	before := State(t.state.Load())
	same := before == s && t.reason == why
	t.reason, t.detail = why, detail
	t.state.Store(uint32(s))
	version := t.version
	t.mu.Unlock()
	t.wake()
	switch {
	case same:
	case s == Ready:
		t.opt.Log.Info("the shared semantic tier is ready", "collection", t.collection, "version", version)
	default:
		t.opt.Log.Warn("the shared semantic tier is off; requests go on without it", "state", s.String(), "reason", string(why), "detail", detail)
	}
}

// trip takes the tier out of Ready. keep finds out when it is back.
func (t *Tier) trip(why Reason) {
	if !t.state.CompareAndSwap(uint32(Ready), uint32(Down)) {
		return
	}
	t.count.opened.Add(1)
	t.tripped <- why // there is room: Ready ended here, and keep takes it before the next
}

// wake tells the writer that there is something to look at.
func (t *Tier) wake() {
	select {
	case t.awake <- struct{}{}:
	default:
	}
}
