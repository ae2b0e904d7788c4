package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/edge"
	"purser/cluster"
	"purser/internal/attempts"
	"purser/internal/audit/archive"
	"purser/internal/audit/recorder"
	"purser/internal/copies"
	"purser/internal/live"
	"purser/internal/purse"
	"purser/internal/store"
	"purser/internal/telemetry"
	"purser/internal/telemetry/otlp"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/price"
	"purser/proxy/upstream/googletoken"
	"purser/raftfsm"
	"purser/semcache/qdrant"
)

// Node is a running node.
type Node struct {
	cfg     Config
	version string
	log     *slog.Logger
	began   time.Time
	fatal   func(error)

	store       *store.Store
	usage       *usage.Journal
	live        live.Hub
	copies      *copies.Copies // nil: this node is alone
	charges     charges
	adjusting   adjusting
	doubtful    doubtful
	fsm         *raftfsm.FSM
	raft        replica
	proposer    *raftfsm.Proposer
	peers       *peers      // nil: this node is alone
	colleagues  *colleagues // with peers
	member      *member     // with peers, one of the two
	follower    *follower   // this node is a gateway
	purse       *purse.Purse
	purseNow    atomic.Pointer[purse.Purse] // the same, for peers that ask while it is opened
	keys        keyRing
	objects     ruleBook
	mappings    mappings
	alerts      *alerts
	anomalies   *anomalies // nil: they are not watched
	exporting   *exporting
	vault       *keyVault
	redactor    *redactor
	compressors compressors
	current     *currency
	cache       *cache
	shared      *qdrant.Tier   // nil: no semantic tier in common with other nodes
	semantic    *semanticCache // nil: there is none
	learner     *learner
	outcomes    atomic.Pointer[judged]   // once it is open, for peers that ask before
	once        atomic.Pointer[onceKeys] // idempotency keys, once they are open, for peers that ask before; nil: they are off
	rolledBack  bool                     // the store is older than what the ledger knows of it
	sharing     sharing
	prices      *price.Catalogue
	upstreams   []*proxy.Upstream
	tokens      []*googletoken.Source // of the upstreams that want them
	gateway     *proxy.Gateway
	recorder    *recorder.Recorder
	trail       *archive.Archive // nil on a gateway
	edge        *edge.Server
	metrics     *telemetry.Metrics
	telemetry   *otlp.Sink // nil: nothing is sent to an OpenTelemetry receiver

	adminTokens tokenTable
	keyAttempts attempts.Table // with virtual keys that nobody has
	attempts    attempts.Table // with credentials of administration that are no good

	unsubscribe func()
	background  sync.WaitGroup
	stop        context.CancelFunc // ends what base bounds: waits, pumps, the housekeeping
	ending      <-chan struct{}    // closed by stop
	rules       sync.Mutex         // one refresh at a time
	served      raftfsm.Versions   // by the last one
	refreshed   bool               // there was one
	ruleSerial  uint64
	counted     atomic.Pointer[map[ledger.BudgetID]counted]
	serving     struct{ nodes, at atomic.Int64 } // nodes that share the requests, and when they were counted, unix nanoseconds
	breakers    *breakers
	loops       *loops
	pacer       *pacer
	efficiency  chan struct{} // capacity 1: one report at a time, for it reads every record
	draining    atomic.Bool
	running     bool
}

// Of the data directory; see also credentials.go.
const (
	raftDir  = "raft"
	storeDir = "store"
)

// startWait bounds the wait for the ledger: a node alone elects itself within a
// second, after it has read its log again; one of several needs a quorum.
const startWait = 2 * time.Minute

