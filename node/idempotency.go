package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/directory"
	"purser/internal/idempotency"
	"purser/internal/idempotency/home"
	"purser/internal/store"
	"purser/internal/telemetry"
	"purser/ledger"
	"purser/proxy"
)

// onceKeys is this node's part in the idempotency keys of clients: it asks their homes for
// claims, and is a home itself if it is a member.
type onceKeys struct {
	n    *Node
	home *home.Home
	told chan struct{} // capacity 1: there is something to tell

	tellers sync.WaitGroup  // one for each home that is being told
	telling map[string]bool // by home; guarded by mu

	mu      sync.Mutex
	running map[idempotency.Token]struct{} // claims of requests under way
	gaveUp  map[idempotency.Token]struct{} // claims that were given up, the last of them
	order   []idempotency.Token            // of gaveUp, the oldest first

	verdicts [idempotency.Unavailable + 1]atomic.Int64
}

const (
	// onceWait bounds the wait for one home, holderWait that of a home for a holder, and
	// reportWait the time in which a home takes an answer.
	onceWait   = 3 * time.Second
	holderWait = time.Second
	reportWait = 10 * time.Second
	// claimTime bounds claiming as a whole, and what a home takes between looking who has
	// to grant and granting.
	claimTime = 30 * time.Second
	// callTime is how old a claim may be when the call is sent: far less than a key's
	// time, so that no call goes out under a claim that is over.
	callTime = 15 * time.Minute
	// maxGaveUp bounds the claims that are remembered as given up.
	maxGaveUp = 4096
	// tellTime is how long a node that stops tells homes how its last claims ended; what it
	// cannot tell it tells when it is back.
	tellTime = 2 * time.Second
	// onceEvery is how often what waits is tried again, and keys are swept.
	onceEvery = time.Second
)

// openIdempotency opens the keys, if they are on.
func (n *Node) openIdempotency(ctx context.Context) error {
	r := &n.cfg.Requests
	if r.IdempotencyTTL == 0 {
		return nil
	}
	key, err := n.openDataKey(ctx)
	if err != nil {
		return err
	}
	h, err := home.Open(n.store, key, home.Config{TTL: r.IdempotencyTTL, Keys: r.IdempotencyKeys, Bytes: r.IdempotencyStoreBytes}, n.onceTimes)
	if err != nil {
		return err
	}
	if n.rolledBack {
		n.log.Error("this node's store was rolled back to an older image: it grants no idempotency keys until those are over that it may have forgotten", "for", idempotency.Season)
		if err := h.RolledBack(); err != nil {
			return err
		}
	}
	o := &onceKeys{n: n, home: h, told: make(chan struct{}, 1), telling: map[string]bool{}, running: map[idempotency.Token]struct{}{}, gaveUp: map[idempotency.Token]struct{}{}}
	n.once.Store(o)
	return nil
}

// onceTimes is what time it may be: a key is over when the clock of this node and the
// ledger's time both say so.
func (n *Node) onceTimes() home.Times {
	own, of := now(), n.fsm.Now()
	return home.Times{Low: min(own, of), High: max(own, of)}
}

// noteRollback finds out whether the ledger has heard of later marks than this store has.
func (n *Node) noteRollback() error {
	seq, _, err := (marks{n.store}).LoadMarks()
	if err != nil {
		return err
	}
	for v := range n.fsm.Ledger().Nodes() {
		if string(v.ID) == n.cfg.Node.ID && v.Store == ledger.StoreID(n.store.Identity().ID) && seq < v.MarkSeq {
			n.rolledBack = true
		}
	}
	return nil
}

// members are those of the directory, as homes of a scope that began at since; of a node
// alone, itself.
func (o *onceKeys) members(since ledger.Instant) (list []idempotency.Member) {
	if o.n.peers == nil {
		return []idempotency.Member{{ID: o.n.cfg.Node.ID}}
	}
	for _, d := range o.n.fsm.Directory().Nodes() {
		if d.Role == directory.Member {
			list = append(list, idempotency.Member{
				ID: string(d.ID), Joined: d.Joined, Removed: d.State == directory.NodeRemoved, Forgotten: o.home.Forgotten(string(d.ID), since),
			})
		}
	}
	return list
}

