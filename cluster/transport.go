package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// serialTransport hands every message to Raft's main loop, heartbeats too.
//
// The library offers transports a fast path for heartbeats. Taken, it changes
// term and state beside the main loop: a leader that waits for work then stamps
// the next entry with a term that it does not lead. The price is that a
// heartbeat waits while the main loop syncs its disk, so election timeouts must
// be longer than a slow sync.
//
// Embedding the concrete type keeps the optional interfaces raft.WithPreVote
// and raft.WithClose.
type serialTransport struct {
	*raft.NetworkTransport
}

var (
	_ raft.Transport   = serialTransport{}
	_ raft.WithPreVote = serialTransport{}
	_ raft.WithClose   = serialTransport{}
)

// SetHeartbeatHandler implements raft.Transport by taking no fast path.
func (serialTransport) SetHeartbeatHandler(func(raft.RPC)) {}

// Close implements raft.WithClose. Unlike the library's it also ends the pooled
// connections to peers.
func (t serialTransport) Close() error {
	t.CloseStreams()
	return t.NetworkTransport.Close()
}

// newTransport returns a transport over the node's streams. whois says which
// node Raft knows at an address.
func newTransport(c *Config, rc *raft.Config, whois func(raft.ServerAddress) raft.ServerID) serialTransport {
	layer := &streams{own: raft.ServerAddress(c.address()), whois: whois, open: map[*stream]struct{}{}, closed: make(chan struct{})}
	if c.Peers != nil {
		layer.peers = c.Peers.Streams
	}
	return serialTransport{raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:          layer,
		MaxPool:         peerPool,
		Timeout:         peerTimeout,
		MaxRPCsInFlight: c.timing().InFlight,
		Logger:          rc.Logger,
	})}
}

// nowhere is the address of a node that listens on no port. It cannot be dialled.
const nowhere = "127.0.0.1:0"

// streams is a raft.StreamLayer that knows its accepted connections. The
// library closes neither them nor waits for who serves them; [streams.Close]
// does both.
type streams struct {
	peers   Streams // nil: there are none
	own     raft.ServerAddress
	whois   func(raft.ServerAddress) raft.ServerID
	serving sync.WaitGroup

	mu     sync.Mutex
	open   map[*stream]struct{}
	ended  bool
	closed chan struct{}
}

// stream is an accepted connection. Its server closes it when it is done.
type stream struct {
	net.Conn
	layer *streams
	once  sync.Once
}

// Accept implements net.Listener.
func (s *streams) Accept() (net.Conn, error) {
	if s.peers == nil {
		<-s.closed
		return nil, net.ErrClosed
	}
	conn, err := s.peers.Accept()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	c := &stream{Conn: conn, layer: s}
	s.open[c] = struct{}{}
	s.serving.Add(1)
	return c, nil
}

// Close implements net.Conn.
func (c *stream) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.layer.mu.Lock()
		delete(c.layer.open, c)
		c.layer.mu.Unlock()
		c.layer.serving.Done()
	})
	return err
}

// Close implements net.Listener. It ends every accepted connection and waits for its server.
func (s *streams) Close() error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.ended = true
	close(s.closed)
	for c := range s.open {
		_ = c.Conn.Close() // its server finds out and calls c.Close
	}
	s.mu.Unlock()
	var err error
	if s.peers != nil {
		err = s.peers.Close()
	}
	s.serving.Wait()
	return err
}

// Addr implements net.Listener: it is the address that others are told.
func (s *streams) Addr() net.Addr { return address(s.own) }

// Dial implements raft.StreamLayer.
func (s *streams) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if s.peers == nil {
		return nil, errors.New("this node is alone")
	}
	node := s.whois(to)
	if node == "" {
		return nil, fmt.Errorf("no node of this cluster is at %s", to)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.peers.Dial(ctx, string(to), string(node))
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
