package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/port"
	"purser/internal/purse"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
	"purser/node"
	"purser/raftfsm"
)

// member is a node through all its lives: its name and its disks.
type member struct {
	w      *world
	name   string
	number int
	raft   string // directory of Raft's files
	timing cluster.Timing

	// mu is held shared while a life does what must be wholly before or wholly
	// after its death, and alone by the death.
	mu     sync.RWMutex
	disk   *vfs.MemFS // of Pebble
	life   *life      // nil while it is down
	fenced bool
	buried sync.WaitGroup // earlier lives whose goroutines still end
}

// life is a node from a start to a death.
type life struct {
	m    *member
	dead bool // guarded by m.mu

	ctx    context.Context
	cancel context.CancelFunc
	booted chan struct{} // booting is over, well or not
	ready  chan struct{} // closed when the purse is open
	work   sync.WaitGroup

	store       *store.Store
	usage       *usage.Journal
	port        *port.Port
	proof       *port.Credentials
	clients     *peer.Clients
	server      *peer.Server
	fsm         *observed
	raft        *cluster.Node
	proposer    *raftfsm.Proposer
	purse       *purse.Purse
	unsubscribe func()
	nudges      chan contention
	deaf        atomic.Pointer[func(ledger.Command) bool] // whose answers are lost; nil: none
	unheard     atomic.Uint64                             // answers that were lost
	rules       struct {
		sync.Mutex
		version uint64
		served  int // budgets that the purse knows
	}
}

// start begins a life of the node, which must be down.
func (m *member) start(found bool) *life {
	m.buried.Wait() // the files of the last one must be closed
	l := &life{m: m, booted: make(chan struct{}), ready: make(chan struct{}), nudges: make(chan contention, 64)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	m.mu.Lock()
	if m.life != nil {
		panic("cluster: " + m.name + " is running")
	}
	m.life = l
	m.mu.Unlock()
	go func() {
		defer close(l.booted)
		if err := l.boot(found); err != nil {
			l.fatal(fmt.Errorf("start: %w", err))
			return
		}
		close(l.ready)
	}()
	return l
}

// kill ends the life at this moment: of what was not synced so many percent are
// kept, every connection breaks, and nothing that its goroutines do from now on
// reaches anyone. It does not wait for them.
func (m *member) kill(percent int, rng *rand.Rand) {
	m.mu.Lock()
	l := m.life
	if l == nil {
		m.mu.Unlock()
		return
	}
	l.dead, m.life = true, nil
	m.disk = m.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	m.w.mesh.Place(m.name, "")
	m.mu.Unlock()
	m.w.mesh.Drop(m.name)
	l.cancel()
	m.buried.Go(l.close)
}

// running is the node's life, nil while it is down or not ready.
func (m *member) running() *life {
	m.mu.RLock()
	l := m.life
	m.mu.RUnlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.ready:
		return l
	default:
		return nil
	}
}

// alive does something before the life's death, or reports that it is over.
func (l *life) alive(do func()) bool {
	l.m.mu.RLock()
	defer l.m.mu.RUnlock()
	if l.dead {
		return false
	}
	do()
	return true
}

// fatal is the end of a process by its own word. After a fence it is right.
func (l *life) fatal(err error) {
	var rejected *purse.RejectedError
	expected := !l.alive(func() {})
	if errors.As(err, &rejected) && rejected.Code == ledger.FencedNode {
		l.m.mu.Lock()
		expected = expected || l.m.fenced
		l.m.mu.Unlock()
	}
	if !expected {
		l.m.w.wrong(fmt.Sprintf("node %s ends by itself: %v", l.m.name, err))
	}
	// The caller may hold any lock and must not be waited for.
	l.m.w.aside.Go(func() { l.m.kill(0, rand.New(rand.NewPCG(1, 2))) })
}

