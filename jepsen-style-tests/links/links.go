// Package links is TCP between the nodes of a test, through links that can be
// held, cut and slowed, each direction by itself.
//
// A node dials [Mesh.Address] instead of the other node's port, and the mesh
// carries the bytes. What is held is not lost: it arrives when the link is let go,
// as what a network retransmits does; old messages come late. What is cut is
// broken off, and nothing new gets through.
//
// It is not a model of packets: there is no loss inside a stream, no reordering.
package links

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Mesh is the links between some nodes. All its methods may be called by any
// number of goroutines. [Mesh.Close] ends every goroutine it started.
type Mesh struct {
	mu      sync.Mutex
	places  map[string]string // where nodes listen
	doors   map[pair]*door
	flows   map[pair]*flow
	conns   map[*conn]struct{}
	closed  bool
	working sync.WaitGroup
}

// pair is a direction: from one node to another.
type pair struct{ from, to string }

// door is where one node dials another.
type door struct {
	net.Listener
	pair
}

// conn is one connection that a node dialled.
type conn struct {
	pair
	near, far net.Conn
	once      sync.Once
	ended     chan struct{}
}

const (
	dialWait  = time.Second
	chunkSize = 32 << 10
	// maxHeld bounds the chunks of one direction of a connection that wait; then
	// its sender waits, as behind a full window.
	maxHeld = 256
)

// New returns a mesh between nodes, of which none listens yet.
func New(nodes ...string) (*Mesh, error) {
	m := &Mesh{places: map[string]string{}, doors: map[pair]*door{}, flows: map[pair]*flow{}, conns: map[*conn]struct{}{}}
	for _, from := range nodes {
		for _, to := range nodes {
			if from == to {
				continue
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				m.Close()
				return nil, fmt.Errorf("a link from %s to %s: %w", from, to, err)
			}
			d := &door{l, pair{from, to}}
			m.doors[d.pair], m.flows[d.pair] = d, newFlow()
			m.working.Go(func() { m.serve(d) })
		}
	}
	return m, nil
}

// Address is where from dials to.
func (m *Mesh) Address(from, to string) string { return m.doors[pair{from, to}].Addr().String() }

// Place says where a node listens now; "" for nowhere.
func (m *Mesh) Place(node, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places[node] = address
}

// Drop breaks off every connection of a node, as its death does.
func (m *Mesh) Drop(node string) {
	m.each(func(c *conn) bool { return c.from == node || c.to == node })
}

// Hold stops what goes from one node to another, or lets it go on.
func (m *Mesh) Hold(from, to string, held bool) {
	m.flows[pair{from, to}].set(func(f *flow) { f.held = held })
}

// Slow delays what goes from one node to another.
func (m *Mesh) Slow(from, to string, by time.Duration) {
	m.flows[pair{from, to}].set(func(f *flow) { f.delay = by })
}

// Cut breaks off the connections between two nodes and lets no new ones through,
// or lets them through again.
func (m *Mesh) Cut(a, b string, cut bool) {
	for _, p := range []pair{{a, b}, {b, a}} {
		m.flows[p].set(func(f *flow) { f.cut = cut })
	}
	if cut {
		m.each(func(c *conn) bool { return c.pair == pair{a, b} || c.pair == pair{b, a} })
	}
}

// Heal undoes every Hold, Slow and Cut.
func (m *Mesh) Heal() {
	for _, f := range m.flows {
		f.set(func(f *flow) { f.held, f.cut, f.delay = false, false, 0 })
	}
}

// Close ends every link.
func (m *Mesh) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for _, d := range m.doors {
		_ = d.Close()
	}
	m.each(func(*conn) bool { return true })
	m.working.Wait()
}

// each ends the connections that match.
func (m *Mesh) each(match func(*conn) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if match(c) {
			c.end()
		}
	}
}

func (c *conn) end() {
	c.once.Do(func() {
		close(c.ended)
		_ = c.near.Close()
		_ = c.far.Close()
	})
}

// serve carries what is dialled at a door.
func (m *Mesh) serve(d *door) {
	for {
		near, err := d.Accept()
		if err != nil {
			return
		}
		m.working.Go(func() { m.carry(d.pair, near) })
	}
}

func (m *Mesh) carry(p pair, near net.Conn) {
	m.mu.Lock()
	place := m.places[p.to]
	m.mu.Unlock()
	far, err := net.DialTimeout("tcp", place, dialWait)
	if err != nil {
		_ = near.Close()
		return
	}
	c := &conn{pair: p, near: near, far: far, ended: make(chan struct{})}
	out, back := m.flows[p], m.flows[pair{p.to, p.from}]
	m.mu.Lock()
	refuse := m.closed || out.isCut() || m.places[p.to] != place
	if !refuse {
		m.conns[c] = struct{}{}
	}
	m.mu.Unlock()
	if refuse {
		c.end()
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(out, near, far) })
	pumps.Go(func() { c.pump(back, far, near) })
	pumps.Wait()
	c.end()
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
}
