package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/node"
)

type clusterCmd struct {
	Init     clusterInitCmd     `cmd:"" help:"Make this node the first of a new cluster; then start it with serve."`
	Token    clusterTokenCmd    `cmd:"" help:"Make a token that lets one new node join."`
	Status   statusCmd          `cmd:"" help:"How the asked node is, and who leads."`
	Members  clusterMembersCmd  `cmd:"" help:"List the nodes of the cluster."`
	Transfer clusterTransferCmd `cmd:"" name:"transfer-leader" help:"Hand leadership to a node."`
}

type clusterInitCmd struct {
	nodeFlags
	Name string `help:"Name of the cluster." default:"purser"`
}

// Run writes the credentials of a new cluster.
func (c *clusterInitCmd) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	fingerprint, err := node.InitCluster(&cfg, c.Name)
	if err != nil {
		return err
	}
	fmt.Printf("cluster %s begins with node %s (authority %.16s…)\n\nStart it:          purser serve with the same configuration and flags\nLet others join:   purser cluster token\n", c.Name, cfg.Node.ID, fingerprint)
	return nil
}

type clusterTokenCmd struct {
	remote
	Life time.Duration `help:"How long it is good for." default:"1h"`
}

// Run makes the token and says how to use it.
func (c *clusterTokenCmd) Run(ctx context.Context) error {
	t, err := c.client().NewToken(ctx, admin.NewToken{Expires: time.Now().Add(c.Life).UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	return c.print(t, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "%s\n\nIt lets one node join, until %s. On the new machine:\n\n  purser join --token TOKEN --id NODE --cluster-listen HOST:PORT\n\nWith --gateway it serves without becoming a member.\n", t.Token, t.Expires)
	})
}

type clusterMembersCmd struct{ remote }

// Run lists the nodes.
func (c *clusterMembersCmd) Run(ctx context.Context) error {
	m, err := c.client().Members(ctx)
	if err != nil {
		return err
	}
	return c.print(m, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "NODE\tROLE\tSTATE\tANSWERS\tBEHIND\tGOSSIP\tADDRESS\tPLACE\tINCARNATION\tLEASES\tVERSION\tJOINED")
		for _, n := range m.Nodes {
			answers, state := "yes", n.State
			if !n.Answers {
				answers = "no"
			}
			if n.Fenced {
				state += ", fenced"
			}
			place := dash(n.Region)
			if n.Zone != "" {
				place += "/" + n.Zone
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", n.ID, n.Role, state, answers, n.Behind, gossipText(n.Gossip), n.Address, place, n.Incarnation, n.Leases, dash(n.Version), n.Joined)
		}
	})
}

// gossipText is what is heard of a node, in a word or two.
func gossipText(g *admin.Gossip) string {
	switch {
	case g == nil:
		return "-"
	case g.Conflict != "":
		return g.State + ", also at " + g.Conflict
	default:
		return g.State
	}
}

type clusterTransferCmd struct {
	remote
	To string `arg:"" help:"The node that shall lead."`
}

// Run moves leadership.
func (c *clusterTransferCmd) Run(ctx context.Context) error {
	return changed(ctx, &c.remote, c.To, admin.LeadNode, "leads")
}

type nodeCmd struct {
	Drain  nodeDrainCmd  `cmd:"" help:"Have a node take no more requests and return its leases."`
	Resume nodeResumeCmd `cmd:"" help:"End a drain; the node serves again when it is restarted."`
	Remove nodeRemoveCmd `cmd:"" help:"Take a node that was drained out of the cluster for good."`
	Fence  nodeFenceCmd  `cmd:"" help:"Declare a node dead for good: what it holds is written off."`
}

type nodeFlag struct {
	remote
	ID string `arg:"" help:"The node."`
}

type nodeDrainCmd struct{ nodeFlag }

// Run drains the node.
func (c *nodeDrainCmd) Run(ctx context.Context) error {
	return changed(ctx, &c.remote, c.ID, admin.DrainNode, "drains")
}