// Open starts every part of a node but the edge. fatal must end the process.
func Open(ctx context.Context, cfg Config, version string, log *slog.Logger, fatal func(error)) (*Node, error) {
	n := &Node{cfg: cfg, version: version, log: log, began: time.Now(), fatal: fatal, pacer: newPacer(), efficiency: make(chan struct{}, 1)}
	events := toldEvents{log, func() Events {
		if n.alerts == nil {
			return nil
		}
		return n.alerts
	}}
	n.charges = charges{wanted: map[usage.Shelf]*counting{}, kick: make(chan struct{}, 1)}
	n.breakers, n.loops = newBreakers(events), newLoops(events)
	n.learner = &learner{rules: &n.objects}
	base, stop := context.WithCancel(context.Background())
	n.stop, n.ending = stop, base.Done()
	err := n.open(ctx, base)
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *Node) open(ctx, base context.Context) error {
	var err error
	if n.anomalies, err = newAnomalies(n); err != nil { // before other nodes ask
		return err
	}
	if err := n.openStore(); err != nil {
		return err
	}
	n.vault = openVault(&n.cfg, n.log)
	if err := n.openLedger(ctx); err != nil {
		return err
	}
	if err := n.noteRollback(); err != nil { // before the purse makes new marks
		return err
	}
	n.openAlerts()
	n.openExports()
	n.metrics = telemetry.New(telemetry.Gauges{
		Holds:   func() float64 { return float64(n.purse.Outstanding()) },
		Ready:   n.readiness,
		Applied: func() float64 { return float64(n.raft.Stats().Applied) },
		Gossip:  n.gossipAlive, Foreign: n.gossipForeign,
		Followers: n.followers, Copies: n.copyLag, Alerts: func() float64 { return float64(n.fsm.Directory().OpenAlerts()) }, Upstreams: n.upstreamHealth,
		Breakers: n.breakers.count, Loops: n.loops.counts, Shared: n.sharedTier, Caches: n.cacheCounts, Exports: n.exporting.failing,
		Idempotency: n.onceCounts,
		Budgets:     n.budgetAmounts, Sent: n.sentTelemetry,
	})
	if err := n.openRedactions(); err != nil {
		return err
	}
	if n.compressors, err = openCompressors(&n.cfg.Compression); err != nil {
		return err
	}
	if err := n.openPurse(ctx); err != nil {
		return err
	}
	if err := n.openTrail(); err != nil {
		return err
	}
	n.current = &currency{ttl: n.cfg.Purse.AuthorityTTL, confirm: n.confirm}
	if n.peers != nil {
		n.peers.gossip.registered(n.purse.Incarnation())
	}
	if err := n.openCache(ctx); err != nil {
		return err
	}
	if err := n.openSemantic(ctx); err != nil {
		return err
	}
	if err := n.openIdempotency(ctx); err != nil {
		return err
	}
	n.openOutcomes()
	if err := n.openUpstreams(ctx); err != nil {
		return err
	}
	if err := n.openTelemetry(); err != nil {
		return err
	}
	if err := n.openGateway(base); err != nil {
		return err
	}
	n.work(base)
	return n.openEdge()
}

func (n *Node) openStore() error {
	s, err := store.Open(store.Options{Dir: filepath.Join(n.cfg.Node.DataDir, storeDir), Fatal: n.fatal, Log: n.log})
	if err != nil {
		return err
	}
	n.store = s
	if n.usage, err = usage.Open(s, usage.DefaultConfig()); err != nil {
		return err
	}
	n.openCopies()
	return nil
}

