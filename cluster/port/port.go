package port

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"purser/cluster/pki"
)

// Lane says what a connection is for, as ALPN writes it.
type Lane string

// The lanes.
const (
	Raft Lane = "purser-raft/1"
	GRPC Lane = "h2"
)

const (
	// handshakeTime bounds a handshake, and so how long a silent peer is kept.
	handshakeTime = 10 * time.Second
	// maxHandshakes bounds those under way.
	maxHandshakes = 256
	// backlog bounds the connections of a lane that wait to be accepted.
	backlog = 64
)

// ErrRemoved is a peer that the cluster has removed or fenced.
var ErrRemoved = errors.New("the cluster has removed this node")

// Credentials are what a node proves itself with and believes. They may be
// replaced while they are used.
type Credentials struct {
	Root     *pki.Root
	Now      func() time.Time
	identity atomic.Pointer[pki.Identity]
	refused  atomic.Pointer[func(node string) bool]
	hint     atomic.Pointer[func(node string) string]
}

// NewCredentials returns credentials of one identity.
func NewCredentials(root *pki.Root, identity *pki.Identity, now func() time.Time) *Credentials {
	c := &Credentials{Root: root, Now: now}
	c.identity.Store(identity)
	c.Refuse(func(string) bool { return false })
	c.Elsewhere(func(string) string { return "" })
	return c
}

// Identity is the present one.
func (c *Credentials) Identity() *pki.Identity { return c.identity.Load() }

// Renew replaces the identity.
func (c *Credentials) Renew(i *pki.Identity) { c.identity.Store(i) }

// Refuse sets which nodes are turned away. The function is called in handshakes
// and must not wait.
func (c *Credentials) Refuse(removed func(node string) bool) { c.refused.Store(&removed) }

// Elsewhere sets what says where else a node may be, or "". It is asked at each Dial
// and must not wait. It may be wrong: the certificate decides who answers.
func (c *Credentials) Elsewhere(hint func(node string) string) { c.hint.Store(&hint) }

// verify returns the node at the other end.
func (c *Credentials) verify(chain []*x509.Certificate) (string, error) {
	node, err := c.Root.Verify(chain, c.Now())
	if err != nil {
		return "", err
	}
	if (*c.refused.Load())(node) {
		return "", fmt.Errorf("node %s: %w", node, ErrRemoved)
	}
	return node, nil
}

// verifyMember lets nobody but a member take part in Raft.
func (c *Credentials) verifyMember(chain []*x509.Certificate) error {
	node, err := c.verify(chain)
	if err == nil && pki.IsGateway(chain[0]) {
		err = fmt.Errorf("%w: node %s is a gateway and takes no part in Raft", pki.ErrCertificate, node)
	}
	return err
}

// server is the configuration of the accepting end. A caller without a
// certificate may speak gRPC alone.
func (c *Credentials) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{string(Raft), string(GRPC)},
		ClientAuth: tls.RequestClientCert, // checked below, against the cluster's root
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &c.Identity().Certificate, nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol != string(GRPC) {
				return c.verifyMember(s.PeerCertificates)
			}
			// A joiner has none, and a node that was removed is to be told so: the
			// service refuses them, see Peer.
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			_, err := c.Root.Verify(s.PeerCertificates, c.Now())
			return err
		},
		// A resumed session would not be verified again against who was removed.
		SessionTicketsDisabled: true,
	}
}

// client is the configuration of the dialling end. want is the node that must
// answer; "" is any.
func (c *Credentials) client(lane Lane, want string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{string(lane)},
		// Certificates name nodes, not hosts: VerifyConnection does what this skips.
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &c.Identity().Certificate, nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			node, err := c.verify(s.PeerCertificates)
			if err != nil {
				return err
			}
			if lane == Raft {
				if err := c.verifyMember(s.PeerCertificates); err != nil {
					return err
				}
			}
			if want != "" && node != want {
				return fmt.Errorf("%w: node %s answers where %s was expected", pki.ErrCertificate, node, want)
			}
			return laneAgreed(s, lane)
		},
	}
}

func laneAgreed(s tls.ConnectionState, lane Lane) error {
	if s.NegotiatedProtocol != string(lane) {
		return fmt.Errorf("the peer speaks %q instead of %q", s.NegotiatedProtocol, lane)
	}
	return nil
}

// Dial opens a connection of a lane to a node; "" is any node of the cluster. A node
// that does not answer at its address is looked for where [Credentials.Elsewhere]
// says.
func (c *Credentials) Dial(ctx context.Context, address string, lane Lane, node string) (net.Conn, error) {
	cfg := c.client(lane, node)
	if node != "" {
		if other := (*c.hint.Load())(node); other != "" && other != address {
			return dialEither(ctx, address, other, cfg)
		}
	}
	return dial(ctx, address, cfg)
}

