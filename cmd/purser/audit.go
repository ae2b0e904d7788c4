package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/audit"
	"purser/internal/audit/export"
)

type auditCmd struct {
	Tail   auditTailCmd   `cmd:"" help:"Show the last entries, and those that come."`
	Verify auditVerifyCmd `cmd:"" help:"Verify the chain of a node, or of an exported file, and compare the members."`
	Export auditExportCmd `cmd:"" help:"Write entries as JSON lines, which can be verified, or as CEF."`
}

type auditTailCmd struct {
	remote
	Follow bool   `help:"Go on with the entries that come." short:"f"`
	Last   int    `help:"How many entries to begin with." short:"n" default:"20"`
	Since  string `help:"Entries from this time on, RFC 3339, or this long ago, such as 2h, instead of the last ones."`
	Action string `help:"Only this action; key.* is every one that begins so."`
	Actor  string `help:"Only by this actor."`
	Target string `help:"Only of this target."`
}

// followEvery is how soon tail -f looks again.
const followEvery = time.Second

// Run shows entries.
func (c *auditTailCmd) Run(ctx context.Context) error {
	q := admin.AuditQuery{Action: c.Action, Actor: c.Actor, Target: c.Target, Last: c.Last}
	if c.Since != "" {
		from, err := sinceText(c.Since, time.Now())
		if err != nil {
			return err
		}
		q.From, q.Last = from, 0
	}
	for {
		err := c.client().AuditTrail(ctx, q, func(r io.Reader) error {
			for l, err := range export.Read(r) {
				if err != nil {
					return err
				}
				e, err := l.Entry()
				if err != nil {
					return err
				}
				if err := c.show(l, &e); err != nil {
					return err
				}
				q.After = e.Seq
			}
			return nil
		})
		if err != nil || !c.Follow {
			return err
		}
		if q.Last = 0; q.After == 0 {
			// Nothing so far: what comes is whatever comes first.
			q.From = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

func (c *auditTailCmd) show(l audit.Link, e *audit.Entry) error {
	if c.JSON {
		b, err := export.AppendLine(nil, l)
		if err == nil {
			_, err = os.Stdout.Write(b)
		}
		return err
	}
	_, err := fmt.Println(auditLine(e))
	return err
}

// auditLine is an entry for people.
func auditLine(e *audit.Entry) string {
	at := time.Unix(0, int64(e.At)).UTC().Format(time.RFC3339)
	line := fmt.Sprintf("%d %s %s %s %s by %s", e.Seq, at, e.Result, dash(e.Action), dash(e.Target), dash(e.Actor))
	if e.Address != "" {
		line += " from " + e.Address
	}
	line += " on " + dash(string(e.Node))
	if e.Count != 1 {
		line += fmt.Sprintf(", %d times", e.Count)
	}
	line = printable(line)
	if len(e.Before) > 0 {
		line += "\n    before " + printable(string(e.Before))
	}
	if len(e.After) > 0 {
		line += "\n    after  " + printable(string(e.After))
	}
	return line
}

// printable keeps what an actor typed from moving the terminal's cursor, and from
// looking like another entry.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// sinceText reads a time, or how long ago it was.
func sinceText(s string, now time.Time) (string, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d).UTC().Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", fmt.Errorf("%q is neither a time like 2026-01-31T08:00:00Z nor a duration like 2h", s)
	}
	return s, nil
}

type auditExportCmd struct {
	remote
	Format string `help:"jsonl or cef." enum:"jsonl,cef" default:"jsonl"`
	From   string `help:"From this time on, RFC 3339."`
	To     string `help:"Before this time, RFC 3339."`
}

// Run writes entries to standard output.
func (c *auditExportCmd) Run(ctx context.Context) error {
	q := admin.AuditQuery{Format: c.Format, From: c.From, To: c.To}
	return c.client().AuditTrail(ctx, q, func(r io.Reader) error {
		if _, err := io.Copy(os.Stdout, r); err != nil {
			return fmt.Errorf("reading the audit trail (what was written is not whole): %w", err)
		}
		return nil
	})
}

type auditVerifyCmd struct {
	remote
	File  string   `help:"Verify this file of JSON lines instead of asking a node." type:"existingfile"`
	Head  []string `help:"A head that was noted earlier or elsewhere, <entry>:<hash>: the chain must still have it. May be given several times."`
	After string   `help:"With --file: the head that its first entry follows (default: the file says so itself, unless it begins with entry 1)."`
}

// verification is what verify found, for programs.
type verification struct {
	Sound   bool                `json:"sound"`
	After   string              `json:"after"` // the head before the first entry
	Head    string              `json:"head"`
	Entries uint64              `json:"entries"`
	Heads   int                 `json:"heads_compared"`
	Problem string              `json:"problem,omitempty"`
	Members []admin.AuditMember `json:"members,omitempty"`
	Silent  []string            `json:"silent,omitempty"` // members that could not be compared
}

// Run verifies, and fails if anything is wrong.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	var expect audit.Expect
	for _, s := range c.Head {
		h, err := audit.ParseHead(s)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		expect.Heads = append(expect.Heads, h)
	}
	if c.After != "" {
		h, err := audit.ParseHead(c.After)
		if err != nil {
			return fmt.Errorf("--after: %w", err)
		}
		expect.After = &h
	}
	var v verification
	var err error
	if c.File != "" {
		v, err = verifyFile(c.File, expect)
	} else {
		v, err = verifyNode(ctx, c.client(), expect)
	}
	if err != nil {
		return err
	}
	if err := c.tell(&v); err != nil {
		return err
	}
	if !v.Sound {
		return errors.New("the audit trail is not what was written: " + v.Problem)
	}
	if len(v.Silent) > 0 {
		return fmt.Errorf("the chain is sound, but not compared with %s: no answer; ask again when it is back", strings.Join(v.Silent, ", "))
	}
	return nil
}

