package qdrant

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"purser/ledger"
	"purser/semcache/qdrant/double"
	"purser/semcache/semantic"
)

// lost asks and expects a miss with an error, and nothing else.
func (w *world) lost(tier *Tier) error {
	w.t.Helper()
	found, err := tier.Nearest(w.t.Context(), query("acme", "s", 0))
	if err == nil || found != nil {
		w.t.Fatalf("found %v with error %v", found, err)
	}
	return err
}

func TestAServerThatIsDownAtTheStartIsWaitedFor(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.server.Halt()
	tier := w.node(nil)
	if err := w.lost(tier); !errors.Is(err, ErrOff) {
		t.Errorf("error %v", err)
	}
	tier.Store(point("acme", "s", "early", 0)) // it waits in the queue
	w.until("it says why it is off", func() bool { s := tier.Status(); return s.State == Connecting && s.Reason == ReasonUnreachable })
	if err := tier.Forget(t.Context(), semantic.Which{Tenant: "other"}); !errors.Is(err, ErrOff) {
		t.Errorf("forgetting without a server: %v", err)
	}
	if err := w.server.Resume(); err != nil {
		t.Fatal(err)
	}
	w.until("ready", tier.ready)
	w.finds(tier, query("acme", "s", 0), "early")
}

func TestAServerThatDiesIsMissedAndFoundAgain(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "one", 0))
	w.finds(tier, query("acme", "s", 0), "one")
	w.server.Halt()
	w.until("the breaker opens", func() bool {
		if _, err := tier.Nearest(t.Context(), query("acme", "s", 0)); err == nil {
			t.Fatal("a dead server answers")
		}
		return !tier.ready()
	})
	tier.Store(point("acme", "s", "two", 5))
	if s := tier.Status(); s.Counts.Opened != 1 || s.Counts.Failed+s.Counts.Late < 5 {
		t.Errorf("status %+v", s)
	}
	if err := w.server.Resume(); err != nil {
		t.Fatal(err)
	}
	w.until("ready", tier.ready)
	w.finds(tier, query("acme", "s", 0), "one two")
}

func TestASlowServerCostsNoMoreThanTheTimeoutAndThenNothing(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.config.Timeout = 50 * time.Millisecond
	w.pace.first, w.pace.longest = time.Minute, time.Minute // so that it stays open
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Query", Delay: time.Hour})
	asked := 0
	for tier.ready() {
		began := time.Now()
		w.lost(tier)
		// The timeout, and what a loaded machine adds to it.
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("a lookup took %v", took)
		}
		if asked++; asked > 10 {
			t.Fatal("the breaker does not open")
		}
	}
	c := tier.Status().Counts
	if c.Late != uint64(asked) || c.Opened != 1 {
		t.Errorf("counts %+v after %d lookups", c, asked)
	}
	calls := w.server.Calls("Query")
	for range 1000 {
		if err := w.lost(tier); !errors.Is(err, ErrOff) {
			t.Fatal(err)
		}
	}
	if n := w.server.Calls("Query"); n != calls {
		t.Errorf("%d calls while the breaker was open", n-calls)
	}
	q := query("acme", "s", 0)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = tier.Nearest(ctx, q) }); n != 0 {
		t.Errorf("a lookup that is not made allocates %v times", n)
	}
	w.until("it says why it is off", func() bool { return tier.Status().Reason == ReasonSlow })
}

func TestASlowServerIsBackWhenItsProbesAreInTime(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.config.Timeout = 20 * time.Millisecond
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Query", Delay: time.Hour})
	for tier.ready() {
		w.lost(tier)
	}
	w.until("a probe was late, too", func() bool { return tier.Status().Reason == ReasonSlow && w.server.Calls("Query") > 10 })
	if tier.ready() {
		t.Error("it is ready, and no probe was in time")
	}
	w.server.Clear()
	w.until("ready", tier.ready)
}

func TestEverySecondLookupThatFailsOpensTheBreaker(t *testing.T) {
	var b breaker
	opened := 0
	for i := range 100 {
		if i%2 == 0 {
			b.succeeded()
		} else if b.failed() {
			opened = i
			break
		}
	}
	if opened == 0 {
		t.Error("half of the lookups failed, and it stays closed")
	}
	b.reset()
	for i := range 1000 { // every fifth is what a busy server does
		if i%5 != 0 {
			b.succeeded()
		} else if b.failed() {
			t.Fatalf("it opens at lookup %d", i)
		}
	}
	b.reset()
	for i := range 5 {
		if b.failed() != (i == 4) {
			t.Errorf("failure %d in a row", i+1)
		}
	}
}

