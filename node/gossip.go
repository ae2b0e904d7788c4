package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"purser/api/admin"
	"purser/cluster/gossip"
)

const (
	// gossipOff is what cluster.gossip says for none.
	gossipOff = "off"
	// mingleEvery is how often a node looks whether it knows of others whom gossip
	// has not told it of.
	mingleEvery = time.Second
	// mingleAgain is how soon the same address is tried again.
	mingleAgain = 10 * time.Second
	// mingleMost bounds the addresses that are tried in one go: one that answers
	// tells of all the others.
	mingleMost = 8
	// maxBuild cuts the version of the build, in bytes.
	maxBuild = 64
)

// gossip is where gossip listens, and the host at which others reach it; "" for
// none.
func (c *ClusterConfig) gossip() (listen, host string, err error) {
	if c.Gossip == gossipOff || c.Listen == "" || c.Gateway {
		return "", "", nil
	}
	own, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", "", err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return "", "", err
	}
	listen, host = c.Gossip, own
	if c.Advertise != "" {
		if host, _, err = net.SplitHostPort(c.Advertise); err != nil {
			return "", "", err
		}
	}
	if listen == "" {
		if number > 0 { // 0 is a free one for each
			number++
		}
		if number > maxPort {
			return "", "", errors.New("there is no port above that of cluster.listen: say where to gossip, or off")
		}
		return net.JoinHostPort(own, strconv.Itoa(number)), host, nil
	}
	other, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", "", fmt.Errorf("%q is not host:port, or off", listen)
	}
	if at, err := net.LookupPort("tcp", port); err != nil {
		return "", "", fmt.Errorf("%q has no port: %w", listen, err)
	} else if at == number && at > 0 && (other == own || everywhere(own) || everywhere(other)) {
		return "", "", errors.New("it needs another port than cluster.listen has")
	}
	if other != own && !everywhere(other) {
		host = other // an interface of its own
	}
	return listen, host, nil
}

const maxPort = 65535

// everywhere reports whether a host stands for every interface.
func everywhere(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }

// hearsay is what gossip tells this node, and whom it may gossip with. Nothing that
// has to be right goes by it. A nil one is a node that does not gossip.
type hearsay struct {
	node    string
	log     *slog.Logger
	pool    *gossip.Pool
	stop    context.CancelFunc
	working sync.WaitGroup

	mu    sync.Mutex
	meta  gossip.Meta
	heard map[string]*lead // by node: as many as there are nodes
}

// lead is where a node said that it gossips.
type lead struct {
	address string
	tried   time.Time
}