// openLedger starts Raft, or on a gateway follows a member, and waits until
// everything acknowledged by then is applied.
func (n *Node) openLedger(ctx context.Context) error {
	n.fsm = raftfsm.New()
	if err := n.openPeers(); err != nil {
		return err
	}
	var route raftfsm.Route
	if n.peers != nil {
		route = n.peers
	}
	wait := func(ctx context.Context) error { return n.follower.begin(ctx) }
	if n.follower != nil {
		n.raft = n.follower.following
	} else {
		r, err := n.openRaft()
		if err != nil {
			return err
		}
		n.raft = r
		wait = func(ctx context.Context) error { return r.WaitReady(ctx, nil) }
	}
	n.proposer = raftfsm.NewProposer(n.raft, n.fsm, raftfsm.SystemClock(), route)
	n.openRecorder()
	if m := n.member; m != nil {
		n.proposer.Contended, n.proposer.Readable, n.proposer.Fit = m.contended, m.readable, m.fit
		wait = m.begin
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := wait(ctx); err != nil {
		return fmt.Errorf("waiting for the ledger: %w", err)
	}
	return nil
}

// openRaft opens the log of a node that is alone or a member.
func (n *Node) openRaft() (*cluster.Node, error) {
	seq, _, err := (marks{n.store}).LoadMarks()
	if err != nil {
		return nil, err
	}
	cfg := cluster.Config{
		Dir: filepath.Join(n.cfg.Node.DataDir, raftDir), NodeID: n.cfg.Node.ID, Existed: seq > 0,
		FSM: n.fsm, Exit: n.fatal, Log: n.log,
	}
	if n.member != nil {
		cfg.Peers = n.member.raftPeers()
	}
	r, err := cluster.Open(cfg)
	if err == nil && n.member != nil {
		n.member.raft = r
		n.member.opened.Store(r)
	}
	return r, err
}

// refresh gives the request path what the versions name, if it has not got it.
func (n *Node) refresh(v raftfsm.Versions) {
	n.rules.Lock()
	defer n.rules.Unlock()
	if n.refreshed && v.Keys <= n.served.Keys && v.Budgets <= n.served.Budgets {
		return
	}
	directory := n.fsm.Directory()
	n.keys.swap(directory)
	n.serveBudgets()
	if !n.refreshed || v.Objects > n.served.Objects {
		n.adminTokens.compile(directory, n.log)
		n.vault.serve(directory)
		n.objects.compile(directory, n.log) // last: it takes longest
		n.learner.prepare(n.log)
	}
	n.refreshed, n.served = true, v
}

// serveBudgets gives the purse the rules as they are now.
func (n *Node) serveBudgets() {
	var list []ledger.Budget
	var raises []ledger.Raise
	kinds := map[ledger.BudgetID]counted{}
	trips := map[ledger.BudgetID][]ledger.BreakerTrip{}
	state := n.fsm.Ledger()
	for b := range state.Budgets() {
		list = append(list, *b)
		raises = append(raises, state.Raises(b.ID)...)
		kinds[b.ID] = counted{b.Unit, b.Window.Kind}
		if t := state.Trips(b.ID); t != nil {
			trips[b.ID] = t
		}
	}
	n.ruleSerial++
	n.counted.Store(&kinds)
	n.breakers.swap(trips)
	n.purse.SetRules(list, n.ruleSerial, raises...)
}

// Serve answers requests on ln until Close.
func (n *Node) Serve(ln net.Listener) error {
	n.running = true
	return n.edge.Serve(ln)
}

// State is starting, ready, unready (no authority) or draining.
func (n *Node) State() string {
	switch {
	case n.draining.Load():
		return "draining"
	case n.purse.Snapshot().Admitting && n.current.err() == nil:
		return "ready"
	default:
		return "unready"
	}
}

func (n *Node) readiness() float64 {
	if n.State() == "ready" {
		return 1
	}
	return 0
}

// followers is how many gateways follow this node.
func (n *Node) followers() float64 {
	if n.member == nil {
		return 0
	}
	return float64(n.member.followed.count())
}

// Close drains the node: no new requests, those under way end or are broken off
// when ctx ends, the leases return, the stores close.
func (n *Node) Close(ctx context.Context) error {
	n.draining.Store(true)
	n.gateway.Drain()
	n.live.Close() // who watches would keep the edge open
	err := n.edge.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("ending the requests under way: %w", err)
	}
	ended := make(chan struct{})
	go func() { n.gateway.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		// What still runs is broken off at the upstream, and charged its hold.
		n.stop()
		n.closeUpstreams()
		<-ended
	}
	if o := n.once.Load(); o != nil {
		telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
		o.flush(telling)
		cancel()
	}
	returning, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
	defer cancel()
	if e := n.purse.Drain(returning); e != nil {
		err = errors.Join(err, fmt.Errorf("returning the leases (they stay outstanding until this node starts again): %w", e))
	}
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if e := n.recorder.Flush(flushing); e != nil {
		n.log.Warn("the audit trail did not take what this node has for it", "error", e)
	}
	sealing, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealTime)
	defer cancel()
	if e := n.copies.Close(sealing); e != nil {
		n.log.Warn("the peer of this node may lack its last usage records until it is back", "error", e)
	}
	if n.member != nil && n.raft.Leader() {
		// The others need not find out by waiting. If nobody can, they will.
		if e := n.member.raft.Transfer(""); e != nil {
			n.log.Info("stopping as leader", "error", e)
		}
	}
	return errors.Join(err, n.close())
}

// returnTime is how long a stopping node tries to return its leases.
const returnTime = 10 * time.Second
