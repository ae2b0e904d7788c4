// Package links is TCP between the nodes of a test, through links that can be
// held, cut and slowed, each direction by itself.
//
// A node dials [Mesh.Address] instead of the other node's port, and the mesh
// carries the bytes. What is held is not lost: it arrives when the link is let go,
// as what a network retransmits does; old messages come late. What is cut is
// broken off, and nothing new gets through.
//
// It is not a model of packets: there is no loss inside a stream, no reordering.
// [Flow] and [Conn] are what a mesh is made of, for other proxies of TCP.
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
	flows   map[pair]*Flow
	cut     map[pair]bool
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
	*Conn
}

const dialWait = time.Second

// New returns a mesh between nodes, of which none listens yet.
func New(nodes ...string) (*Mesh, error) {
	m := &Mesh{places: map[string]string{}, doors: map[pair]*door{}, flows: map[pair]*Flow{}, cut: map[pair]bool{}, conns: map[*conn]struct{}{}}
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
			m.doors[d.pair], m.flows[d.pair] = d, NewFlow(0, 0)
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
	m.flows[pair{from, to}].Set(func(s *State) { s.Held = held })
}

// Slow delays what goes from one node to another.
func (m *Mesh) Slow(from, to string, by time.Duration) {
	m.flows[pair{from, to}].Set(func(s *State) { s.Delay = by })
}

// Cut breaks off the connections between two nodes and lets no new ones through,
// or lets them through again.
func (m *Mesh) Cut(a, b string, cut bool) {
	m.mu.Lock()
	m.cut[pair{a, b}], m.cut[pair{b, a}] = cut, cut
	m.mu.Unlock()
	if cut {
		m.each(func(c *conn) bool { return c.pair == pair{a, b} || c.pair == pair{b, a} })
	}
}

// Heal undoes every Hold, Slow and Cut.
func (m *Mesh) Heal() {
	m.mu.Lock()
	clear(m.cut)
	m.mu.Unlock()
	for _, f := range m.flows {
		f.Set(func(s *State) { *s = State{} })
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
			c.End()
		}
	}
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
	c := &conn{p, NewConn(near, far, m.flows[p], m.flows[pair{p.to, p.from}])}
	m.mu.Lock()
	refuse := m.closed || m.cut[p] || m.places[p.to] != place
	if !refuse {
		m.conns[c] = struct{}{}
	}
	m.mu.Unlock()
	if refuse {
		c.End()
		return
	}
	c.Run()
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
}
