package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxStreams bounds the streams that others have opened at once. Each takes
	// memory before its sender is known to have the key.
	maxStreams = 16
	// maxStreamBytes bounds what is read from one: a table of MaxMembers rows, with
	// room to spare.
	maxStreamBytes = 4 << 20
	// labelWait bounds how long a stream may take to say its label.
	labelWait = 5 * time.Second
	// bindTries is how often a free port is looked for that UDP and TCP both have.
	bindTries = 10
)

// ErrListen is an address that cannot be listened on.
var ErrListen = errors.New("gossip cannot listen")

// door is the library's transport, with what is not of this cluster kept out, and
// with bounds. It implements memberlist.NodeAwareTransport.
type door struct {
	*memberlist.NetTransport
	label    string
	turnAway func(from, label string)

	packets chan *memberlist.Packet
	streams chan net.Conn
	slots   chan struct{}

	ctx     context.Context // ends when the door begins to close
	stop    context.CancelFunc
	ended   chan struct{} // closed when the sockets are
	working sync.WaitGroup
	closing sync.Once

	mu   sync.Mutex
	open map[*stream]bool
}

// openDoor listens with UDP and TCP. Errors wrap [ErrListen].
func openDoor(listen netip.AddrPort, cfg *Config, turnAway func(from, label string)) (*door, error) {
	var inner *memberlist.NetTransport
	var err error
	for range bindTries {
		inner, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{listen.Addr().String()}, BindPort: int(listen.Port()), Logger: newLogger(cfg.Log),
		})
		if err == nil || listen.Port() != 0 {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w on %s, UDP and TCP: %w", ErrListen, listen, err)
	}
	d := &door{
		NetTransport: inner, label: cfg.Label, turnAway: turnAway,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), slots: make(chan struct{}, maxStreams),
		ended: make(chan struct{}), open: map[*stream]bool{},
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.working.Go(d.takePackets)
	d.working.Go(d.takeStreams)
	return d, nil
}

// PacketCh implements memberlist.Transport.
func (d *door) PacketCh() <-chan *memberlist.Packet { return d.packets }

// StreamCh implements memberlist.Transport.
func (d *door) StreamCh() <-chan net.Conn { return d.streams }

// takePackets passes on packets of this cluster, without their label. While the
// door closes it drops them, so that the sockets' readers come to their end.
func (d *door) takePackets() {
	for {
		select {
		case <-d.ended:
			return
		case p := <-d.NetTransport.PacketCh():
			buf, label, err := memberlist.RemoveLabelHeaderFromPacket(p.Buf)
			if err != nil || label != d.label {
				d.turnAway(p.From.String(), label)
				continue
			}
			p.Buf = buf
			select {
			case d.packets <- p:
			case <-d.ctx.Done():
			}
		}
	}
}

func (d *door) takeStreams() {
	for {
		select {
		case <-d.ended:
			return
		case conn := <-d.NetTransport.StreamCh():
			select {
			case d.slots <- struct{}{}:
				s := d.track(conn, func() { <-d.slots })
				d.working.Go(func() { d.greet(s) })
			default:
				_ = conn.Close() // there are too many; its sender tries again
			}
		}
	}
}

// greet passes on a stream of this cluster, without its label.
func (d *door) greet(s *stream) {
	if err := s.SetDeadline(time.Now().Add(labelWait)); err != nil {
		_ = s.Close() // it is gone already
		return
	}
	conn, label, err := memberlist.RemoveLabelHeaderFromStream(s)
	if err != nil || label != d.label {
		if d.ctx.Err() == nil {
			d.turnAway(s.RemoteAddr().String(), label)
		}
		_ = s.Close() // it is not ours
		return
	}
	select {
	case d.streams <- conn:
	case <-d.ctx.Done():
		_ = s.Close() // nobody takes it any more
	}
}

// DialTimeout implements memberlist.Transport.
func (d *door) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return d.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport. Closing the door
// breaks it off, and what is said on the connection.
func (d *door) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(d.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return d.track(conn, func() {}), nil
}

// Shutdown implements memberlist.Transport. It ends every connection and waits for
// the door's goroutines.
func (d *door) Shutdown() error {
	var err error
	d.closing.Do(func() {
		d.stop()
		d.mu.Lock()
		var open []*stream
		for s := range d.open {
			open = append(open, s)
		}
		d.mu.Unlock()
		for _, s := range open {
			_ = s.Close() // what was being said does not matter any more
		}
		err = d.NetTransport.Shutdown()
		close(d.ended)
		d.working.Wait()
	})
	return err
}

// stream is a connection that the door can end, with a limit on what is read.
type stream struct {
	net.Conn
	left int64
	once sync.Once
	end  func()
}

func (d *door) track(conn net.Conn, end func()) *stream {
	s := &stream{Conn: conn, left: maxStreamBytes}
	s.end = func() {
		d.mu.Lock()
		delete(d.open, s)
		d.mu.Unlock()
		end()
	}
	d.mu.Lock()
	d.open[s] = true
	d.mu.Unlock()
	if d.ctx.Err() != nil {
		_ = s.Close() // the door was closed meanwhile
	}
	return s
}

// errTooLong ends a stream that says too much.
var errTooLong = fmt.Errorf("a stream of gossip is longer than %d bytes", maxStreamBytes)

// Read implements net.Conn.
func (s *stream) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLong
	}
	n, err := s.Conn.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	return n, err
}

// Close implements net.Conn.
func (s *stream) Close() error {
	err := s.Conn.Close()
	s.once.Do(s.end)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOTCONN) {
		return nil
	}
	return err
}
