package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"purser/api/admin"
	"purser/cluster"
	"purser/internal/audit"
	"purser/ledger"
	"purser/raftfsm"
)

// Backup implements admin.Reports: everything that was acknowledged before the
// call is in it.
func (c control) Backup(ctx context.Context, w io.Writer) error {
	if c.n.follower != nil {
		return c.elsewhere()
	}
	if err := c.n.noted(ctx, change{action: "backup.read", target: "backup"}); err != nil {
		return err
	}
	if _, err := c.catchUp(ctx, admin.Linearizable); err != nil {
		return err
	}
	_, err := c.n.fsm.Backup(w)
	return err
}

// Contents is what a backup holds.
type Contents struct {
	Index                          uint64 // of the last entry in it
	At                             ledger.Instant
	Generation                     uint32
	Budgets, Accounts, Nodes, Keys int
	LedgerDigest, DirectoryDigest  [32]byte
	image                          *raftfsm.Image
}

// ReadBackup reads a backup and checks it to the last byte.
func ReadBackup(r io.Reader) (*Contents, error) {
	m, err := raftfsm.ReadBackup(r)
	if err != nil {
		return nil, err
	}
	l, d := m.Ledger(), m.Directory()
	c := &Contents{
		Index: m.Index(), At: l.Now(), Generation: l.Generation(), Keys: d.Len(),
		LedgerDigest: l.Digest(), DirectoryDigest: d.Digest(), image: m,
	}
	for b := range l.Budgets() {
		c.Budgets++
		for range l.Accounts(b.ID) {
			c.Accounts++
		}
	}
	for range l.Nodes() {
		c.Nodes++
	}
	return c, nil
}

// Restoring says how to restore.
type Restoring struct {
	// Replace sets what the data directory has of a cluster aside, under another
	// name; without it such a directory is refused.
	Replace bool
	// Name of the new cluster; "" is that of the old one, if the directory knows it.
	Name string
}

// Restore makes the node of a configuration the first of a cluster that begins
// with a backup. The node's store stays: its usage records are of use. The new
// cluster has an authority of its own, so that nodes of the old one that still
// run cannot take part in it. It returns where the old parts were set aside.
func Restore(cfg *Config, from *Contents, how Restoring, now time.Time) (aside []string, err error) {
	if at := ledger.Instant(now.UnixNano()); at < from.At {
		return nil, fmt.Errorf("this machine's clock is %v behind the last entry of the backup: set it right, or windows that were spent begin again",
			time.Duration(from.At-at).Round(time.Second))
	}
	if cfg.Cluster.Gateway {
		return nil, errors.New("a gateway keeps no ledger: restore on a node that is a member (without cluster.gateway)")
	}
	// Held to the end: a node that runs there must not have its log taken away.
	locked, err := lockStore(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	if err := fits(cfg, locked.Identity().ID, from); err != nil {
		return nil, err
	}
	name := how.Name
	old, err := readCredentials(cfg.Node.DataDir, cfg.Node.ID)
	switch {
	case err != nil && !how.Replace:
		return nil, err
	case old != nil && !how.Replace:
		return nil, fmt.Errorf("%w: %s is node %s of cluster %s; if that is lost for good, restore with --replace, which sets it aside", ErrInCluster, cfg.Node.DataDir, old.standing.Node, old.standing.Cluster)
	case old != nil && name == "":
		name = old.standing.Cluster
	case name == "":
		name = "purser"
	}
	if how.Replace {
		if aside, err = setAside(cfg.Node.DataDir, now); err != nil {
			return aside, err
		}
	}
	dir := filepath.Join(cfg.Node.DataDir, raftDir)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return aside, errors.Join(fmt.Errorf("%s is there already: if the cluster it belonged to is lost for good, restore with --replace, which sets it aside", dir), err)
	}
	if err := from.image.Begin(ledger.Instant(now.UnixNano()), restored(cfg, from, name)); err != nil {
		return aside, err
	}
	if err := cluster.Seed(dir, cfg.Node.ID, cfg.Cluster.place(), from.image.Index(), from.image.Write); err != nil {
		return aside, err
	}
	// Last: a node with an authority and no log would begin with an empty ledger.
	if cfg.Cluster.Listen != "" {
		_, err = InitCluster(cfg, name)
	}
	return aside, err
}

// restored is what the audit trail says of a restore. Who can run the command on the
// node's machine is not known better than that.
func restored(cfg *Config, from *Contents, name string) func(generation uint32) audit.Facts {
	return func(generation uint32) audit.Facts {
		f := audit.Facts{Node: ledger.NodeID(cfg.Node.ID), Actor: "local", Action: "cluster.restore", Target: "cluster/" + name}
		// A view of numbers and texts is always written.
		f.After, _ = audit.View(map[string]any{"generation": generation, "backup_entry": from.Index, "backup_time": timeText(from.At), "trail": from.image.Trail().Head().String()})
		return f
	}
}

// fits refuses a node that the ledger of the backup would refuse.
func fits(cfg *Config, id ledger.StoreID, from *Contents) error {
	known, ok := from.image.Ledger().Node(ledger.NodeID(cfg.Node.ID))
	switch {
	case !ok:
		return nil
	case known.Fenced:
		return fmt.Errorf("node %s was fenced when the backup was made: give this node another id", cfg.Node.ID)
	case id != known.Store:
		return fmt.Errorf("the backup knows node %s with another store than the one in %s: give this node an id that the backup does not know", cfg.Node.ID, cfg.Node.DataDir)
	}
	return nil
}

// setAside renames what a data directory has of a cluster, but not its store. What
// says which cluster it was goes last.
func setAside(dataDir string, now time.Time) (moved []string, err error) {
	for _, part := range []string{raftDir, clusterDir} {
		from := filepath.Join(dataDir, part)
		to := from + now.UTC().Format(".before-20060102T150405Z")
		switch err := os.Rename(from, to); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return moved, err
		default:
			moved = append(moved, to)
		}
	}
	return moved, nil
}

// place is where others reach this node, "" if it is alone.
func (c *ClusterConfig) place() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return c.Listen
}
