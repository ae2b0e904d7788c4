//go:build linux

package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"purser/jepsen-style-tests/links"
)

// proxies carries TCP between hosts that are addresses of the loopback device. In
// front of each listener that is advertised is a proxy, on an address of its own
// with the same port.
type proxies struct {
	seed    uint64
	log     func(string, ...any)
	block   netip.Prefix
	claim   net.Listener // keeps other labs off the block
	owners  owners
	done    chan struct{}
	working sync.WaitGroup

	mu      sync.Mutex
	hosts   map[netip.Addr]*Host
	doors   map[netip.AddrPort]net.Listener // by what they are in front of
	flows   map[Pair]*links.Flow
	cut     map[Pair]bool
	dropped map[Pair]int64
	lifted  chan struct{} // closed at the next change of cut
	conns   map[*proxied]struct{}
	waiting int // connections for a cut to be lifted
	closed  bool
}

// proxied is a connection that a host dialled.
type proxied struct {
	Pair
	*links.Conn
}

const (
	// blocks is how many labs there can be at a time: each takes a /24 of 127.77.0.0/16.
	blocks = 256
	// claimed is the address and port that a lab listens on to own its block.
	claimed, claimPort = 254, 7777
	// front is added to the last byte of a host's address for its proxies.
	front = 100
	// maxBlackholed bounds the connections that wait for a cut to be lifted.
	maxBlackholed = 1024
	proxyDialWait = time.Second
)

func newProxies(seed uint64, log func(string, ...any)) (*proxies, error) {
	p := &proxies{
		seed: seed, log: log, done: make(chan struct{}), lifted: make(chan struct{}),
		hosts: map[netip.Addr]*Host{}, doors: map[netip.AddrPort]net.Listener{}, flows: map[Pair]*links.Flow{},
		cut: map[Pair]bool{}, dropped: map[Pair]int64{}, conns: map[*proxied]struct{}{},
	}
	p.owners.byPID = map[int]*Host{}
	var err error
	for i := range blocks {
		block := netip.AddrFrom4([4]byte{127, 77, byte(os.Getpid() + i)})
		p.block = netip.PrefixFrom(block, 24)
		if p.claim, err = net.Listen("tcp4", netip.AddrPortFrom(numbered(p.block, claimed), claimPort).String()); err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no part of 127.77.0.0/16 is free for a lab: %w", err)
}

// join gives a host its address, and a thread that starts its processes.
func (p *proxies) join(h *Host) error {
	t, err := newThread(false)
	if err != nil {
		return err
	}
	h.thread, h.ip = t, numbered(p.block, h.number)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range p.hosts {
		p.flows[Pair{h.name, other.name}] = links.NewFlow(p.seed, stream(h, other))
		p.flows[Pair{other.name, h.name}] = links.NewFlow(p.seed, stream(other, h))
	}
	p.hosts[h.ip] = h
	return nil
}

// advertise puts a proxy in front of an address.
func (p *proxies) advertise(h *Host, listen netip.AddrPort) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return "", errClosed
	}
	if door := p.doors[listen]; door != nil {
		return door.Addr().String(), nil
	}
	door, err := net.Listen("tcp4", netip.AddrPortFrom(numbered(p.block, h.number+front), listen.Port()).String())
	if err != nil {
		return "", fmt.Errorf("a proxy for %s: %w", h.name, err)
	}
	p.doors[listen] = door
	p.working.Go(func() { p.serve(door, h, listen) })
	return door.Addr().String(), nil
}

// dial goes from the host's own address, by which its proxies know it.
func (p *proxies) dial(ctx context.Context, from *Host, network string, to netip.AddrPort) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, fmt.Errorf("%s: only TCP has proxies: %w", network, ErrUnsupported)
	}
	p.mu.Lock()
	host := p.hosts[to.Addr()]
	p.mu.Unlock()
	if host != nil && host != from {
		return nil, fmt.Errorf("%v is where %s listens: dial what its Advertise returns, or no rule is followed", to, host.name)
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.ip, 0))}
	return d.DialContext(ctx, network, to.String())
}

func (p *proxies) start(h *Host, cmd *exec.Cmd) error { return p.owners.start(h, cmd) }