func TestARequestThatGoesAwaySaysNothingOfTheServer(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Query", Delay: time.Hour})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := tier.Nearest(ctx, query("acme", "s", 0)); err == nil {
			t.Error("it was answered")
		}
		cancel()
	}
	if c := tier.Status().Counts; c.Abandoned != 20 || c.Late != 0 || !tier.ready() {
		t.Errorf("counts %+v", c)
	}
}

func TestLookupsUnderWayAreBounded(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.config.Timeout = time.Second
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Query", Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range mostLookups {
		asking.Go(func() { _, _ = tier.Nearest(ctx, query("acme", "s", 0)) })
	}
	w.until("as many are under way as may be", func() bool { return tier.under.Load() == mostLookups })
	if err := w.lost(tier); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	cancel()
	asking.Wait()
	w.server.Clear()
	if c := tier.Status().Counts; c.Busy != 1 || c.Abandoned+c.Late != mostLookups || tier.under.Load() != 0 {
		t.Errorf("counts %+v, and %d are under way", c, tier.under.Load())
	}
}

func TestCollectionsThatDoNotFitTurnTheTierOff(t *testing.T) {
	for name, c := range map[string]struct {
		version  string
		dim      int
		embedder int
		reason   Reason
		words    []string
	}{
		"dimension":   {"1.17.1", 4, dim, ReasonDimension, []string{"dimension 4", "have 8", "delete the collection", "semcache.qdrant.prefix"}},
		"old version": {"1.15.5", dim, dim, ReasonVersion, []string{"1.15.5", "1.16 to 1.18", "change the server's version"}},
		"new version": {"1.19.0", dim, dim, ReasonVersion, []string{"1.19.0", "1.16 to 1.18"}},
		"next major":  {"2.17.0", dim, dim, ReasonVersion, []string{"2.17.0"}},
		"no version":  {"unknown", dim, dim, ReasonVersion, []string{"unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, double.Options{Version: c.version})
			w.dim = c.embedder
			first := w.node(func(o *Options) { o.Dim = c.dim })
			if c.reason == ReasonDimension {
				w.until("the other embedder's node is ready", first.ready)
			}
			tier := w.node(nil)
			w.until("refused", func() bool { return tier.Status().State == Refused })
			s := tier.Status()
			if s.Reason != c.reason {
				t.Errorf("status %+v", s)
			}
			for _, word := range c.words {
				if !strings.Contains(s.Detail, word) {
					t.Errorf("%q does not say %q", s.Detail, word)
				}
			}
			if err := w.lost(tier); !errors.Is(err, ErrOff) {
				t.Error(err)
			}
			calls := w.server.Calls("HealthCheck")
			w.until("it was looked at again", func() bool { return w.server.Calls("HealthCheck") > calls+5 })
			most := 1
			if c.reason == ReasonVersion {
				most = 2 // both nodes say so
			}
			if n := strings.Count(w.log.String(), "state=refused"); n < 1 || n > most {
				t.Errorf("it was logged %d times:\n%s", n, w.log.String())
			}
		})
	}
}

func TestSupportedVersions(t *testing.T) {
	for _, v := range []string{"1.16.0", "1.17.1", "1.18.3", "v1.18.0-dev"} {
		if o := supported(v); o != nil {
			t.Errorf("%s: %v", v, o)
		}
	}
}

func TestARefusalEndsWhenItsReasonIsGone(t *testing.T) {
	w := newWorld(t, double.Options{})
	other := w.node(func(o *Options) { o.Dim = 4 })
	w.until("the other embedder's node is ready", other.ready)
	tier := w.node(nil)
	w.until("refused", func() bool { return tier.Status().State == Refused })
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server.Lose() // an operator deletes the collection
	w.until("ready", tier.ready)
}

