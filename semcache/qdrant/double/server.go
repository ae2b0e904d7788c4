package double

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Options say what a server is like. The zero value is a server of a version that
// the tier knows, without a key or TLS, where updates are seen at once.
type Options struct {
	Version string        // default 1.17.1
	APIKey  string        // if there is one, every call needs it
	TLS     *tls.Config   // if there is one, it speaks nothing else
	Lag     time.Duration // how long an update with wait=false is not seen; negative: until [Server.Settle]
}

// defaultVersion is of the client library that the tier uses.
const defaultVersion = "1.17.1"

// Server listens on the loopback interface. It is safe for concurrent use.
type Server struct {
	opt  Options
	addr string

	mu          sync.Mutex
	collections map[string]*collection
	aliases     map[string]string
	stale       map[string][]*point // what reads see while frozen > 0
	frozen      int
	faults      []*Fault
	calls       map[string]int
	conns       map[net.Conn]bool
	grpc        *grpc.Server // nil while halted
	serving     sync.WaitGroup
}

// Start begins to listen.
func Start(o Options) (*Server, error) {
	if o.Version == "" {
		o.Version = defaultVersion
	}
	s := &Server{opt: o, addr: "127.0.0.1:0", collections: map[string]*collection{}, aliases: map[string]string{}, calls: map[string]int{}, conns: map[net.Conn]bool{}}
	if err := s.Resume(); err != nil {
		return nil, err
	}
	return s, nil
}

// Resume listens again after [Server.Halt], on the same port and with the same points.
func (s *Server) Resume() error {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listening for the double of Qdrant: %w", err)
	}
	opts := []grpc.ServerOption{grpc.UnaryInterceptor(s.intercept), grpc.MaxRecvMsgSize(64 << 20),
		// Qdrant takes any number of pings.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true})}
	if s.opt.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.opt.TLS)))
	}
	g := grpc.NewServer(opts...)
	qdrant.RegisterQdrantServer(g, health{s: s})
	qdrant.RegisterCollectionsServer(g, collections{s: s})
	qdrant.RegisterPointsServer(g, points{s: s})
	s.mu.Lock()
	s.grpc, s.addr = g, ln.Addr().String()
	s.mu.Unlock()
	s.serving.Go(func() { _ = g.Serve(tracked{ln, s}) }) // it ends with an error when it is stopped
	return nil
}

// Addr is host:port, the same for the server's life.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Halt breaks off every connection and stops listening. Points stay.
func (s *Server) Halt() {
	s.mu.Lock()
	g := s.grpc
	s.grpc = nil
	s.mu.Unlock()
	if g != nil {
		g.Stop()
	}
	s.serving.Wait()
}

// Close ends the server.
func (s *Server) Close() { s.Halt() }

// Settle makes every update visible.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.collections {
		c.settle(0, time.Time{})
	}
}

// Lose forgets every collection, as a server does that comes back without its disk.
func (s *Server) Lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.collections)
	clear(s.aliases)
}

// Freeze answers the next n reads of points from what is visible at this moment, as
// a replica does that lags behind.
func (s *Server) Freeze(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale, s.frozen = map[string][]*point{}, n
	for name, c := range s.collections {
		s.stale[name] = c.visible()
	}
}

// Points is how many points of a collection are visible; none of one that is not there.
func (s *Server) Points(collection string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(collection)
	if err != nil {
		return 0
	}
	return len(c.points)
}

// Calls is how many calls of a method came in, such as "Query", whatever became of
// them. A method of two services has the service before it: "Points/Get".
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// tracked knows the connections, so that a fault can break one off.
type tracked struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (t tracked) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t.s.mu.Lock()
	t.s.conns[c] = true
	t.s.mu.Unlock()
	return conn{c, t.s}, nil
}

type conn struct {
	net.Conn
	s *Server
}

// Close implements net.Conn.
func (c conn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c.Conn)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

// reset breaks off every connection, without a word of HTTP/2.
func (s *Server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // best effort: a connection that is gone already is as good
		}
		_ = c.Close()
	}
}