func (p *proxies) set(pair Pair, r Rule) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows[pair]
	if f == nil {
		return fmt.Errorf("no link from %s to %s", pair.From, pair.To)
	}
	f.Set(func(s *links.State) { *s = links.State{Held: r.Hold, Delay: r.Delay, Jitter: r.Jitter, Rate: r.Rate} })
	p.cut[pair] = r.Drop
	if r.Drop {
		for c := range p.conns {
			if c.Pair == pair || c.Pair == (Pair{pair.To, pair.From}) {
				p.dropped[pair]++
				c.End()
			}
		}
	}
	close(p.lifted)
	p.lifted = make(chan struct{})
	return nil
}

func (p *proxies) counts() map[Pair]Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[Pair]Counts{}
	for pair, f := range p.flows {
		c := f.Counts()
		out[pair] = Counts{Packets: c.Pieces, Bytes: c.Bytes, Held: c.Held, Delayed: c.Delayed, Dropped: p.dropped[pair]}
	}
	return out
}

func (p *proxies) close() error {
	p.mu.Lock()
	p.closed = true
	close(p.done)
	errs := []error{p.claim.Close()}
	for _, door := range p.doors {
		errs = append(errs, door.Close())
	}
	for c := range p.conns {
		c.End()
	}
	p.mu.Unlock()
	p.working.Wait()
	return errors.Join(errs...)
}

// serve carries what is dialled at a host's door.
func (p *proxies) serve(door net.Listener, to *Host, listen netip.AddrPort) {
	for {
		near, err := door.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				p.log("netlab: nobody reaches %v of %s: accept: %v", listen, to.name, err)
			}
			return
		}
		p.working.Go(func() {
			if err := p.carry(near.(*net.TCPConn), to, listen); err != nil {
				p.log("netlab: a connection to %v of %s was refused: %v", listen, to.name, err)
			}
		})
	}
}

// carry carries a connection until it ends. It returns why there is none.
func (p *proxies) carry(near *net.TCPConn, to *Host, listen netip.AddrPort) error {
	from, err := p.dialler(near)
	if err != nil {
		return errors.Join(err, reset(near))
	}
	pair := Pair{from.name, to.name}
	if err := p.passable(pair); err != nil {
		return errors.Join(err, reset(near))
	}
	far, err := net.DialTimeout("tcp4", listen.String(), proxyDialWait)
	if err != nil {
		return errors.Join(err, reset(near))
	}
	p.mu.Lock()
	out, back := p.flows[pair], p.flows[Pair{to.name, from.name}]
	if from == to {
		out, back = links.NewFlow(0, 0), links.NewFlow(0, 0)
	}
	c := &proxied{pair, links.NewConn(near, far, out, back)}
	carried := !p.closed && !p.cutLocked(pair)
	if carried {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if !carried {
		c.End()
		return nil
	}
	c.Run()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	return nil
}

// dialler is the host that a connection comes from.
func (p *proxies) dialler(near *net.TCPConn) (*Host, error) {
	remote := near.RemoteAddr().(*net.TCPAddr).AddrPort()
	p.mu.Lock()
	h := p.hosts[remote.Addr()]
	p.mu.Unlock()
	if h != nil {
		return h, nil
	}
	return p.owners.of(remote, near.LocalAddr().(*net.TCPAddr).AddrPort())
}

// passable waits while a connection cannot be made: TCP needs both directions.
func (p *proxies) passable(pair Pair) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cutLocked(pair) {
		return nil
	}
	for _, q := range []Pair{pair, {pair.To, pair.From}} {
		if p.cut[q] {
			p.dropped[q]++
		}
	}
	if p.waiting == maxBlackholed {
		return fmt.Errorf("%d others wait for a cut to be lifted", p.waiting)
	}
	p.waiting++
	defer func() { p.waiting-- }()
	for p.cutLocked(pair) && !p.closed {
		lifted := p.lifted
		p.mu.Unlock()
		select {
		case <-lifted:
		case <-p.done:
		}
		p.mu.Lock()
	}
	if p.closed {
		return errClosed
	}
	return nil
}

func (p *proxies) cutLocked(pair Pair) bool { return p.cut[pair] || p.cut[Pair{pair.To, pair.From}] }

// reset ends a connection as one that nobody listens for ends.
func reset(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }
