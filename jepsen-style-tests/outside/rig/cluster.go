// Package rig runs a cluster as its operators do: processes of the shipped binary, each
// on a host of its own with a disk of its own, the simulated provider on another, and
// clients on a third.
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/jepsen-style-tests/builds/clock"
	"purser/jepsen-style-tests/faultfs"
	"purser/jepsen-style-tests/netlab"
)

// AdminToken is that of the cluster.
const AdminToken = "outside-admin-token-of-one-run-v4m8x2"

// patience bounds every wait for something that should come soon.
const patience = 60 * time.Second

// Options say what cluster is wanted.
type Options struct {
	Nodes     int
	Seed      uint64
	Dir       string // of everything: logs, bill, data
	Binary    string
	Biller    string // binary that the provider runs, and nodes that join later; "": Binary
	Mode      netlab.Mode
	Disks     bool                             // each node's directory is on a faultfs
	Clocks    bool                             // the binary's clock can be set
	Config    string                           // more YAML for all nodes
	Provider  []string                         // more flags of the provider
	Authority time.Duration                    // purse.authority_ttl, default 10 s
	Log       func(format string, args ...any) // what the harness does
}

// Cluster is the nodes and what they stand between.
type Cluster struct {
	Dir   string
	Nodes []*Node
	Lab   *netlab.Lab

	o        Options
	clients  *netlab.Host
	provider *process
	upstream string // the provider's address with /v1
	control  string // the provider's, for the harness
	http     *http.Client

	founded bool // all nodes vote

	mu     sync.Mutex
	deaths []string
}

// Names of hosts that are no nodes.
const (
	ProviderHost = "provider"
	ClientHost   = "clients"
)

const (
	clientPort   = 7070
	clusterPort  = 7071
	gossipPort   = 7072
	providerPort = 7099
)

// Open starts a cluster and waits until all nodes vote.
func Open(ctx context.Context, o Options) (c *Cluster, err error) {
	if o.Authority == 0 {
		o.Authority = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	lab, err := netlab.Open(netlab.Options{Mode: o.Mode, Seed: o.Seed, Log: o.Log})
	if err != nil {
		return nil, err
	}
	c = &Cluster{Dir: o.Dir, Lab: lab, o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.startProvider(); err != nil {
		return c, err
	}
	if c.clients, err = lab.Host(ClientHost); err != nil {
		return c, err
	}
	const conns = 256
	c.http = &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: c.clients.DialContext, MaxIdleConnsPerHost: conns, DisableCompression: true}}
	for i := range o.Nodes {
		if err := c.addNode(i); err != nil {
			return c, err
		}
	}
	return c, c.found(ctx)
}

// addNode makes the host and the disk of a place.
func (c *Cluster) addNode(i int) error {
	n := &Node{c: c, Place: fmt.Sprintf("n%d", i+1), binary: c.o.Binary, first: i == 0, lives: 1}
	n.is = n.Place + "-1"
	var err error
	if n.Host, err = c.Lab.Host(n.Place); err != nil {
		return err
	}
	dir := c.diskOf(n)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of %s: %w", n.Place, err)
	}
	if c.o.Disks {
		backing := c.backingOf(n)
		if err := os.MkdirAll(backing, 0o700); err != nil {
			return fmt.Errorf("making the disk of %s: %w", n.Place, err)
		}
		if n.Disk, err = faultfs.Mount(faultfs.Options{Backing: backing, Dir: dir, Seed: c.o.Seed + uint64(i), Log: c.o.Log}); err != nil {
			return err
		}
	}
	if c.o.Clocks {
		if n.Clock, err = clock.Create(filepath.Join(c.Dir, n.Place+".clock")); err != nil {
			return err
		}
	}
	n.dir = filepath.Join(dir, "data-"+n.is)
	n.port, n.gossip = n.Host.Address(clusterPort), n.Host.Address(gossipPort)
	if c.Lab.Mode() != netlab.Namespaces {
		n.gossip = "off" // a proxy for TCP carries none
	}
	if n.told, err = n.Host.Advertise(n.port); err != nil {
		return err
	}
	listen := n.Host.Address(clientPort)
	told, err := n.Host.Advertise(listen)
	if err != nil {
		return err
	}
	n.url = "http://" + told
	n.listenAt = listen
	c.Nodes = append(c.Nodes, n)
	return nil
}

func (c *Cluster) diskOf(n *Node) string { return filepath.Join(c.Dir, n.Place) }

// gaveUp are the reasons for which a node ends by itself and is to be started again, as
// whoever runs nodes does: it found no quorum for two minutes of its start, or its log
// contradicted a snapshot that it was sent.
var gaveUp = []string{"purser: waiting for the ledger:", "the log contradicted the leader's snapshot and was dropped; start this node again"}

