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
	"sync"
	"time"
)

// space is the network of every lab: their namespaces do not see each other. A
// host's number is the last byte of its address.
var space = netip.MustParsePrefix("10.77.0.0/24")

// packetSwitch carries packets between the TUN devices of hosts.
type packetSwitch struct {
	seed    uint64
	log     func(string, ...any)
	done    chan struct{}
	working sync.WaitGroup

	mu    sync.RWMutex
	ports map[byte]*port
	links map[Pair]*link
}

// port is a host's side of the switch.
type port struct {
	host *Host
	tun  *os.File
}

func newSwitch(seed uint64, log func(string, ...any)) *packetSwitch {
	return &packetSwitch{seed: seed, log: log, done: make(chan struct{}), ports: map[byte]*port{}, links: map[Pair]*link{}}
}

// join gives a host its namespace and its address in it.
func (s *packetSwitch) join(h *Host) error {
	var tun *os.File
	h.ip = numbered(space, h.number)
	t, err := newThread(true)
	if err != nil {
		return err
	}
	err = t.do(func() (err error) {
		tun, err = openTUN(netip.PrefixFrom(h.ip, space.Bits()))
		return err
	})
	if err != nil {
		return errors.Join(err, t.close())
	}
	h.thread = t
	p := &port{host: h, tun: tun}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.ports {
		s.connect(p, q)
		s.connect(q, p)
	}
	s.ports[h.number] = p
	s.working.Go(func() { s.read(p) })
	return nil
}

func (s *packetSwitch) connect(from, to *port) {
	s.links[Pair{from.host.name, to.host.name}] = &link{
		direction: newDirection(s.seed, stream(from.host, to.host)), to: to.tun, woken: make(chan struct{}, 1),
	}
}

// read carries what a host sends, until its device is closed.
func (s *packetSwitch) read(p *port) {
	packet := make([]byte, mtu)
	for {
		n, err := p.tun.Read(packet)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.log("netlab: %s is off the network: reading its device: %v", p.host.name, err)
			}
			return
		}
		if l := s.route(p, packet[:n]); l != nil {
			s.send(l, packet[:n])
		}
	}
}

// route finds the link of a packet: nil for what is not IPv4 to another host, such
// as the kernel's announcements of IPv6.
func (s *packetSwitch) route(from *port, packet []byte) *link {
	const headerSize, destination = 20, 16
	if len(packet) < headerSize || packet[0]>>4 != 4 {
		return nil
	}
	to := netip.AddrFrom4([4]byte(packet[destination:headerSize]))
	if !space.Contains(to) {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.ports[to.As4()[3]]
	if p == nil || p == from {
		return nil
	}
	return s.links[Pair{from.host.name, p.host.name}]
}

func (s *packetSwitch) send(l *link, packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, waits := l.take(time.Now(), packet)
	for range now {
		l.deliver(packet)
	}
	if !waits {
		return
	}
	if !l.carried {
		l.carried = true
		s.working.Go(func() { l.carry(s.done) })
	}
	if l.next.IsZero() || l.queue[0].due.Before(l.next) {
		l.wake()
	}
}

func (s *packetSwitch) set(p Pair, r Rule) error {
	s.mu.RLock()
	l := s.links[p]
	s.mu.RUnlock()
	if l == nil {
		return fmt.Errorf("no link from %s to %s", p.From, p.To)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, packet := range l.set(r) {
		l.deliver(packet)
	}
	l.wake()
	return nil
}

func (s *packetSwitch) counts() map[Pair]Counts {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[Pair]Counts{}
	for p, l := range s.links {
		l.mu.Lock()
		out[p] = l.direction.counts
		l.mu.Unlock()
	}
	return out
}

// advertise has nothing to add: an address is the same for everyone.
func (*packetSwitch) advertise(_ *Host, listen netip.AddrPort) (string, error) {
	return listen.String(), nil
}

// dial does not take the host's own thread, which others wait for.
func (*packetSwitch) dial(ctx context.Context, from *Host, network string, to netip.AddrPort) (net.Conn, error) {
	var c net.Conn
	err := within(from.thread.space, func() (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, network, to.String())
		return err
	})
	return c, err
}

func (*packetSwitch) start(h *Host, cmd *exec.Cmd) error { return h.thread.do(cmd.Start) }

// close takes every host off the network.
func (s *packetSwitch) close() error {
	close(s.done)
	s.mu.RLock()
	var errs []error
	for _, p := range s.ports {
		errs = append(errs, p.tun.Close())
	}
	s.mu.RUnlock()
	s.working.Wait()
	return errors.Join(errs...)
}

// link is a direction and the device that it leads to.
type link struct {
	mu sync.Mutex
	*direction
	to *os.File
	// woken says that the queue's first packet may be due earlier than next.
	woken   chan struct{}
	carried bool // a goroutine waits for what is due
	next    time.Time
}

// deliver hands the receiver's kernel a packet. It does not wait.
func (l *link) deliver(packet []byte) {
	if _, err := l.to.Write(packet); err != nil {
		l.direction.counts.Refused++
	}
}

func (l *link) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// carry delivers what waits when it is due.
func (l *link) carry(done <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-l.woken:
		case <-timer.C:
		}
		l.mu.Lock()
		var packets [][]byte
		packets, l.next = l.arrived(time.Now())
		for _, packet := range packets {
			l.deliver(packet)
		}
		if !l.next.IsZero() {
			timer.Reset(time.Until(l.next))
		}
		l.mu.Unlock()
	}
}