func TestALostCollectionIsMadeAgain(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "one", 0))
	w.server.Lose()
	w.lost(tier)
	w.until("ready", tier.ready)
	w.store(tier, point("acme", "s", "two", 0))
	w.finds(tier, query("acme", "s", 0), "two")

	w.server.Lose()
	tier.Store(point("acme", "s", "three", 0)) // which finds it out
	w.finds2(tier, query("acme", "s", 0), "three")
	if c := tier.Status().Counts; c.GivenUp != 0 || c.Rejected != 0 {
		t.Errorf("counts %+v", c)
	}
}

// finds2 is finds for a tier that may be off in between.
func (w *world) finds2(tier *Tier, q semantic.Query, want string) {
	w.t.Helper()
	w.until("found "+want, func() bool {
		found, err := tier.Nearest(w.t.Context(), q)
		return err == nil && len(found) == 1 && string(found[0].Payload) == want
	})
}

func TestLostAcknowledgementsAreWrittenOnce(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Upsert", Calls: 2, Reset: true, Applied: true})
	tier.Store(point("acme", "s", "one", 0))
	w.until("the point is written", func() bool { return tier.Status().Counts.Written == 1 })
	if n := w.server.Points(tier.collection); n != 1 {
		t.Errorf("%d points", n)
	}
	if c := tier.Status().Counts; c.Retries != 2 || c.GivenUp != 0 {
		t.Errorf("counts %+v", c)
	}
	w.until("ready", tier.ready)
	w.server.Inject(double.Fault{Method: "Delete", Calls: 1, Code: codes.Unavailable, Applied: true})
	if err := tier.Forget(t.Context(), semantic.Which{Tenant: "acme"}); err != nil {
		t.Error(err)
	}
	if n := w.server.Points(tier.collection); n != 0 {
		t.Errorf("%d points after all was forgotten", n)
	}
}

func TestWritesAreTriedAFewTimesAndGivenUp(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Upsert", Code: codes.Unavailable}) // a shard, and the server is well
	tier.Store(point("acme", "s", "one", 0))
	w.until("it is given up", func() bool { return tier.Status().Counts.GivenUp == 1 })
	if n := w.server.Calls("Upsert"); n != attempts {
		t.Errorf("%d tries", n)
	}
	if !tier.ready() {
		t.Error("lookups stopped with the writes")
	}
	w.server.Clear()
	w.server.Inject(double.Fault{Method: "Upsert", Calls: 1, Code: codes.InvalidArgument})
	tier.Store(point("acme", "s", "two", 0))
	w.until("it is rejected", func() bool { return tier.Status().Counts.Rejected == 1 })
	w.store(tier, point("acme", "s", "three", 0))
	w.finds(tier, query("acme", "s", 0), "three")
}

