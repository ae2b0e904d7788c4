package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"purser/api/admin"
	"purser/internal/vault"
)

type credentialCmd struct {
	Put    credentialPutCmd    `cmd:"" help:"Make a credential, or replace one; the key is read from standard input or a file."`
	List   credentialListCmd   `cmd:"" help:"List the credentials by their fingerprints."`
	Show   credentialShowCmd   `cmd:"" help:"Show one."`
	Rotate credentialRotateCmd `cmd:"" help:"Give a credential another key of its provider; all else stays."`
	Check  credentialCheckCmd  `cmd:"" help:"Say whether a credential holds this key."`
	Delete credentialDeleteCmd `cmd:"" help:"Delete one; requests stop using it at once."`
}

// secretFlag is where a provider's key comes from: never from the command line,
// which other users of the machine see and shells remember.
type secretFlag struct {
	File string `help:"File with the provider's key; without it, or with -, it is read from standard input." short:"f" type:"path" default:"-"`
}

func (f *secretFlag) read() (string, error) {
	from := io.Reader(os.Stdin)
	if f.File != "-" {
		file, err := os.Open(f.File)
		if err != nil {
			return "", err
		}
		defer file.Close()
		from = file
	}
	b, err := io.ReadAll(io.LimitReader(from, vault.MaxSecret+2))
	if err != nil {
		return "", fmt.Errorf("reading the key: %w", err)
	}
	b = bytes.TrimSpace(b)
	if err := vault.CheckSecret(b); err != nil {
		return "", err
	}
	return string(b), nil
}

type credentialPutCmd struct {
	remote
	secretFlag
	ID          string            `arg:"" help:"The credential: a-z, 0-9, '.', '_', '-'."`
	Provider    string            `help:"Whose key it is, as the price catalogue names it." required:""`
	Description string            `help:"What it is for."`
	Match       map[string]string `help:"Who may use it: --match customer=acme (repeat). Default anybody."`
	Weight      int               `help:"Its share of the calls beside others, 1 to 1000." default:"1"`
	Expires     string            `help:"When it ends, RFC 3339."`
	Disabled    bool              `help:"Keep it, and use it for nothing."`
	KeepSecret  bool              `help:"Change what is around the key, and not the key."`
	Version     uint64            `help:"Change it only if it is of this version."`
	New         bool              `help:"Make it only if it is not there."`
}

// Run puts the credential.
func (c *credentialPutCmd) Run(ctx context.Context) error {
	expect, err := expectation(c.Version, c.New)
	if err != nil {
		return err
	}
	in := admin.NewCredential{
		Provider: c.Provider, Description: c.Description, Match: c.Match, Weight: c.Weight, Expires: c.Expires, Disabled: c.Disabled,
	}
	if !c.KeepSecret {
		if in.Secret, err = c.read(); err != nil {
			return err
		}
	}
	out, err := c.client().PutCredential(ctx, c.ID, expect, in)
	if err != nil {
		return err
	}
	return c.show(out)
}

func (r *remote) show(k admin.Credential) error {
	return r.print(k, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "credential\t%s\nprovider\t%s\nstate\t%s\nfingerprint\t%s\nmaster key\t%s\ndata key\tgeneration %d\nput\t%s\nexpires\t%s\nfor\t%s\nweight\t%d\nversion\t%d\n",
			k.ID, k.Provider, k.State, k.Fingerprint, k.Master, k.Generation, k.Rotated, dash(k.Expires), pairs(k.Match), k.Weight, k.Version)
		if k.Description != "" {
			fmt.Fprintf(w, "description\t%s\n", k.Description)
		}
	})
}

type credentialListCmd struct{ remote }

// Run lists the credentials.
func (c *credentialListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListCredentials(ctx)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tPROVIDER\tSTATE\tFOR\tWEIGHT\tFINGERPRINT\tPUT\tEXPIRES\tDESCRIPTION")
		for _, k := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", k.ID, k.Provider, k.State, pairs(k.Match), k.Weight, k.Fingerprint, k.Rotated, dash(k.Expires), dash(k.Description))
		}
	})
}

type credentialShowCmd struct {
	remote
	ID string `arg:"" help:"The credential."`
}

