package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/alert"
	"purser/internal/directory"
	"purser/ledger"
)

// patience bounds every wait for something that should come at once.
const patience = 15 * time.Second

// cluster is a directory that several dispatchers share, as Raft would have it, and
// who leads.
type cluster struct {
	t        *testing.T
	mu       sync.Mutex
	state    *directory.State
	view     atomic.Pointer[directory.State]
	leader   atomic.Int32 // -1: none
	webhooks []*alert.Webhook
	sender   *Sender
	refuse   atomic.Bool  // proposals
	split    atomic.Bool  // no quorum confirms anything
	asked    atomic.Int32 // how often one was asked to
}

func newCluster(t *testing.T, webhooks ...*alert.Webhook) *cluster {
	c := &cluster{t: t, state: directory.New(), webhooks: webhooks, sender: NewSender("test", "v0", true)}
	c.leader.Store(-1)
	c.view.Store(c.state.Clone())
	t.Cleanup(c.sender.Close)
	return c
}

func (c *cluster) apply(cmd directory.Command) directory.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.state.Apply(ledger.Instant(time.Now().UnixNano()), cmd)
	c.view.Store(c.state.Clone())
	return out
}

func (c *cluster) raise(names ...string) {
	c.t.Helper()
	for list := range slices.Chunk(names, directory.MaxRaises) {
		cmd := directory.RaiseAlerts{}
		for _, name := range list {
			r, err := alert.Once(name, ledger.Instant(time.Now().UnixNano()), alert.Notice{Type: alert.NodeDown, Severity: alert.Critical, Summary: name, Data: alert.Data{"node": name}})
			if err != nil {
				c.t.Fatal(err)
			}
			cmd.Raises = append(cmd.Raises, r)
		}
		if out := c.apply(cmd); out.Code != directory.Applied {
			c.t.Fatal(out.Code)
		}
	}
}

// node starts dispatcher i; the function ends it.
func (c *cluster) node(i int32) (d *Dispatcher, stop func()) {
	leads := func() bool { return c.leader.Load() == i }
	d = NewDispatcher(Seams{
		View: c.view.Load, Leads: leads,
		Confirm: func(context.Context) error {
			c.asked.Add(1)
			if !leads() || c.split.Load() {
				return errors.New("no quorum says that this node leads")
			}
			return nil
		},
		Propose: func(_ context.Context, cmd directory.Command) (directory.Outcome, error) {
			if !leads() || c.refuse.Load() {
				return directory.Outcome{}, errors.New("not proposed")
			}
			return c.apply(cmd), nil
		},
		Webhooks: func() []*alert.Webhook { return c.webhooks },
		Send:     c.sender.Send,
		Log:      slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	c.t.Cleanup(stop)
	return d, stop
}

func (c *cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: it did not come to that", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at a condition
	}
}

func (c *cluster) closed() bool { return c.view.Load().OpenAlerts() == 0 }

// receiver counts what comes, by event, and how many requests it had at once for one.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	got     map[string]int
	inside  map[string]int
	overlap int
	answer  atomic.Int32
	arrived chan string // if not nil, is told each
	hold    chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{got: map[string]int{}, inside: map[string]int{}}
	r.answer.Store(http.StatusOK)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // broken off
		}
		id, err := alert.Verify(req.Header, body, testKey, time.Now(), time.Minute)
		if err != nil {
			t.Errorf("a delivery does not verify: %v", err)
		}
		r.mu.Lock()
		r.inside[id]++
		if r.inside[id] > 1 {
			r.overlap++
		}
		status := int(r.answer.Load())
		if status == http.StatusOK {
			r.got[id]++
		}
		r.mu.Unlock()
		if r.arrived != nil {
			r.arrived <- id
		}
		if r.hold != nil {
			select {
			case <-r.hold:
			case <-req.Context().Done():
			}
		}
		r.mu.Lock()
		r.inside[id]--
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

// next is the id of what arrives next.
func (r *receiver) next(t *testing.T) string {
	t.Helper()
	select {
	case id := <-r.arrived:
		return id
	case <-time.After(patience):
		t.Fatal("nothing arrives")
		return ""
	}
}

// counts are how many events came, and how many times one came again.
func (r *receiver) counts() (events, again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.got {
		events, again = events+1, again+n-1
	}
	return events, again
}