// DialPinned opens a gRPC connection for a node that has nothing but a token.
// It returns the authority that the token's fingerprint is of.
func DialPinned(ctx context.Context, address, fingerprint string, now func() time.Time) (net.Conn, *pki.Root, error) {
	var root *pki.Root
	conn, err := dial(ctx, address, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{string(GRPC)},
		InsecureSkipVerify: true, // VerifyConnection checks the authority's fingerprint
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			root, err = pki.VerifyPinned(s.PeerCertificates, fingerprint, now())
			return errors.Join(err, laneAgreed(s, GRPC))
		},
	})
	return conn, root, err
}

func dial(ctx context.Context, address string, cfg *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	d := tls.Dialer{Config: cfg}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	return conn, nil
}

// Peer is the node at the other end of a connection that a lane's listener
// accepted: "" for a caller without a certificate. The error is [ErrRemoved], or
// that the certificate has ended since.
func (c *Credentials) Peer(s tls.ConnectionState) (string, error) {
	if len(s.PeerCertificates) == 0 {
		return "", nil
	}
	return c.verify(s.PeerCertificates)
}

// Port is the listening end. Lanes are taken before Run.
type Port struct {
	listener net.Listener
	creds    *Credentials
	log      *slog.Logger
	lanes    map[Lane]*lane
	slots    chan struct{}
	ctx      context.Context
	stop     context.CancelFunc
	working  sync.WaitGroup
	closing  sync.Once
	err      error
}

// New makes a port of a listener, which then belongs to it. Nothing is accepted
// before [Port.Run].
func New(l net.Listener, creds *Credentials, log *slog.Logger) *Port {
	p := &Port{listener: l, creds: creds, log: log, slots: make(chan struct{}, maxHandshakes), lanes: map[Lane]*lane{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	for _, name := range []Lane{Raft, GRPC} {
		p.lanes[name] = &lane{port: p, conns: make(chan net.Conn, backlog), closed: make(chan struct{})}
	}
	return p
}

// Credentials are those the port was opened with.
func (p *Port) Credentials() *Credentials { return p.creds }

// Addr is where the port listens.
func (p *Port) Addr() net.Addr { return p.listener.Addr() }

// Lane is the listener of one lane. Closing it turns its further connections
// away; the port stays open.
func (p *Port) Lane(name Lane) net.Listener { return p.lanes[name] }

// Run accepts connections until Close. It returns at once; Close waits for what
// it started.
func (p *Port) Run() { p.working.Go(p.accept) }

func (p *Port) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			if p.ctx.Err() != nil {
				return
			}
			// Out of file descriptors, or a peer that was gone at once: neither
			// goes away faster for being asked again.
			p.log.Warn("accepting a connection of the cluster", "error", err)
			select {
			case <-p.ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		select {
		case p.slots <- struct{}{}:
			p.working.Go(func() { defer func() { <-p.slots }(); p.greet(conn) })
		case <-p.ctx.Done():
			_ = conn.Close() // it was never used
			return
		}
	}
}

// greet does the handshake and hands the connection to its lane.
func (p *Port) greet(raw net.Conn) {
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTime)
	defer cancel()
	conn := tls.Server(raw, p.creds.server())
	err := conn.HandshakeContext(ctx)
	if err == nil {
		if l := p.lanes[Lane(conn.ConnectionState().NegotiatedProtocol)]; l == nil || !l.offer(p.ctx, conn) {
			err = errors.New("nobody takes connections of that kind now")
		}
	}
	if err != nil {
		if p.ctx.Err() == nil {
			p.log.Warn("a connection of the cluster was refused", "peer", raw.RemoteAddr().String(), "error", err)
		}
		_ = raw.Close() // refused is refused
	}
}

// Close stops accepting, closes the lanes and waits for handshakes under way.
// Connections that were accepted belong to who accepted them.
func (p *Port) Close() error {
	p.closing.Do(func() {
		p.stop()
		p.err = p.listener.Close()
		for _, l := range p.lanes {
			_ = l.Close() // it has nothing of its own to close
		}
		p.working.Wait()
		for _, l := range p.lanes {
			l.drop()
		}
	})
	return p.err
}

// lane implements net.Listener over the connections that agreed on it.
type lane struct {
	port   *Port
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *lane) offer(ctx context.Context, c net.Conn) bool {
	select {
	case <-l.closed:
		return false
	default:
	}
	select {
	case l.conns <- c:
		return true
	case <-l.closed:
	case <-ctx.Done():
	}
	return false
}

// Accept implements net.Listener.
func (l *lane) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *lane) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// drop closes what nobody accepted.
func (l *lane) drop() {
	for {
		select {
		case c := <-l.conns:
			_ = c.Close() // it was never used
		default:
			return
		}
	}
}

// Addr implements net.Listener.
func (l *lane) Addr() net.Addr { return l.port.Addr() }