func TestARateLimitIsWaitedFor(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.server.Inject(double.Fault{Method: "Upsert", Calls: 1, Code: codes.ResourceExhausted, RetryAfter: 3600})
	tier.Store(point("acme", "s", "one", 0))
	w.until("the limit was met", func() bool { return tier.Status().Counts.Retries == 1 })
	w.names(tier, query("acme", "s", 0)) // lookups go on
	if n := w.server.Calls("Upsert"); n != 1 {
		t.Errorf("%d tries before the time that was asked for", n)
	}
	limited := &api.QdrantResourceExhaustedError{Reason: "r", RetryAfterS: 3600}
	if d := retryAfter(limited); d != longestRetryAfter || codeOf(limited) != codes.ResourceExhausted {
		t.Errorf("it waits for %v", d)
	}
	// What is to be forgotten does not wait for it, and is not written after.
	if err := tier.Forget(t.Context(), semantic.Which{Tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	w.store(tier, point("other", "s", "two", 0))
	if n := w.server.Points(tier.collection); n != 1 {
		t.Errorf("%d points, want the second alone", n)
	}
}

func TestStaleReplicasAndForeignPointsAreNotBelieved(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "one", 0), point("other", "s", "theirs", 0), point("acme", "z", "elsewhere", 0))
	w.finds(tier, query("acme", "s", 0), "one")
	swap := func(from semantic.Query) func(*api.QueryResponse) {
		found, err := tier.client.Query(t.Context(), tier.question(&from))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v: %v", found, err)
		}
		return func(r *api.QueryResponse) { r.Result = append(found, r.Result...) }
	}
	for name, forge := range map[string]func(*api.QueryResponse){
		"of another tenant": swap(query("other", "s", 0)),
		"of another scope":  swap(query("acme", "z", 0)),
		"expired": func(r *api.QueryResponse) {
			r.Result[0].Payload[fieldExpires] = api.NewValueInt(seconds(noon))
		},
		"below the floor":    func(r *api.QueryResponse) { r.Result[0].Score = 0.5 },
		"of another version": func(r *api.QueryResponse) { r.Result[0].Payload[fieldVersion] = api.NewValueInt(2) },
		"of another id":      func(r *api.QueryResponse) { r.Result[0].Id = api.NewIDNum(7) },
		"damaged":            func(r *api.QueryResponse) { r.Result[0].Payload[fieldEntry] = api.NewValueString("%") },
		"empty":              func(r *api.QueryResponse) { r.Result[0] = &api.ScoredPoint{} },
	} {
		before := tier.Status().Counts.Alien
		w.server.Inject(double.Fault{Method: "Query", Calls: 1, Forge: forge})
		got := w.names(tier, query("acme", "s", 0))
		if want := map[bool]string{true: "one", false: ""}[strings.HasPrefix(name, "of another tenant") || strings.HasPrefix(name, "of another scope")]; got != want {
			t.Errorf("%s: found %q, want %q", name, got, want)
		}
		if n := tier.Status().Counts.Alien - before; n != 1 {
			t.Errorf("%s: %d points were counted as alien", name, n)
		}
	}
	// A replica that lags behind gives back what was forgotten. The scope has epochs for
	// that; here it is seen that nothing worse comes of it than that one stale answer.
	w.server.Freeze(1)
	if err := tier.Forget(t.Context(), semantic.Which{Tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	if got := w.names(tier, query("acme", "s", 0)); got != "one" {
		t.Errorf("the stale replica gives %q", got)
	}
	if got := w.names(tier, query("acme", "s", 0)); got != "" {
		t.Errorf("then %q is found", got)
	}
}

func TestHugeAnswersAndBrokenConnectionsAreMisses(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "one", 0))
	w.server.Inject(double.Fault{Method: "Query", Calls: 1, Pad: 2 * largestAnswer})
	w.lost(tier)
	w.finds(tier, query("acme", "s", 0), "one")
	w.server.Inject(double.Fault{Method: "Query", Calls: 1, Reset: true})
	w.lost(tier)
	w.until("it is found again", func() bool {
		found, err := tier.Nearest(t.Context(), query("acme", "s", 0))
		return err == nil && len(found) == 1
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.server.Halt()
	tier := w.node(nil)
	for i := range 3 * mostQueued {
		p := point("acme", "s", "one", 0)
		p.ID[0], p.ID[1] = byte(i), byte(i>>8)
		tier.Store(p)
	}
	s := tier.Status()
	// The batch that write has taken is not in the queue.
	if s.Queued > mostQueued || s.Counts.Overflowed < 2*mostQueued-mostInBatch {
		t.Errorf("%d points are queued, %d were let go", s.Queued, s.Counts.Overflowed)
	}
	tier.queue.mu.Lock()
	defer tier.queue.mu.Unlock()
	sum := 0
	for i := range tier.queue.points {
		sum += weight(&tier.queue.points[i])
	}
	if sum != tier.queue.bytes || sum > mostQueuedBytes {
		t.Errorf("%d bytes are queued, and %d counted", sum, tier.queue.bytes)
	}
	if last := tier.queue.points[len(tier.queue.points)-1].ID; last[0] != byte((3*mostQueued-1)&0xff) {
		t.Error("the youngest point was let go")
	}
}

func TestWhatExpiresInTheQueueIsNotWritten(t *testing.T) {
	w := newWorld(t, double.Options{})
	w.server.Halt()
	tier := w.node(nil)
	tier.Store(point("acme", "s", "old", 0))
	w.clock.Store(int64(noon + 2*ledger.Hour))
	young := point("acme", "s", "young", 0)
	young.Expires = noon + 3*ledger.Hour
	tier.Store(young)
	if err := w.server.Resume(); err != nil {
		t.Fatal(err)
	}
	w.until("the young one is written", func() bool { return tier.Status().Counts.Written == 1 })
	if c := tier.Status().Counts; c.Expired != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestClosingWritesTheQueueAndLeavesNothingRunning(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier, err := open(w.options(), w.pace)
	if err != nil {
		t.Fatal(err)
	}
	w.until("ready", tier.ready)
	for i := range 500 {
		p := point("acme", "s", "one", 0)
		p.ID[0], p.ID[1] = byte(i), byte(i>>8)
		tier.Store(p)
	}
	if err := tier.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.server.Points(tier.collection); n != 500 {
		t.Errorf("%d points were written", n)
	}
	tier.Store(point("acme", "s", "late", 0))
	if s := tier.Status(); s.State != Closed || s.Counts.Overflowed != 1 || s.Queued != 0 {
		t.Errorf("status %+v", s)
	}
	if err := w.lost(tier); !errors.Is(err, ErrOff) {
		t.Error(err)
	}
	if err := tier.Forget(t.Context(), semantic.Which{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	w.server.Close()
	w.until("nothing is running any more", func() bool { return len(goroutines()) == 0 })
}

func TestClosingDoesNotWaitForAServerThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier, err := open(w.options(), w.pace)
	if err != nil {
		t.Fatal(err)
	}
	w.until("ready", tier.ready)
	w.server.Inject(double.Fault{Method: "Upsert", Delay: time.Hour})
	w.server.Inject(double.Fault{Method: "Delete", Delay: time.Hour})
	tier.Store(point("acme", "s", "one", 0))
	forgotten := make(chan error, 1)
	go func() { forgotten <- tier.Forget(context.WithoutCancel(t.Context()), semantic.Which{}) }()
	w.until("it is being written", func() bool { return w.server.Calls("Upsert")+w.server.Calls("Delete") == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := tier.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("closing took %v", took)
	}
	if err := <-forgotten; err == nil {
		t.Error("it was forgotten by a server that does not answer")
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t, double.Options{APIKey: "s3cret-key"})
	without := w.node(nil)
	w.until("refused", func() bool { return without.Status().Reason == ReasonKey })
	wrong := w.node(func(o *Options) { o.Config.APIKey, o.Config.PlainAPIKey = "wr0ng-key", true })
	w.until("refused", func() bool { return wrong.Status().Reason == ReasonKey })
	if s := wrong.Status(); s.State != Refused || !strings.Contains(s.Detail, "semcache.qdrant.api_key") {
		t.Errorf("status %+v", s)
	}
	right := w.node(func(o *Options) { o.Config.APIKey, o.Config.PlainAPIKey = "s3cret-key", true })
	w.until("ready", right.ready)
	w.store(right, point("acme", "s", "one", 0))
	w.server.Inject(double.Fault{Method: "Query", Calls: 1, Code: codes.Unauthenticated})
	w.lost(right)
	w.until("ready again", right.ready)
	for _, secret := range []string{"s3cret-key", "wr0ng-key"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("a key is in the log")
		}
	}
}

// TestErrorsHaveNothingOfWhatWasAsked: a server's message may repeat it.
func TestErrorsHaveNothingOfWhatWasAsked(t *testing.T) {
	w := newWorld(t, double.Options{})
	tier := w.readyNode()
	const told = "told-by-the-server"
	w.server.Inject(double.Fault{Method: "Query", Code: codes.InvalidArgument, Message: told})
	w.server.Inject(double.Fault{Method: "Delete", Code: codes.InvalidArgument, Message: told})
	errs := []error{w.lost(tier), tier.Forget(t.Context(), semantic.Which{Tenant: "acme"})}
	var call *CallError
	if !errors.As(errs[0], &call) || call.Code != codes.InvalidArgument {
		t.Errorf("error %v", errs[0])
	}
	for _, err := range errs {
		if err == nil || strings.Contains(err.Error(), told) || strings.Contains(err.Error(), "acme") {
			t.Errorf("error %v", err)
		}
	}
}

func TestWhatDoesNotSpeakTheProtocolIsToldSo(t *testing.T) {
	if *real != "" {
		t.Skip("faults are of the double")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	w := bare(t, ln.Addr().String())
	tier := w.node(nil)
	w.until("it says what to look at", func() bool { return strings.Contains(tier.Status().Detail, "gRPC port") })
}
