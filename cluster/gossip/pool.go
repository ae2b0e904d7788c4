package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// leaveTime is how long a leaving node tries to tell the others, twice, in gossip
// intervals: each sends to several of them.
const leaveTime = 3

// Pool is this node among the members it has heard of.
type Pool struct {
	cfg     Config
	list    *memberlist.Memberlist
	library *memberlist.Config
	address string
	meta    atomic.Pointer[[]byte] // encoded
	table   table

	foreign   atomic.Uint64
	strangers pace // of log records
	conflicts pace

	mu      sync.Mutex // one Update or Close at a time
	said    record
	closed  bool
	failure error
}

// Start listens and begins to gossip, with nobody until [Pool.Join]. Errors that
// wrap [ErrListen] are about the address.
func Start(cfg Config) (*Pool, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	listen, advertise, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, said: record{Meta: cfg.Meta, cluster: cfg.Label}}
	p.table.self, p.table.rows = cfg.Node, map[string]*row{}
	encoded, err := p.said.encode()
	if err != nil {
		return nil, err
	}
	p.meta.Store(&encoded)
	if p.library, err = cfg.library(); err != nil {
		return nil, err
	}
	d, err := openDoor(listen, &cfg, p.turnAway)
	if err != nil {
		return nil, err
	}
	port := d.GetAutoBindPort()
	p.address = net.JoinHostPort(advertise.String(), strconv.Itoa(port))
	lc := p.library
	lc.Transport, lc.BindAddr, lc.BindPort = d, listen.Addr().String(), port
	lc.AdvertiseAddr, lc.AdvertisePort = advertise.String(), port
	own := delegate{p}
	lc.Delegate, lc.Events, lc.Alive, lc.Merge, lc.Conflict, lc.Ping = own, own, own, own, own, own
	if p.list, err = memberlist.Create(lc); err != nil {
		return nil, errors.Join(fmt.Errorf("starting gossip: %w", err), d.Shutdown())
	}
	return p, nil
}

// Address is where others reach this pool, IP:port.
func (p *Pool) Address() string { return p.address }

// Join tells the members at some addresses, IP:port, of this one, and learns whom
// they know. It returns how many answered, and an error if none did. It waits for
// them, until Close.
func (p *Pool) Join(addresses []string) (int, error) {
	for _, a := range addresses {
		if _, err := netip.ParseAddrPort(a); err != nil {
			return 0, fmt.Errorf("where a member gossips: %w", err)
		}
	}
	n, err := p.list.Join(addresses)
	if err != nil {
		return n, fmt.Errorf("joining in gossip: %w", err)
	}
	return n, nil
}

// Members is who is known, this node among them, in the order of their ids.
func (p *Pool) Members() []Member {
	return p.table.list(time.Now(), p.probing())
}

// Member is one of [Pool.Members].
func (p *Pool) Member(id string) (Member, bool) { return p.table.get(id, time.Now(), p.probing()) }

// probing is how long a probe takes, with room to spare: a node that is slow itself
// probes more slowly.
func (p *Pool) probing() time.Duration {
	return time.Duration(1+p.list.GetHealthScore()) * p.library.ProbeInterval
}

// Foreign is how many packets, streams and members were turned away because they
// are of another cluster, or of no gossip at all.
func (p *Pool) Foreign() uint64 { return p.foreign.Load() }

// Update replaces what this node says of itself. The others hear of it in time; it
// does not wait for that.
func (p *Pool) Update(m Meta) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	next := p.said
	next.Meta = m
	return p.sayLocked(next, time.Nanosecond)
}

// sayLocked lets the others know, and waits until some have been told or the time
// is over.
func (p *Pool) sayLocked(next record, wait time.Duration) error {
	encoded, err := next.encode()
	if err != nil {
		return err
	}
	p.said = next
	p.meta.Store(&encoded)
	_ = p.list.UpdateNode(wait) // its only error is that the time is over
	return nil
}

// Close tells the others that this node leaves, for as long as that takes or a few
// gossip intervals, and ends everything.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.failure
	}
	p.closed = true
	wait := leaveTime * p.library.GossipInterval
	// The library says who is gone, not why: whoever hears this first takes it for
	// a leave, otherwise for a failure.
	leaving := p.said
	leaving.leaving = true
	p.failure = p.sayLocked(leaving, wait)
	if err := p.list.Leave(wait); err != nil {
		p.cfg.Log.Debug("leaving gossip", "part", "gossip", "error", err)
	}
	p.failure = errors.Join(p.failure, p.list.Shutdown())
	return p.failure
}

// turnAway counts what is not of this cluster.
func (p *Pool) turnAway(from, label string) {
	n := p.foreign.Add(1)
	if p.strangers.may(time.Now()) {
		p.cfg.Log.Warn("gossip of another cluster was turned away", "part", "gossip", "from", from, "label", label, "cluster", p.cfg.Label, "so_far", n)
	}
}