// Claim implements proxy.Idempotency.
func (o *onceKeys) Claim(ctx context.Context, in *proxy.OnceAsk) proxy.OnceSaid {
	ask := &idempotency.Ask{Key: idempotency.MakeKey(in.Scope, in.Key), Print: in.Print, Request: in.Request, Since: in.Since}
	_, _ = rand.Read(ask.Token[:]) // never fails since Go 1.24
	began := time.Now()
	if !o.home.Room() {
		o.n.log.Warn("too many ends of idempotency keys wait for nodes that do not answer; none is claimed")
		return o.said(&idempotency.Reply{Verdict: idempotency.Unavailable}, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	o.begin(ask.Token)
	c := &claim{o: o, ask: ask, began: began}
	reply := c.gather(ctx)
	if reply.Verdict != idempotency.Granted {
		c.giveUp()
		if reply.Why != "" {
			o.n.log.Warn("an idempotency key could not be claimed; the request is refused", "request", in.Request, "why", reply.Why)
		}
	}
	return o.said(reply, c)
}

func (o *onceKeys) said(r *idempotency.Reply, c *claim) proxy.OnceSaid {
	o.verdicts[min(r.Verdict, idempotency.Unavailable)].Add(1)
	out := proxy.OnceSaid{Request: r.Request}
	switch r.Verdict {
	case idempotency.Granted:
		out.State, out.Claim = proxy.OnceGranted, c
	case idempotency.Replay:
		out.State, out.Answer = proxy.OnceReplay, onceAnswer(r.Answer)
	case idempotency.Running:
		out.State = proxy.OnceRunning
	case idempotency.Reused:
		out.State = proxy.OnceReused
	case idempotency.NotKept:
		out.State = proxy.OnceNotKept
	case idempotency.Unknown:
		out.State = proxy.OnceUnknown
	default:
		out.State = proxy.OnceUnavailable
	}
	return out
}

func (o *onceKeys) begin(t idempotency.Token) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running[t] = struct{}{}
}

func (o *onceKeys) end(t idempotency.Token, gaveUp bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.running, t)
	if !gaveUp {
		return
	}
	o.gaveUp[t] = struct{}{}
	if o.order = append(o.order, t); len(o.order) > maxGaveUp {
		delete(o.gaveUp, o.order[0])
		o.order = o.order[1:]
	}
}

// word is what this node says of a claim of its own.
func (o *onceKeys) word(t idempotency.Token) idempotency.Word {
	o.mu.Lock()
	_, runs := o.running[t]
	_, gaveUp := o.gaveUp[t]
	o.mu.Unlock()
	switch {
	case runs:
		return idempotency.Runs
	case gaveUp:
		return idempotency.GaveUp
	case o.home.Pending(t):
		return idempotency.Ended
	default:
		return idempotency.NoneOfMine
	}
}

// claim is a claim of this node's: it implements proxy.OnceClaim.
type claim struct {
	o     *onceKeys
	ask   *idempotency.Ask
	began time.Time
	homes []string // that have granted it, or may have, and are to hear how it ends
	taken bool     // there was such a home
}

// gather asks homes until all that have to have granted the claim, or one says why not.
func (c *claim) gather(ctx context.Context) *idempotency.Reply {
	o := c.o
	members := o.members(c.ask.Since)
	chain := idempotency.Chain(members, c.ask.Key, c.ask.Since, o.n.onceTimes().Low)
	if len(chain.IDs) == 0 {
		return unavailable("no member is known")
	}
	way := idempotency.Gather(chain.IDs[0])
	for {
		home, more := way.Next()
		if !more {
			break
		}
		reply, err := o.askHome(ctx, home, c.ask)
		if err != nil {
			reply = nil
		}
		way.Hear(reply, fmt.Sprint(err))
	}
	c.homes, c.taken = way.Taken, len(way.Taken) > 0
	reply := way.Outcome()
	if reply.Verdict == idempotency.Granted && time.Since(c.began) > claimTime {
		return unavailable("claiming took too long")
	}
	if reply.Verdict != idempotency.Granted && !o.home.Spare() {
		// While many wait for a home that is away, this node remembers for itself that
		// it gave these up.
		c.homes = slices.DeleteFunc(c.homes, func(h string) bool { return slices.Contains(way.Doubtful, h) })
	}
	return reply
}