// died notes a process that ended by itself.
func (c *Cluster) died(p *process) {
	if last := tail(p.log); slices.ContainsFunc(gaveUp, func(why string) bool { return strings.Contains(last, why) }) {
		for _, n := range c.Nodes {
			if n.log() == p.log && n.Start() == nil {
				return
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaths = append(c.deaths, fmt.Sprintf("%s ended by itself: %v; the end of its log:\n%s", p.name, p.ended(), tail(p.log)))
}

// Deaths are the processes that ended by themselves and had no reason to.
func (c *Cluster) Deaths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.deaths)
}

// backingOf is where the files of a disk of a place are that this process serves.
func (c *Cluster) backingOf(n *Node) string { return c.diskOf(n) + ".backing" }

// Bill is the provider's file.
func (c *Cluster) Bill() string { return filepath.Join(c.Dir, "bill.jsonl") }

// Rows reads the bill.
func (c *Cluster) Rows() ([]simprovider.Row, error) { return simprovider.ReadBill(c.Bill()) }

// HTTP is the client of who is on the clients' host.
func (c *Cluster) HTTP() *http.Client { return c.http }

// Authority is how long a node goes on that hears nothing of the ledger.
func (c *Cluster) Authority() time.Duration { return c.o.Authority }

func (c *Cluster) configFile() string { return filepath.Join(c.Dir, "node.yaml") }

// found begins the cluster at the first place and has the others join.
func (c *Cluster) found(ctx context.Context) error {
	first := c.Nodes[0]
	text := fmt.Sprintf("node:\n  id: %s\n  data_dir: %q\nlisten:\n  client: %s\n  drain_time: 5s\ncluster:\n  listen: %s\n  advertise: %s\n  gossip: %s\n  stable: 500ms\nadmin:\n  token: %s\n  open_metrics: true\npurse:\n  idle: 1s\n  authority_ttl: %v\nrequests:\n  drain_time: 20s\nupstreams:\n  - name: sim\n    base_url: %s\n    key: sk-outside\n    first_byte_timeout: 5s\n    idle_timeout: 5s\n  - name: claude\n    provider: anthropic\n    base_url: %s\n    key: sk-outside\n    models: [\"claude-*\"]\n    first_byte_timeout: 5s\n    idle_timeout: 5s\n%s",
		first.is, first.dir, first.listenAt, first.port, first.told, first.gossip, AdminToken, c.o.Authority, c.upstream, c.upstream, c.o.Config)
	if err := os.WriteFile(c.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if out, err := exec.CommandContext(ctx, c.o.Binary, "cluster", "init", "--config", c.configFile(), "--name", "outside").CombinedOutput(); err != nil {
		return fmt.Errorf("beginning the cluster: %w: %s", err, out)
	}
	if err := first.Start(); err != nil {
		return err
	}
	if err := first.Ready(ctx); err != nil {
		return err
	}
	for _, n := range c.Nodes[1:] {
		n.lives = 0 // Join counts it
		if err := n.Join(ctx); err != nil {
			return err
		}
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	if err := c.Vote(ctx); err != nil {
		return err
	}
	c.founded = true
	return nil
}

// Vote waits until every place has a node that votes.
func (c *Cluster) Vote(ctx context.Context) error {
	return c.eventuallyAt(ctx, nil, "all nodes vote", func(a *admin.Client) error {
		m, err := a.Members(ctx)
		if err != nil {
			return err
		}
		voters := map[string]bool{}
		for _, member := range m.Nodes {
			voters[member.ID] = member.Role == "leader" || member.Role == "voter"
		}
		for _, n := range c.Nodes {
			if !voters[n.ID()] {
				return fmt.Errorf("%s does not", n.ID())
			}
		}
		return nil
	})
}

// Leader is the node that says that it leads, nil if none does. Of two the one with
// the later term.
func (c *Cluster) Leader(ctx context.Context) *Node {
	var leader *Node
	var term uint64
	for _, n := range c.Nodes {
		if !n.Up() {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		s, err := n.Here().Status(ctx)
		cancel()
		if err == nil && s.Role == "leader" && (leader == nil || s.Term > term) {
			leader, term = n, s.Term
		}
	}
	return leader
}

// Others are all nodes but these.
func (c *Cluster) Others(but ...*Node) (list []*Node) {
next:
	for _, n := range c.Nodes {
		for _, b := range but {
			if n == b {
				continue next
			}
		}
		list = append(list, n)
	}
	return list
}

// Provider asks the simulated provider's control surface, as /_sim/path.
func (c *Cluster) Provider(ctx context.Context, method, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.control+"/_sim/"+path, strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the provider's control: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the provider's control answers %d", res.StatusCode)
	}
	return nil
}

// Mode has the provider answer all calls in this way, "" as it should.
func (c *Cluster) Mode(ctx context.Context, mode string) error {
	if mode == "" {
		return c.Provider(ctx, http.MethodDelete, "mode", nil)
	}
	return c.Provider(ctx, http.MethodPut, "mode", map[string]any{"mode": mode})
}

// eventuallyAt tries something on the nodes in turn, but not on one, until it works.
func (c *Cluster) eventuallyAt(ctx context.Context, but *Node, what string, f func(*admin.Client) error) error {
	i := 0
	return Eventually(ctx, patience, what, func() error {
		i++
		n := c.Nodes[i%len(c.Nodes)]
		if n == but || !n.Up() {
			return fmt.Errorf("%s is not there to be asked", n.Place)
		}
		return f(n.Admin())
	})
}

// Eventually waits until f returns nil.
func Eventually(ctx context.Context, limit time.Duration, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		err := f()
		if err == nil {
			tick.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("waited %v for this: %s; last: %w", limit, what, err)
		case <-tick.C:
		}
	}
}

// StopAll ends all nodes in peace, at once, and says which did not end well.
func (c *Cluster) StopAll() map[string]string {
	type end struct {
		place string
		err   error
	}
	ends := make(chan end, len(c.Nodes))
	for _, n := range c.Nodes {
		go func() { ends <- end{n.Place, n.Stop()} }()
	}
	bad := map[string]string{}
	for range c.Nodes {
		if e := <-ends; e.err != nil {
			bad[e.place] = e.err.Error()
		}
	}
	return bad
}

// Close ends whatever runs, and takes the hosts and disks away. What is written stays.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Kill())
	}
	if c.provider != nil {
		_ = c.provider.signal(syscall.SIGTERM) // its end says nothing
		c.provider.wait(patience)
	}
	for _, n := range c.Nodes {
		if n.Disk != nil {
			errs = append(errs, n.Disk.Close())
		}
		if n.Clock != nil {
			errs = append(errs, n.Clock.Close())
		}
	}
	return errors.Join(append(errs, c.Lab.Close())...)
}