// Run shows one.
func (c *credentialShowCmd) Run(ctx context.Context) error {
	k, err := c.client().ShowCredential(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(k)
}

type credentialRotateCmd struct {
	remote
	secretFlag
	ID string `arg:"" help:"The credential."`
}

// Run gives the credential another key.
func (c *credentialRotateCmd) Run(ctx context.Context) error {
	secret, err := c.read()
	if err != nil {
		return err
	}
	k, err := c.client().ShowCredential(ctx, c.ID)
	if err != nil {
		return err
	}
	in := admin.NewCredential{Provider: k.Provider, Description: k.Description, Match: k.Match, Weight: k.Weight, Expires: k.Expires, Disabled: k.Disabled, Secret: secret}
	out, err := c.client().PutCredential(ctx, c.ID, admin.Version(k.Version), in)
	if err != nil {
		return err
	}
	return c.show(out)
}

type credentialCheckCmd struct {
	remote
	secretFlag
	ID string `arg:"" help:"The credential."`
}

// Run compares the key with the credential's. Another key is an error.
func (c *credentialCheckCmd) Run(ctx context.Context) error {
	secret, err := c.read()
	if err != nil {
		return err
	}
	ok, err := c.client().MatchCredential(ctx, c.ID, secret)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("credential %s holds another key", c.ID)
	}
	fmt.Printf("credential %s holds this key\n", c.ID)
	return nil
}

type credentialDeleteCmd struct {
	remote
	ID      string `arg:"" help:"The credential."`
	Version uint64 `help:"Delete it only if it is of this version."`
}

// Run deletes it.
func (c *credentialDeleteCmd) Run(ctx context.Context) error {
	expect, err := expectation(c.Version, false)
	if err != nil {
		return err
	}
	return c.client().DeleteCredential(ctx, c.ID, expect)
}

type vaultCmd struct {
	NewKey       vaultNewKeyCmd       `cmd:"" help:"Make a master key and write it to a new file."`
	Status       vaultStatusCmd       `cmd:"" help:"Which master keys the asked node has, and which are needed."`
	RotateMaster vaultRotateMasterCmd `cmd:"" help:"Wrap every data key by the current master key."`
	RotateData   vaultRotateDataCmd   `cmd:"" help:"Give a credential another data key."`
}

type vaultNewKeyCmd struct {
	Out string `arg:"" help:"The file, which must not be there; - for standard output." type:"path"`
}

// Run makes the key.
func (c *vaultNewKeyCmd) Run() error {
	key := vault.NewKeyText()
	if c.Out == "-" {
		fmt.Println(key)
		return nil
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, key)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	keys, err := vault.ParseKeys(key)
	if err != nil {
		return err
	}
	fmt.Printf("master key %s is in %s: give every node a copy, and keep one where no node is\n", keys[0].KeyID(), c.Out)
	return nil
}

type vaultStatusCmd struct{ remote }

// Run prints the node's master keys.
func (c *vaultStatusCmd) Run(ctx context.Context) error {
	s, err := c.client().VaultStatus(ctx)
	if err != nil {
		return err
	}
	return c.print(s, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "node\t%s\n\nMASTER KEY\tON THIS NODE\tCREDENTIALS\n", s.Node)
		for _, id := range s.Known {
			state := "known"
			if id == s.Current {
				state = "current"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\n", id, state, s.Needed[id])
			delete(s.Needed, id)
		}
		for id, n := range s.Needed {
			fmt.Fprintf(w, "%s\tmissing\t%d\n", id, n)
		}
	})
}

type vaultRotateMasterCmd struct {
	remote
	Again bool `help:"Also those that it wraps already: after a key service has rotated a key under its name."`
}

// Run rotates the master key. What could not be wrapped is an error, after the rest.
func (c *vaultRotateMasterCmd) Run(ctx context.Context) error {
	r, err := c.client().RotateMaster(ctx, c.Again)
	if err != nil {
		return fmt.Errorf("after %d data keys (run it again to go on): %w", r.Rewrapped, err)
	}
	if err := c.print(r, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "master key\t%s\nwrapped anew\t%d\nunchanged\t%d\n", r.Master, r.Rewrapped, r.Unchanged)
		for _, f := range r.Failed {
			fmt.Fprintf(w, "failed\t%s: %s\n", f.ID, f.Why)
		}
	}); err != nil {
		return err
	}
	if len(r.Failed) > 0 {
		return fmt.Errorf("%d data keys were not wrapped: keep the old master key", len(r.Failed))
	}
	return nil
}

type vaultRotateDataCmd struct {
	remote
	ID string `arg:"" help:"The credential."`
}

// Run renews the data key.
func (c *vaultRotateDataCmd) Run(ctx context.Context) error {
	k, err := c.client().RotateData(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(k)
}