// giveUp takes back what was granted of a claim that is none: nothing was sent.
func (c *claim) giveUp() {
	c.finish(idempotency.Released, nil)
}

// Good implements proxy.OnceClaim. Both clocks count: one of them may stand still while
// the machine sleeps.
func (c *claim) Good() bool {
	return time.Since(c.began) < callTime && time.Now().Round(0).Sub(c.began.Round(0)).Abs() < callTime
}

// End implements proxy.OnceClaim.
func (c *claim) End(how proxy.OnceEnd, a *proxy.OnceAnswer) {
	switch how {
	case proxy.OnceReleased:
		c.finish(idempotency.Released, nil)
	case proxy.OnceKept:
		c.finish(idempotency.Kept, keptAnswer(a))
	case proxy.OnceUnkept:
		c.finish(idempotency.Unkept, nil)
	default:
		c.finish(idempotency.Doubtful, nil)
	}
}

// finish takes down how the claim ended, here and for the other homes. What cannot be
// written leaves the claim, for a call that may have been made.
func (c *claim) finish(how idempotency.Ending, a *idempotency.Answer) {
	o, report := c.o, idempotency.Report{Key: c.ask.Key, Token: c.ask.Token, Ending: how, Answer: a}
	var errs []error
	others := slices.DeleteFunc(slices.Clone(c.homes), func(h string) bool { return h == o.n.cfg.Node.ID })
	if len(others) > 0 {
		errs = append(errs, o.home.Send(&home.Parcel{Report: report, Homes: others, At: o.n.onceTimes().High}))
	}
	if len(others) < len(c.homes) {
		errs = append(errs, o.home.End(&report, store.Buffered))
	}
	o.end(c.ask.Token, how == idempotency.Released && c.taken) // nobody asks for what nobody has granted
	if err := errors.Join(errs...); err != nil {
		o.n.log.Error("how a request with an idempotency key ended could not be kept; its key stays taken until its time is over", "request", c.ask.Request, "error", err)
	}
	select {
	case o.told <- struct{}{}:
	default:
	}
}

func keptAnswer(a *proxy.OnceAnswer) *idempotency.Answer {
	out := &idempotency.Answer{Status: a.Status, Body: a.Body, Served: a.Served}
	for _, f := range a.Header {
		out.Header = append(out.Header, idempotency.Field{Name: f.Name, Value: f.Value})
	}
	return out
}

func onceAnswer(a *idempotency.Answer) *proxy.OnceAnswer {
	out := &proxy.OnceAnswer{Status: a.Status, Body: a.Body, Served: a.Served}
	for _, f := range a.Header {
		out.Header = append(out.Header, proxy.HeaderField{Name: f.Name, Value: f.Value})
	}
	return out
}

// onceNames name what a claim came to, for metrics.
var onceNames = map[idempotency.Verdict]string{
	idempotency.Granted: "granted", idempotency.Running: "conflict", idempotency.Reused: "reused", idempotency.Replay: "replayed",
	idempotency.NotKept: "not_kept", idempotency.Unknown: "unknown", idempotency.Unavailable: "unavailable",
}

// onceCounts are for the metrics.
func (n *Node) onceCounts() (telemetry.Idempotency, bool) {
	o := n.once.Load()
	if o == nil {
		return telemetry.Idempotency{}, false
	}
	out := telemetry.Idempotency{Claims: map[string]int64{}, Waiting: o.home.Waiting()}
	out.Keys, out.Bytes = o.home.Kept()
	for v, name := range onceNames {
		out.Claims[name] = o.verdicts[v].Load()
	}
	return out, true
}