type nodeResumeCmd struct{ nodeFlag }

// Run ends a drain.
func (c *nodeResumeCmd) Run(ctx context.Context) error {
	return changed(ctx, &c.remote, c.ID, admin.ResumeNode, "may serve again; restart it")
}

type nodeRemoveCmd struct{ nodeFlag }

// Run removes the node.
func (c *nodeRemoveCmd) Run(ctx context.Context) error {
	return changed(ctx, &c.remote, c.ID, admin.RemoveNode, "is removed")
}

type nodeFenceCmd struct {
	nodeFlag
	Yes bool `help:"Yes, it is dead for good: if it still runs, what it spends is counted by nobody."`
}

// Run fences the node.
func (c *nodeFenceCmd) Run(ctx context.Context) error {
	if !c.Yes {
		return errors.New("a fenced node never comes back, and what it holds is written off; if it is dead for good, say so with --yes")
	}
	return changed(ctx, &c.remote, c.ID, admin.FenceNode, "is fenced: what it held is written off")
}

func changed(ctx context.Context, r *remote, id string, change admin.NodeChange, done string) error {
	if err := r.client().ChangeNode(ctx, id, change); err != nil {
		return err
	}
	fmt.Printf("node %s %s\n", id, done)
	return nil
}

// nodeFlags are the flags of commands that run on the node's own machine.
type nodeFlags struct {
	Config        string `help:"Configuration file (YAML)." short:"c" env:"PURSER_CONFIG"`
	ID            string `help:"Name of this node; overrides the file."`
	Listen        string `help:"Address of clients, host:port; overrides the file."`
	DataDir       string `help:"Data directory; overrides the file."`
	ClusterListen string `help:"Address of the cluster's port, host:port; overrides the file."`
	Advertise     string `help:"Where other nodes reach the cluster's port, host:port; overrides the file."`
	Gossip        string `help:"Address of gossip, UDP and TCP, host:port, or off; overrides the file."`
	Gateway       bool   `help:"This node is a gateway: it leases and serves, and is no member of the cluster."`
}

// load reads the configuration: the file, or else what the node was given when
// it joined, or else the defaults; and the flags over it.
func (f *nodeFlags) load() (node.Config, error) {
	dir := f.DataDir
	if dir == "" {
		dir = os.Getenv("PURSER_DATA_DIR")
	}
	if dir == "" {
		dir = node.Default().Node.DataDir
	}
	var cfg node.Config
	var err error
	if f.Config == "" {
		cfg, err = node.LoadGiven(dir)
	} else {
		cfg, err = node.Load(f.Config)
	}
	if err != nil {
		return cfg, err
	}
	f.override(&cfg)
	if f.Config == "" {
		cfg.Prices.Overrides = node.GivenPrices(dir)
	}
	return cfg, nil
}

func (f *nodeFlags) override(cfg *node.Config) {
	for flag, field := range map[*string]*string{
		&f.ID: &cfg.Node.ID, &f.Listen: &cfg.Listen.Client, &f.DataDir: &cfg.Node.DataDir,
		&f.ClusterListen: &cfg.Cluster.Listen, &f.Advertise: &cfg.Cluster.Advertise, &f.Gossip: &cfg.Cluster.Gossip,
	} {
		if *flag != "" {
			*field = *flag
		}
	}
	cfg.Cluster.Gateway = cfg.Cluster.Gateway || f.Gateway
}

type joinCmd struct {
	nodeFlags
	Token  string `help:"The token of purser cluster token; not needed by a node that has joined." env:"PURSER_JOIN_TOKEN"`
	Rejoin bool   `help:"Leave the cluster that the data directory belongs to: it is over, and the token's began with its backup."`
}

// Run joins if this node has not, and then serves like any other.
func (c *joinCmd) Run(ctx context.Context) error {
	s := serveCmd{nodeFlags: c.nodeFlags, token: c.Token, anew: c.Rejoin}
	return s.Run(ctx)
}
