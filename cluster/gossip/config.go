package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// reclaimAfter is how long after its death a member's place may be taken by the
	// same id elsewhere. Sooner, two processes under one id would take turns.
	reclaimAfter = 30 * time.Second
	// resolveWait bounds how long the name of an own address is looked up.
	resolveWait = 2 * time.Second
	// maxID bounds a member's id.
	maxID = 64
)

// Config is a node's part in gossip. It is read once, by [Start].
type Config struct {
	// Node is the node's id, and its name in gossip.
	Node string
	// Meta is what it says of itself, until [Pool.Update].
	Meta
	// Label tells this cluster from others, at most 100 bytes. It travels in the clear.
	Label string
	// Keys encrypt, the first one, and decrypt. There must be one; each has 32 bytes.
	Keys [][]byte
	// Listen is the host:port for UDP and TCP. Port 0 takes a free one; no host takes
	// every interface.
	Listen string
	// Advertise is the host at which others reach Listen's port. Default: Listen's
	// host, which must then be of one interface.
	Advertise string
	// WAN is for nodes in several regions: it is slower to tell and to give up.
	WAN bool
	// Log takes messages. Default: discarded.
	Log *slog.Logger

	// tune is a seam of this package's tests.
	tune func(*memberlist.Config)
}

const (
	maxLabel = 100
	keyLen   = 32
)

func (c *Config) check() error {
	switch {
	case c.Node == "" || len(c.Node) > maxID:
		return fmt.Errorf("gossip: node id %q is not 1 to %d bytes", c.Node, maxID)
	case c.Label == "" || len(c.Label) > maxLabel:
		return fmt.Errorf("gossip: label %q is not 1 to %d bytes", c.Label, maxLabel)
	case len(c.Keys) == 0:
		return errors.New("gossip: no key: it is never in the clear")
	}
	for _, k := range c.Keys {
		if len(k) != keyLen {
			return fmt.Errorf("gossip: a key has %d bytes instead of %d", len(k), keyLen)
		}
	}
	return nil
}

// addresses are where to listen, and where others find that.
func (c *Config) addresses() (listen netip.AddrPort, advertise netip.Addr, err error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return listen, advertise, fmt.Errorf("%w: %w", ErrListen, err)
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return listen, advertise, fmt.Errorf("%w: %w", ErrListen, err)
	}
	at := netip.IPv4Unspecified()
	if host != "" {
		if at, err = resolve(host); err != nil {
			return listen, advertise, fmt.Errorf("%w: %w", ErrListen, err)
		}
	}
	listen, advertise = netip.AddrPortFrom(at, uint16(number)), at
	if c.Advertise != "" {
		if advertise, err = resolve(c.Advertise); err != nil {
			return listen, advertise, fmt.Errorf("where others reach gossip: %w", err)
		}
	}
	if advertise.IsUnspecified() {
		return listen, advertise, fmt.Errorf("gossip listens on every interface, and nothing says at which address others reach it")
	}
	return listen, advertise, nil
}

func resolve(host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveWait)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range list {
		if a.Unmap().Is4() {
			return a.Unmap(), nil
		}
	}
	return list[0], nil
}

// library is the library's configuration, but for transport and delegates.
func (c *Config) library() (*memberlist.Config, error) {
	lc := memberlist.DefaultLANConfig()
	lc.ProbeInterval, lc.ProbeTimeout, lc.SuspicionMult = time.Second, 500*time.Millisecond, 4
	lc.GossipInterval, lc.GossipNodes, lc.PushPullInterval = 200*time.Millisecond, 3, 30*time.Second
	if c.WAN {
		lc = memberlist.DefaultWANConfig()
		lc.ProbeInterval, lc.ProbeTimeout, lc.SuspicionMult = 5*time.Second, 3*time.Second, 6
		lc.GossipInterval, lc.GossipNodes, lc.PushPullInterval = 500*time.Millisecond, 4, time.Minute
	}
	ring, err := memberlist.NewKeyring(c.Keys[1:], c.Keys[0])
	if err != nil {
		return nil, fmt.Errorf("the keys of gossip: %w", err)
	}
	lc.Name, lc.Label, lc.Keyring = c.Node, c.Label, ring
	lc.SkipInboundLabelCheck = true // the door has checked it, and taken it off
	lc.DeadNodeReclaimTime = reclaimAfter
	lc.UDPBufferSize = 1400
	// Nothing sent is worth it, and a message that is small on the wire and large in
	// memory is not made here.
	lc.EnableCompression = false
	lc.Logger = newLogger(c.Log)
	if c.tune != nil {
		c.tune(lc)
	}
	return lc, nil
}
