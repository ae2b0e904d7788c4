package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

const patience = 20 * time.Second

var keyA, keyB = bytes.Repeat([]byte{1}, keyLen), bytes.Repeat([]byte{2}, keyLen)

// quick makes the library tell, and give up, in tenths of a second.
func quick(c *memberlist.Config) {
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 100*time.Millisecond, 50*time.Millisecond, 2
	c.GossipInterval, c.PushPullInterval = 20*time.Millisecond, 500*time.Millisecond
	c.DeadNodeReclaimTime = 200 * time.Millisecond
}

// patient never gives a member up.
func patient(cfg Config) Config {
	cfg.tune = func(c *memberlist.Config) { quick(c); c.SuspicionMult = 1000 }
	return cfg
}

func config(node string) Config {
	return Config{
		Node: node, Meta: Meta{Incarnation: 1, Region: "r", Zone: "z-" + node, Address: node + ":7071", Version: "v1"},
		Label: "prod/0011223344556677", Keys: [][]byte{keyA}, Listen: "127.0.0.1:0", tune: quick,
	}
}

func start(t *testing.T, cfg Config) *Pool {
	t.Helper()
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// crash ends a pool without a word to the others.
func crash(t *testing.T, p *Pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if err := p.list.Shutdown(); err != nil {
		t.Error(err)
	}
}

func join(t *testing.T, p *Pool, others ...*Pool) {
	t.Helper()
	for _, o := range others {
		if n, err := p.Join([]string{o.Address()}); n != 1 || err != nil {
			t.Fatalf("joining %s: %d, %v", o.Address(), n, err)
		}
	}
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

func member(p *Pool, id string) Member {
	m, _ := p.Member(id)
	return m
}

// sees waits until a pool has a member in a state.
func sees(t *testing.T, p *Pool, id string, want State) {
	t.Helper()
	eventually(t, p.cfg.Node+" sees "+id+" "+want.String(), func() error {
		if m := member(p, id); m.State != want {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
}

// notes is a log that can be asked.
type notes struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.Write(b)
}

func (n *notes) has(text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !strings.Contains(n.all.String(), text) {
		return fmt.Errorf("the log has no %q:\n%s", text, n.all.String())
	}
	return nil
}

func noted(cfg Config) (Config, *notes) {
	n := &notes{}
	cfg.Log = slog.New(slog.NewTextHandler(n, nil))
	return cfg, n
}

// TestMembersFindEachOther: two that each know a third know each other, with what
// they say of themselves, and hear what changes.
func TestMembersFindEachOther(t *testing.T) {
	a, b, c := start(t, config("a")), start(t, config("b")), start(t, config("c"))
	join(t, b, a)
	join(t, c, a)
	for _, p := range []*Pool{a, b, c} {
		for _, o := range []*Pool{a, b, c} {
			sees(t, p, o.cfg.Node, Alive)
			m := member(p, o.cfg.Node)
			if m.Meta != o.cfg.Meta || m.Gossip != o.Address() || m.Seen.IsZero() || m.Conflict != "" {
				t.Errorf("%s says of %s: %+v", p.cfg.Node, o.cfg.Node, m)
			}
		}
	}
	next := b.cfg.Meta
	next.Incarnation = 2
	if err := b.Update(next); err != nil {
		t.Fatal(err)
	}
	eventually(t, "c hears of b's incarnation", func() error {
		if m := member(c, "b"); m.Meta != next {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	sees(t, a, "b", Left)
	sees(t, c, "b", Left)
	crash(t, c)
	sees(t, a, "c", Failed)
	if n := a.Foreign(); n != 0 {
		t.Errorf("%d of its own were turned away", n)
	}
}

// TestASilentMemberIsSuspected before it is given up: here it is never given up.
func TestASilentMemberIsSuspected(t *testing.T) {
	a, b := start(t, patient(config("a"))), start(t, config("b"))
	join(t, b, a)
	sees(t, a, "b", Alive)
	first := member(a, "b").Seen
	eventually(t, "b answers a's probes for longer than a silent one is trusted", func() error {
		if m := member(a, "b"); m.State != Alive || m.Seen.Sub(first) < time.Second {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	crash(t, b)
	sees(t, a, "b", Suspect)
}

// TestTwoClustersDoNotMix: on one machine, whatever one of them tries.
func TestTwoClustersDoNotMix(t *testing.T) {
	for name, stranger := range map[string]func(*Config){
		"another label and key": func(c *Config) { c.Label, c.Keys = "test/8899aabbccddeeff", [][]byte{keyB} },
		"another label alone":   func(c *Config) { c.Label = "prod/8899aabbccddeeff" },
		"another key alone":     func(c *Config) { c.Keys = [][]byte{keyB} },
	} {
		t.Run(name, func(t *testing.T) {
			ours, log := noted(config("a"))
			theirs := config("b")
			stranger(&theirs)
			a, b := start(t, ours), start(t, theirs)
			if n, err := b.Join([]string{a.Address()}); err == nil || n != 0 {
				t.Errorf("joined %d, %v", n, err)
			}
			if n, err := a.Join([]string{b.Address()}); err == nil || n != 0 {
				t.Errorf("joined %d, %v", n, err)
			}
			if err := send(b, a); err != nil {
				t.Fatal(err)
			}
			if ours.Label == theirs.Label {
				eventually(t, "the reason is logged", func() error { return log.has("Decrypt packet failed") })
			} else {
				// A stream of its Join and a packet.
				eventually(t, "it is counted", func() error {
					if n := a.Foreign(); n < 2 {
						return fmt.Errorf("%d turned away", n)
					}
					return nil
				})
				eventually(t, "the reason is logged", func() error { return log.has("label=" + theirs.Label) })
			}
			if len(a.Members()) != 1 || len(b.Members()) != 1 {
				t.Errorf("they know %+v and %+v", a.Members(), b.Members())
			}
		})
	}
}

// send has one pool send another a packet as it sends its own.
func send(from, to *Pool) error {
	host, port, err := net.SplitHostPort(to.Address())
	if err != nil {
		return err
	}
	return from.list.SendToAddress(memberlist.Address{Addr: net.JoinHostPort(host, port)}, []byte("x"))
}

// TestAMemberOfAnotherClusterIsRefused although it has the label of the packets
// and the key.
func TestAMemberOfAnotherClusterIsRefused(t *testing.T) {
	ours, log := noted(config("a"))
	theirs := config("b")
	theirs.Label = "other/8899aabbccddeeff"
	theirs.tune = func(c *memberlist.Config) { quick(c); c.Label = ours.Label }
	a, b := start(t, ours), start(t, theirs)
	if _, err := b.Join([]string{a.Address()}); err == nil {
		t.Error("it joined: a is not of its cluster")
	}
	eventually(t, "it is counted", func() error {
		if a.Foreign() == 0 {
			return errors.New("nothing turned away")
		}
		return nil
	})
	eventually(t, "the reason is logged", func() error { return log.has("other/8899aabbccddeeff") })
	// Neither the merge of a join nor an alive message on the way lets it in.
	node := &memberlist.Node{Name: "b", Addr: net.IPv4(127, 0, 0, 1), Port: 1, Meta: *b.meta.Load()}
	own := delegate{a}
	if own.NotifyMerge([]*memberlist.Node{node}) == nil || own.NotifyAlive(node) == nil {
		t.Error("a member of another cluster was let in")
	}
	if m := member(a, "b"); m.ID != "" {
		t.Errorf("a knows %+v", m)
	}
	later := &memberlist.Node{Name: "c", Meta: []byte{metaVersion + 1}}
	if own.NotifyMerge([]*memberlist.Node{later}) != nil || own.NotifyAlive(later) == nil {
		t.Error("a member of a later build must be ignored, and keep nobody from joining")
	}
}

// TestOneIDTwiceIsReported, and the first one stays.
func TestOneIDTwiceIsReported(t *testing.T) {
	first, log := noted(patient(config("a")))
	a, b := start(t, first), start(t, patient(config("b")))
	join(t, b, a)
	sees(t, a, "b", Alive)
	again := patient(config("b"))
	again.Address = "elsewhere:7071"
	twin := start(t, again)
	join(t, twin, a)
	eventually(t, "a reports it", func() error {
		if m := member(a, "b"); m.Conflict != twin.Address() || m.Gossip != b.Address() || m.Address != "b:7071" {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	if err := log.has("two processes run under one id"); err != nil {
		t.Error(err)
	}
}

// TestAMovedNodeIsFound: at once if it left, else when its old place is given up.
func TestAMovedNodeIsFound(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Pool){
		"left": func(t *testing.T, p *Pool) {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		},
		"crashed": crash,
	} {
		t.Run(name, func(t *testing.T) {
			a, b, c := start(t, config("a")), start(t, config("b")), start(t, config("c"))
			join(t, b, a)
			join(t, c, a)
			sees(t, b, "c", Alive)
			end(t, c)
			moved := config("c")
			moved.Address = "elsewhere:7071"
			d := start(t, moved)
			eventually(t, "b has c's new address", func() error {
				if _, err := d.Join([]string{a.Address()}); err != nil {
					return err
				}
				if m := member(b, "c"); m.State != Alive || m.Address != "elsewhere:7071" || m.Gossip != d.Address() {
					return fmt.Errorf("%+v", m)
				}
				return nil
			})
		})
	}
}

// TestARestartedNodeIsAlive: the same place, the library's own numbers from the
// beginning.
func TestARestartedNodeIsAlive(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	join(t, b, a)
	sees(t, a, "b", Alive)
	crash(t, b)
	again := config("b")
	again.Listen, again.Incarnation = b.Address(), 2
	c := start(t, again)
	join(t, c, a)
	eventually(t, "a has b's next incarnation", func() error {
		if m := member(a, "b"); m.State != Alive || m.Incarnation != 2 {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		listen bool // it is about the address
	}{
		"no key":            {change: func(c *Config) { c.Keys = nil }},
		"a short key":       {change: func(c *Config) { c.Keys = [][]byte{keyA[:16]} }},
		"no label":          {change: func(c *Config) { c.Label = "" }},
		"no id":             {change: func(c *Config) { c.Node = "" }},
		"too much to say":   {change: func(c *Config) { c.Region = strings.Repeat("x", 500) }},
		"no port":           {change: func(c *Config) { c.Listen = "127.0.0.1" }, listen: true},
		"nowhere to answer": {change: func(c *Config) { c.Listen = ":0" }},
	} {
		cfg := config("a")
		c.change(&cfg)
		if _, err := Start(cfg); err == nil || errors.Is(err, ErrListen) != c.listen {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, network := range []string{"tcp", "udp"} {
		cfg := config("a")
		cfg.Listen = occupy(t, network)
		if _, err := Start(cfg); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), cfg.Listen) {
			t.Errorf("a %s port in use: %v", network, err)
		}
	}
}

// occupy returns an address whose port is in use.
func occupy(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestAdvertisedHostIsTold(t *testing.T) {
	cfg := config("a")
	cfg.Listen, cfg.Advertise = ":0", "127.0.0.2"
	p := start(t, cfg)
	if !strings.HasPrefix(p.Address(), "127.0.0.2:") || member(p, "a").Gossip != p.Address() {
		t.Errorf("it is told as %s, %+v", p.Address(), p.Members())
	}
}

func TestJoinRefusesWhatIsNoAddress(t *testing.T) {
	p := start(t, config("a"))
	for _, bad := range []string{"", "host:1", "127.0.0.1", "name/127.0.0.1:1"} {
		if _, err := p.Join([]string{bad}); err == nil {
			t.Errorf("joined %q", bad)
		}
	}
}

// TestTimingOfTheLibrary pins what the reference says of the two profiles.
func TestTimingOfTheLibrary(t *testing.T) {
	for wan, want := range map[bool]string{
		false: "1s 500ms 4 200ms 3 30s", true: "5s 3s 6 500ms 4 1m0s",
	} {
		cfg := config("a")
		cfg.WAN, cfg.tune, cfg.Log = wan, nil, slog.New(slog.DiscardHandler)
		c, err := cfg.library()
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult, c.GossipInterval, c.GossipNodes, c.PushPullInterval)
		if got != want || !c.EncryptionEnabled() || !c.GossipVerifyIncoming || c.DeadNodeReclaimTime != reclaimAfter {
			t.Errorf("wan %v: %s", wan, got)
		}
	}
}