func names(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

// TestEveryEventComesFromOneLeaderAfterAnother: three nodes, of which the one that
// leads changes in the middle of deliveries, once by a kill.
func TestEveryEventComesFromOneLeaderAfterAnother(t *testing.T) {
	r := newReceiver(t)
	r.arrived = make(chan string, 1000)
	w := hook(r.URL)
	c := newCluster(t, w)
	_, kill := c.node(0)
	c.node(1)
	c.node(2)
	c.raise(names("n", 120)...)
	c.leader.Store(0)
	for range 30 {
		r.next(t)
	}
	c.leader.Store(-1)
	kill()
	c.leader.Store(1)
	for range 30 {
		r.next(t)
	}
	c.leader.Store(2)
	c.eventually("every event is delivered", c.closed)
	events, again := r.counts()
	// Each change of leader may repeat what was delivered and not noted: what one
	// leader had in flight, and what waited for the note that was under way.
	if events != 120 || again > 2*40 {
		t.Errorf("%d events, %d again", events, again)
	}
	if r.overlap > 2 { // what is under way while the leader changes
		t.Errorf("%d times an event came from two nodes at once", r.overlap)
	}
	for _, a := range c.view.Load().Alerts() {
		if d, ok := a.Delivery("w"); !ok || d.State != directory.DeliveryDone {
			t.Errorf("alert %d: %+v", a.Seq, d)
		}
	}
}

func TestWhatWasDeliveredIsNotSentAgainAfterARestart(t *testing.T) {
	r := newReceiver(t)
	c := newCluster(t, hook(r.URL))
	_, stop := c.node(0)
	c.leader.Store(0)
	c.raise(names("n", 5)...)
	c.eventually("they are delivered", c.closed)
	stop()
	loaded, err := directory.Load(func(yield func([]byte, error) bool) {
		for b := range c.state.Records() {
			if !yield(b, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c.state = loaded
	c.view.Store(loaded.Clone())
	c.node(0)
	c.raise("another")
	c.eventually("it is delivered", c.closed)
	if events, again := r.counts(); events != 6 || again != 0 {
		t.Errorf("%d events, %d again", events, again)
	}
}

func TestAReceiverThatWasDownGetsEverything(t *testing.T) {
	r := newReceiver(t)
	r.answer.Store(http.StatusServiceUnavailable)
	c := newCluster(t, hook(r.URL))
	r.arrived = make(chan string, 1000)
	d, _ := c.node(0)
	c.leader.Store(0)
	c.raise(names("n", 3)...)
	d.Wake()
	for range 3 {
		r.next(t)
	}
	r.answer.Store(http.StatusOK)
	c.eventually("they are delivered", c.closed)
	if events, again := r.counts(); events != 3 || again != 0 {
		t.Errorf("%d events, %d again", events, again)
	}
	if d, _ := c.view.Load().Alerts()[0].Delivery("w"); d.Attempts < 2 || d.Status != 200 || d.Fault != "" {
		t.Errorf("%+v", d)
	}
}

func TestASlowReceiverDelaysNoOther(t *testing.T) {
	slow, fast := newReceiver(t), newReceiver(t)
	slow.hold = make(chan struct{})
	ws, wf := hook(slow.URL), hook(fast.URL)
	ws.ID, wf.ID = "slow", "fast"
	c := newCluster(t, wf, ws)
	c.node(0)
	c.leader.Store(0)
	c.raise(names("n", 20)...)
	c.eventually("the fast one has everything", func() bool { events, _ := fast.counts(); return events == 20 })
	if events, _ := slow.counts(); events != 1 {
		t.Errorf("the slow one has %d at once", events)
	}
	if c.closed() {
		t.Error("closed although one receiver has not answered")
	}
	close(slow.hold)
	c.eventually("both have everything", c.closed)
	if events, again := slow.counts(); events != 20 || again != 0 {
		t.Errorf("%d events, %d again", events, again)
	}
}

func TestALeaderThatNoQuorumConfirmsSendsNothing(t *testing.T) {
	r := newReceiver(t)
	c := newCluster(t, hook(r.URL))
	c.split.Store(true)
	c.node(0)
	c.node(1)
	c.leader.Store(0)
	c.raise("n")
	c.eventually("it has asked several times", func() bool { return c.asked.Load() > 2 })
	if events, _ := r.counts(); events != 0 {
		t.Errorf("%d were sent", events)
	}
	c.split.Store(false)
	c.eventually("it is delivered", c.closed)
}

func TestWhatCouldNotBeNotedIsNotedLater(t *testing.T) {
	r := newReceiver(t)
	c := newCluster(t, hook(r.URL))
	c.refuse.Store(true)
	r.arrived = make(chan string, 10)
	c.node(0)
	c.leader.Store(0)
	c.raise("n")
	r.next(t)
	c.refuse.Store(false)
	c.eventually("it is noted", c.closed)
	if events, again := r.counts(); events != 1 || again != 0 {
		t.Errorf("%d events, %d again: what is known to be delivered was sent again", events, again)
	}
}

func TestAnEventForNobodyIsClosed(t *testing.T) {
	c := newCluster(t)
	c.node(0)
	c.leader.Store(0)
	c.raise("n")
	c.eventually("it is closed", c.closed)
}

func TestALeaderThatIsReplacedBreaksOff(t *testing.T) {
	r := newReceiver(t)
	r.hold, r.arrived = make(chan struct{}), make(chan string, 10)
	c := newCluster(t, hook(r.URL))
	c.node(0)
	c.node(1)
	c.raise("n")
	c.leader.Store(0)
	id := r.next(t)
	c.leader.Store(1)
	if again := r.next(t); again != id {
		t.Errorf("%s came after %s", again, id)
	}
	close(r.hold)
	c.eventually("it is delivered", c.closed)
}