func (l *life) boot(found bool) error {
	m, w := l.m, l.m.w
	var err error
	if l.store, err = store.Open(store.Options{Dir: "store", FS: m.disk, CacheBytes: 8 << 20, Fatal: l.fatal, Log: w.log}); err != nil {
		return err
	}
	if l.usage, err = usage.Open(l.store, usage.DefaultConfig()); err != nil {
		return err
	}
	if err := l.bootRaft(found); err != nil {
		return err
	}
	if err := l.raft.WaitReady(l.ctx, l.readIndex); err != nil {
		return l.unlessDead(err)
	}
	cfg := w.purse
	cfg.Node, cfg.Store = ledger.NodeID(m.name), l.store.Identity().ID
	p, err := purse.Open(l.ctx, cfg, purse.Seams{
		Exchanger: exchanger{l}, Marks: node.LeaseStore(l.store, l.usage, w.log), Proofs: l.proven,
		Fatal: l.fatal, Wall: w.wall, Log: w.log,
	})
	if err != nil {
		return l.unlessDead(err)
	}
	l.purse = p
	l.unsubscribe = l.fsm.Subscribe(func(raftfsm.Versions) { l.serveRules() })
	l.serveRules()
	l.work.Go(func() { l.proposer.Sweep(l.ctx, tickEvery, l.raft.Leader) })
	l.work.Go(l.nudge)
	return nil
}

const tickEvery = 250 * time.Millisecond

func (l *life) bootRaft(found bool) error {
	m, w := l.m, l.m.w
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	identity, err := w.authority.Issue(m.name, time.Now())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	l.proof = port.NewCredentials(&w.authority.Root, identity, time.Now)
	l.port = port.New(listener, l.proof, w.log)
	l.clients = peer.NewClients(l.proof)
	l.fsm = &observed{FSM: raftfsm.New(), life: l}
	l.raft, err = cluster.Open(cluster.Config{
		Dir: filepath.Join(m.raft, "raft"), NodeID: m.name, FSM: l.fsm, Exit: l.fatal, Log: w.log,
		Peers: &cluster.Peers{
			Streams: lane{l.port.Lane(port.Raft), l}, Advertise: addressOf(m.name), Found: found, Timing: m.timing,
		},
	})
	if err != nil {
		return errors.Join(err, l.port.Lane(port.Raft).Close())
	}
	l.proposer = raftfsm.NewProposer(l.raft, l.fsm.FSM, w.clock, l)
	l.proposer.Contended = l.contended
	l.server = peer.Serve(l.port, l.service())
	l.port.Run()
	l.alive(func() { w.mesh.Place(m.name, listener.Addr().String()) })
	return nil
}

// addressOf is a node's address in Raft's configuration. Links are found by name.
func addressOf(name string) string { return name + ":1" }

func (l *life) unlessDead(err error) error {
	if l.ctx.Err() != nil {
		return nil
	}
	return err
}

func (l *life) proven(account ledger.AccountKey, incarnation uint32) (purse.Proof, error) {
	spent, err := l.usage.Proven(account, incarnation)
	if err != nil {
		return purse.Proof{}, err
	}
	overrun, err := l.usage.ProvenOverrun(account, incarnation)
	return purse.Proof{Spent: spent, Overrun: overrun}, err
}

func (l *life) serveRules() {
	l.rules.Lock()
	defer l.rules.Unlock()
	var list []ledger.Budget
	for b := range l.fsm.Ledger().Budgets() {
		list = append(list, *b)
	}
	l.rules.version++
	l.purse.SetRules(list, l.rules.version)
	l.rules.served = len(list)
}

// knows is how many budgets the node's requests are held against.
func (l *life) knows() int {
	l.rules.Lock()
	defer l.rules.Unlock()
	return l.rules.served
}

// close ends the goroutines of a life. Errors are of a dead process.
func (l *life) close() {
	l.cancel()
	<-l.booted
	l.work.Wait()
	if l.unsubscribe != nil {
		l.unsubscribe()
	}
	if l.purse != nil {
		l.purse.Close()
	}
	if l.proposer != nil {
		l.proposer.Close()
	}
	if l.raft != nil {
		_ = l.raft.Close()
	}
	if l.clients != nil {
		l.clients.Close()
	}
	if l.server != nil {
		l.server.Close()
	}
	if l.port != nil {
		_ = l.port.Close()
	}
	if l.usage != nil {
		_ = l.usage.Close()
	}
	if l.store != nil {
		_ = l.store.Close()
	}
}

// observed tells the world's log what is applied.
type observed struct {
	*raftfsm.FSM
	life *life
}

// Apply implements raft.FSM.
func (o *observed) Apply(e *raft.Log) any {
	out := o.FSM.Apply(e)
	w := o.life.m.w
	w.applied.Apply(o.life.m.name, e.Index, e.Term, w.at(), e.Data, out, o.Ledger())
	return out
}