// openGossip begins to gossip, with nobody yet. An address that cannot be had is an
// error, as with the other listeners; of anything else the node can do without, it
// does.
func (n *Node) openGossip(creds *credentials, address string) (*hearsay, error) {
	c := &n.cfg.Cluster
	listen, host, err := c.gossip()
	if err != nil || listen == "" {
		return nil, err
	}
	h := &hearsay{node: n.cfg.Node.ID, log: n.log, heard: map[string]*lead{}}
	h.meta = gossip.Meta{Region: c.Region, Zone: c.Zone, Address: address, Version: strings.ToValidUTF8(n.version[:min(len(n.version), maxBuild)], "")}
	key, err := creds.authority.GossipKey()
	if err == nil {
		h.pool, err = gossip.Start(gossip.Config{
			Node: h.node, Meta: h.meta, Label: creds.authority.GossipLabel(), Keys: [][]byte{key},
			Listen: listen, Advertise: host, WAN: c.Profile == "wan", Log: n.log,
		})
	}
	if errors.Is(err, gossip.ErrListen) {
		return nil, fmt.Errorf("cluster.gossip: %w (another address, or off, in cluster.gossip or --gossip)", err)
	}
	if err != nil {
		n.log.Warn("this node does not gossip; the cluster works without", "error", err)
		return nil, nil
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.working.Go(func() { h.mingle(ctx) })
	return h, nil
}

// address is where this node gossips, for others; "" for nowhere.
func (h *hearsay) address() string {
	if h == nil {
		return ""
	}
	return h.pool.Address()
}

// hear notes where a node says that it gossips.
func (h *hearsay) hear(node, address string) {
	if h == nil || node == h.node {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch was := h.heard[node]; {
	case address == "":
		delete(h.heard, node)
	case was == nil || was.address != address:
		h.heard[node] = &lead{address: address}
	}
}

// mingle keeps this node among those it has heard of: also after a partition, over
// which gossip itself forgets. It returns when ctx is done.
func (h *hearsay) mingle(ctx context.Context) {
	t := time.NewTicker(mingleEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			addresses := h.missing(now)
			if len(addresses) == 0 {
				continue
			}
			if _, err := h.pool.Join(addresses); err != nil && ctx.Err() == nil {
				h.log.Debug("nobody gossips at the addresses that others gave", "error", err)
			}
		}
	}
}

// missing is where nodes said they gossip that gossip does not tell of.
func (h *hearsay) missing(now time.Time) []string {
	known := map[string]string{}
	for _, m := range h.pool.Members() {
		if m.State.Up() {
			known[m.ID] = m.Gossip
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for node, l := range h.heard {
		if known[node] == l.address || now.Sub(l.tried) < mingleAgain || len(out) == mingleMost {
			continue
		}
		l.tried = now
		out = append(out, l.address)
	}
	return out
}

// registered tells the others this node's incarnation.
func (h *hearsay) registered(incarnation uint32) {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.meta.Incarnation = incarnation
	meta := h.meta
	h.mu.Unlock()
	if err := h.pool.Update(meta); err != nil {
		h.log.Warn("gossip does not tell this node's incarnation", "error", err)
	}
}

// where is the cluster port of a node as gossip has it, "" if it has not. It
// implements the hint of port.Credentials.
func (h *hearsay) where(node string) string {
	if h == nil {
		return ""
	}
	if m, ok := h.pool.Member(node); ok && m.State.Up() {
		return m.Address
	}
	return ""
}

// text is what gossip says of a node, for an operator, and where the node itself
// said that it gossips.
func (h *hearsay) text(node, said string) *admin.Gossip {
	var m gossip.Member
	known := false
	if h != nil {
		m, known = h.pool.Member(node)
	}
	switch {
	case !known && said == "":
		return nil
	case !known:
		return &admin.Gossip{State: "unseen", Address: said}
	}
	return &admin.Gossip{
		State: m.State.String(), Address: m.Gossip, Seen: m.Seen.UTC().Format(time.RFC3339), Conflict: m.Conflict,
		Incarnation: m.Incarnation, Region: m.Region, Zone: m.Zone, Version: m.Version, Cluster: m.Meta.Address,
	}
}

// alive is how many nodes seem to be there, this one among them.
func (h *hearsay) alive() int {
	if h == nil {
		return 0
	}
	up := 0
	for _, m := range h.pool.Members() {
		if m.State.Up() {
			up++
		}
	}
	return up
}

// foreign is how much of other clusters was turned away.
func (h *hearsay) foreign() uint64 {
	if h == nil {
		return 0
	}
	return h.pool.Foreign()
}

// gossipAlive and gossipForeign are for the metrics.
func (n *Node) gossipAlive() float64 {
	if n.peers == nil {
		return 0
	}
	return float64(n.peers.gossip.alive())
}

// countedFor is how long a count of the nodes is good for: it is a hint, and asked for
// with each long prompt.
const countedFor = int64(5 * time.Second)

// nodesServing is how many nodes share the requests, as far as gossip knows.
func (n *Node) nodesServing() int {
	if n.peers == nil {
		return 1
	}
	if at := time.Now().UnixNano(); at-n.serving.at.Load() > countedFor {
		n.serving.at.Store(at)
		n.serving.nodes.Store(int64(max(n.peers.gossip.alive(), 1)))
	}
	return int(max(n.serving.nodes.Load(), 1))
}

func (n *Node) gossipForeign() float64 {
	if n.peers == nil {
		return 0
	}
	return float64(n.peers.gossip.foreign())
}

// close tells the others, for a moment, and ends what openGossip started.
func (h *hearsay) close() error {
	if h == nil {
		return nil
	}
	h.stop()
	err := h.pool.Close()
	h.working.Wait()
	return err
}
