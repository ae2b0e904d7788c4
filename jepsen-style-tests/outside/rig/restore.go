package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"purser/api/admin"
)

// Backup writes a backup of the cluster's ledger to a file.
func (c *Cluster) Backup(ctx context.Context, file string) error {
	return c.eventuallyAt(ctx, nil, "a backup", func(a *admin.Client) error {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := a.Backup(ctx, f); err != nil {
			_ = f.Close() // the first error says it
			return err
		}
		return f.Close()
	})
}

// Restore ends the cluster, all of whose nodes must be down, and begins another with a
// backup, at the first place; the others join it with what they have.
func (c *Cluster) Restore(ctx context.Context, file string) error {
	first := c.Nodes[0]
	first.mu.Lock()
	first.first = true // also where it had joined another's: it is to be told all that a first node is
	first.mu.Unlock()
	args := []string{"restore", file, "--yes", "--replace", "--config", c.configFile()}
	if out, err := exec.CommandContext(ctx, first.binary, append(args, first.flags()...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("restoring a backup: %w: %s", err, out)
	}
	if err := first.Start(); err != nil {
		return err
	}
	if err := first.Ready(ctx); err != nil {
		return err
	}
	for _, n := range c.Nodes[1:] {
		if err := n.rejoin(ctx); err != nil {
			return err
		}
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	return c.Vote(ctx)
}

// rejoin has the node join the cluster that came of a backup, under the id it had.
func (n *Node) rejoin(ctx context.Context) error {
	token, err := n.c.Nodes[0].Admin().NewToken(ctx, admin.NewToken{})
	if err != nil {
		return fmt.Errorf("making a join token: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.first = false
	n.newest()
	if err := n.launch(append([]string{"join", "--rejoin", "--token", token.Token}, n.flags()...)); err != nil {
		return err
	}
	_, err = n.proc.await(patience)
	return err
}
