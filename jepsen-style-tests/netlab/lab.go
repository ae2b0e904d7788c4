//go:build linux

package netlab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"sync"
)

// Mode is how a lab keeps its hosts apart.
type Mode int

const (
	// Auto is [Namespaces] where they are allowed, else [Loopback].
	Auto Mode = iota
	// Namespaces gives each host a network namespace, and carries packets.
	Namespaces
	// Loopback has all hosts on the loopback device, and carries TCP through proxies.
	Loopback
)

func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Namespaces:
		return "namespaces"
	case Loopback:
		return "loopback"
	}
	return fmt.Sprintf("mode %d", int(m))
}

// Options are what a lab is opened with.
type Options struct {
	Mode Mode
	// Seed is of the chances of rules: Loss, Duplicate, Reorder and Jitter.
	Seed uint64
	// Log is told what goes wrong beside a call; nil for nobody.
	Log func(format string, args ...any)
}

// Lab is hosts and the network between them. Its methods may be called by any
// number of goroutines.
type Lab struct {
	mode Mode
	why  string
	carrier

	mu     sync.Mutex
	hosts  map[string]*Host
	rules  map[Pair]Rule
	closed bool
}

// carrier is the network in one mode.
type carrier interface {
	// join gives a host its thread and its address.
	join(*Host) error
	set(Pair, Rule) error
	counts() map[Pair]Counts
	advertise(h *Host, listen netip.AddrPort) (string, error)
	dial(ctx context.Context, from *Host, network string, to netip.AddrPort) (net.Conn, error)
	start(*Host, *exec.Cmd) error
	close() error
}

// MaxHosts bounds the hosts of a lab.
const MaxHosts = 32

// Open makes a network without hosts.
func Open(o Options) (*Lab, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	l := &Lab{mode: o.Mode, hosts: map[string]*Host{}, rules: map[Pair]Rule{}}
	switch l.mode {
	case Auto, Namespaces:
		err := Supported()
		if err != nil && l.mode == Namespaces {
			return nil, err
		}
		l.mode = Namespaces
		if err != nil {
			l.mode, l.why = Loopback, err.Error()
		}
	case Loopback:
		l.why = "loopback was asked for"
	default:
		return nil, fmt.Errorf("%v: it is %v, %v or %v", o.Mode, Auto, Namespaces, Loopback)
	}
	if l.mode == Namespaces {
		l.carrier = newSwitch(o.Seed, o.Log)
		return l, nil
	}
	proxies, err := newProxies(o.Seed, o.Log)
	if err != nil {
		return nil, err
	}
	l.carrier = proxies
	return l, nil
}

// Supported says why a host cannot have a namespace here; nil if it can.
func Supported() error {
	s := newSwitch(0, func(string, ...any) {})
	h := &Host{name: "probe", number: 1}
	if err := s.join(h); err != nil {
		return err
	}
	return errors.Join(s.close(), h.thread.close())
}

// Mode is [Namespaces] or [Loopback].
func (l *Lab) Mode() Mode { return l.mode }

// Why says why the mode is not [Namespaces], "" if it is.
func (l *Lab) Why() string { return l.why }

// Host returns the host of a name, which is made if there is none.
func (l *Lab) Host(name string) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if h := l.hosts[name]; h != nil {
		return h, nil
	}
	if len(l.hosts) == MaxHosts {
		return nil, fmt.Errorf("host %s: a lab has at most %d", name, MaxHosts)
	}
	h := &Host{name: name, number: byte(len(l.hosts) + 1), lab: l}
	if err := l.join(h); err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	l.hosts[name] = h
	return h, nil
}

// Set makes a rule hold for what goes from one host to another. What waits under
// the rule before it arrives at once, in order, unless it is dropped or held.
func (l *Lab) Set(from, to string, r Rule) error { return l.Apply(Rules{{from, to}: r}) }

// Apply makes rules hold, all or, where one is not possible, none.
func (l *Lab) Apply(rules Rules) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	for p, r := range rules {
		if err := l.checkLocked(p, r); err != nil {
			return fmt.Errorf("a rule from %s to %s: %w", p.From, p.To, err)
		}
	}
	for p, r := range rules {
		if err := l.setLocked(p, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) checkLocked(p Pair, r Rule) error {
	for _, name := range []string{p.From, p.To} {
		if l.hosts[name] == nil {
			return fmt.Errorf("there is no host %q", name)
		}
	}
	if p.From == p.To {
		return errors.New("what a host sends to itself does not cross the network")
	}
	if l.mode == Loopback && (r.Loss > 0 || r.Duplicate > 0 || r.Reorder > 0) {
		return fmt.Errorf("loss, duplicates and reordering need packets: %w", ErrUnsupported)
	}
	return r.validate()
}

func (l *Lab) setLocked(p Pair, r Rule) error {
	if err := l.set(p, r); err != nil {
		return err
	}
	l.rules[p] = r
	return nil
}

// Rule is the rule that holds in a direction.
func (l *Lab) Rule(from, to string) Rule {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules[Pair{from, to}]
}

// Heal lifts every rule; what is held or delayed arrives at once.
func (l *Lab) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for p, r := range l.rules {
		if r == (Rule{}) {
			continue
		}
		if err := l.setLocked(p, Rule{}); err != nil {
			panic(fmt.Sprintf("a rule was set where no link is: %v", err))
		}
	}
}

// Stats counts what happened in each direction, from which assumption checks see
// whether a fault bit. It may be asked after Close.
func (l *Lab) Stats() map[Pair]Counts { return l.counts() }

// Close kills what was started on the hosts, and ends the network. Connections
// that the harness has there lead nowhere from then on, and are its to close.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	hosts := maps.Clone(l.hosts)
	l.mu.Unlock()
	errs := []error{l.close()}
	for _, h := range hosts {
		errs = append(errs, h.thread.close())
	}
	return errors.Join(errs...)
}