func (c *auditVerifyCmd) tell(v *verification) error {
	if c.JSON {
		return c.print(v, nil)
	}
	fmt.Printf("%d entries verified, after %s\nhead %s\n", v.Entries, v.After, v.Head)
	if v.Heads > 0 {
		fmt.Printf("compared with %d heads\n", v.Heads)
	}
	for _, m := range v.Members {
		fmt.Printf("member %s at %.20s: %s\n", m.Node, dash(m.Head), agreement(m))
	}
	if v.Sound && c.File != "" && len(c.Head) == 0 {
		fmt.Println("Compare the head with one that was noted elsewhere (--head): a chain that was made anew, or cut at its end, is sound in itself.")
	}
	return nil
}

func agreement(m admin.AuditMember) string {
	if m.Agrees {
		return "agrees"
	}
	return m.Reason
}

func verifyFile(name string, expect audit.Expect) (verification, error) {
	f, err := os.Open(name)
	if err != nil {
		return verification{}, err
	}
	defer f.Close()
	return verify(f, expect)
}

// verifyNode verifies all that a node has, from its anchor to the head that it had when
// it was asked, and compares its members.
func verifyNode(ctx context.Context, client *admin.Client, expect audit.Expect) (verification, error) {
	said, err := client.AuditHead(ctx)
	if err != nil {
		return verification{}, err
	}
	head, err := audit.ParseHead(said.Head)
	if err != nil {
		return verification{}, fmt.Errorf("the node's answer: %w", err)
	}
	after, err := audit.ParseHead(said.After)
	if err != nil {
		return verification{}, fmt.Errorf("the node's answer: %w", err)
	}
	if expect.After == nil {
		expect.After = &after
	}
	expect.Heads = append(expect.Heads, head)
	var v verification
	err = client.AuditTrail(ctx, admin.AuditQuery{}, func(r io.Reader) error {
		v, err = verify(r, expect)
		return err
	})
	v.Members = said.Members
	for _, m := range said.Members {
		switch {
		case m.Agrees:
		case m.Head == "":
			v.Silent = append(v.Silent, m.Node)
		case v.Sound:
			v.Sound, v.Problem = false, "member "+m.Node+": "+m.Reason
		}
	}
	return v, err
}

// verify reads lines to their end.
func verify(r io.Reader, expect audit.Expect) (verification, error) {
	found, err := audit.Verify(export.Read(r), expect)
	v := verification{After: found.After.String(), Head: found.Head.String(), Entries: found.Entries, Heads: found.Compared}
	var broken *audit.BrokenError
	switch {
	case errors.As(err, &broken):
		v.Problem = broken.Error()
	case err != nil:
		return v, err
	default:
		v.Sound = true
	}
	return v, nil
}
