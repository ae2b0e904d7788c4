package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"purser/node"
)

type backupCmd struct {
	remote
	Out string `help:"File to write; it must not be there." required:"" short:"o" placeholder:"FILE"`
}

// Run writes the backup, reads it again, and only then gives it its name.
func (c *backupCmd) Run(ctx context.Context) error {
	if _, err := os.Stat(c.Out); err == nil {
		return fmt.Errorf("%s is there already; a backup replaces nothing", c.Out)
	}
	f, err := os.OpenFile(c.Out+".part", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	contents, err := c.write(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), c.Out); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(c.Out)); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", c.Out, describe(contents))
	return nil
}

func (c *backupCmd) write(ctx context.Context, f *os.File) (*node.Contents, error) {
	if err := c.client().Backup(ctx, f); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return node.ReadBackup(f)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func describe(c *node.Contents) string {
	at := time.Unix(0, int64(c.At)).UTC().Format(time.RFC3339)
	return fmt.Sprintf("entry %d at %s, generation %d: %d budgets, %d accounts, %d keys, %d nodes; digest %.8x", c.Index, at, c.Generation, c.Budgets, c.Accounts, c.Keys, c.Nodes, c.LedgerDigest)
}

type restoreCmd struct {
	nodeFlags
	File    string `arg:"" help:"The backup." type:"existingfile"`
	Name    string `help:"Name of the new cluster (default that of the old one)."`
	Replace bool   `help:"Set what the data directory has of a cluster aside."`
	Yes     bool   `help:"Yes: what the backup cannot know to be unspent is withheld, and the old cluster is over."`
}

// Run begins a cluster with the backup.
func (c *restoreCmd) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	contents, err := node.ReadBackup(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	fmt.Printf("%s: %s\n", c.File, describe(contents))
	if !c.Yes {
		return errors.New("nothing was changed. Restoring ends the old cluster: its nodes must not run any more. Of every hard budget's present window, " +
			"all that the backup does not show as spent is withheld until you release it. Say --yes")
	}
	aside, err := node.Restore(&cfg, contents, node.Restoring{Replace: c.Replace, Name: c.Name}, time.Now())
	for _, path := range aside {
		fmt.Println("set aside:         " + path)
	}
	if err != nil {
		return err
	}
	fmt.Printf(`node %s begins generation %d of the ledger with it

Start it:          purser serve with the same configuration and flags
Other nodes:       purser cluster token, and there: purser join --rejoin --token TOKEN
What is withheld:  purser budget show ID; give it back with purser budget release ID --yes
`, cfg.Node.ID, contents.Generation+1)
	return nil
}
