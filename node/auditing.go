package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"purser/api/admin"
	"purser/api/pb"
	"purser/internal/audit"
	"purser/internal/audit/export"
	"purser/ledger"
)

// AuditTrail implements admin.Audit.
func (c control) AuditTrail(ctx context.Context, q admin.AuditQuery, how admin.Read, w io.Writer) error {
	n := c.n
	if n.trail == nil {
		return c.elsewhere()
	}
	wanted, err := filterOf(q)
	if err != nil {
		return err
	}
	if _, err := c.catchUp(ctx, how); err != nil {
		return err
	}
	write := export.AppendLine
	if q.Format == admin.AuditCEF {
		write = func(b []byte, l audit.Link) ([]byte, error) { return export.AppendCEF(b, l, n.version) }
	}
	trail := n.fsm.Trail()
	if q.Last > 0 && wanted.all && trail.Head().Seq > uint64(q.Last) {
		q.After = max(q.After, trail.Head().Seq-uint64(q.Last))
	}
	var last [][]byte // where only the last ones are asked for
	for l, err := range n.entries(trail, q.After) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var line []byte
		if err == nil {
			if ok, e := wanted.has(l); e == nil && !ok {
				continue
			}
			line, err = write(nil, l)
		}
		if err != nil && q.Format != admin.AuditCEF && (errors.Is(err, audit.ErrMalformed) || errors.Is(err, audit.ErrUnknown)) {
			// No line of an entry: whoever verifies what was exported finds it.
			line, err = fmt.Appendf(nil, "{\"unreadable\":%q}\n", err.Error()), nil
		}
		if err != nil {
			return err
		}
		if q.Last == 0 {
			if _, err := w.Write(line); err != nil {
				return err
			}
			continue
		}
		if last = append(last, line); len(last) > q.Last {
			last = last[1:]
		}
	}
	for _, line := range last {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// entries yields those after a seq, each once: what is on disk, where more may be
// written meanwhile, then what was not there yet.
func (n *Node) entries(trail *audit.Trail, after uint64) iter.Seq2[audit.Link, error] {
	return func(yield func(audit.Link, error) bool) {
		stored := n.trail.Span().Last.Seq
		var last audit.Link
		for l, err := range n.trail.Read(after) {
			if !yield(l, err) {
				return
			}
			if err == nil {
				last = l
			}
		}
		if e, err := last.Entry(); err == nil {
			stored = max(stored, e.Seq)
		}
		base := trail.Base().Seq
		for i, l := range trail.Recent() {
			if seq := base + uint64(i) + 1; seq > max(stored, after) && !yield(l, nil) {
				return
			}
		}
	}
}

// auditFilter says which entries are wanted.
type auditFilter struct {
	all                   bool
	from, to              ledger.Instant
	action, actor, target string
}

func filterOf(q admin.AuditQuery) (f auditFilter, err error) {
	if f.from, err = instantOf(q.From, 0); err != nil {
		return f, err
	}
	if f.to, err = instantOf(q.To, ledger.MaxInstant); err != nil {
		return f, err
	}
	f.action, f.actor, f.target = q.Action, q.Actor, q.Target
	f.all = f == auditFilter{to: ledger.MaxInstant}
	return f, nil
}

func (f *auditFilter) has(l audit.Link) (bool, error) {
	if f.all {
		return true, nil
	}
	e, err := l.Entry()
	if err != nil {
		return false, err
	}
	return e.At >= f.from && e.At < f.to && like(e.Action, f.action) && like(e.Actor, f.actor) && like(e.Target, f.target), nil
}

func like(s, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return pattern == "" || s == pattern
}

// AuditHead implements admin.Audit.
func (c control) AuditHead(ctx context.Context, how admin.Read) (admin.AuditHead, admin.Age, error) {
	n := c.n
	if n.trail == nil {
		return admin.AuditHead{}, 0, c.elsewhere()
	}
	// The others first: what they have, this node has after it has caught up.
	said := n.askHeads(ctx)
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.AuditHead{}, 0, err
	}
	trail, span := n.fsm.Trail(), n.trail.Span()
	out := admin.AuditHead{Node: n.cfg.Node.ID, Head: trail.Head().String(), After: span.After.String(), Stored: span.Last.Seq, Members: []admin.AuditMember{}}
	if out.Aside, err = n.trail.Aside(); err != nil {
		return admin.AuditHead{}, 0, err
	}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		m := admin.AuditMember{Node: id}
		if said[id] == nil {
			m.Reason = "it does not answer"
		} else if m.Reason, err = n.differs(trail, said[id]); err != nil {
			return admin.AuditHead{}, 0, err
		}
		if r := said[id]; r != nil {
			m.Head, m.After = fmt.Sprintf("%d:%s", r.Head, hex.EncodeToString(r.Hash)), r.After
		}
		m.Agrees = m.Reason == ""
		out.Members = append(out.Members, m)
	}
	return out, age, nil
}

// askHeads asks the other members how far their trails go; nil is no answer.
func (n *Node) askHeads(ctx context.Context) map[string]*pb.TrailReply {
	said := map[string]*pb.TrailReply{}
	if n.member == nil {
		return said
	}
	for id, address := range n.member.others() {
		once, cancel := context.WithTimeout(ctx, askWait)
		// An error is told as no answer.
		said[id], _ = n.member.clients.Trail(once, id, n.member.where(id, address), &pb.TrailRequest{})
		cancel()
	}
	return said
}

// differs is why a member's head is not that of this node at the same entry, "" if it is.
func (n *Node) differs(trail *audit.Trail, said *pb.TrailReply) (string, error) {
	here, ok := trail.At(said.Head)
	if !ok {
		var err error
		if here, ok, err = n.trail.At(said.Head); err != nil {
			return "", err
		}
	}
	switch {
	case !ok && said.Head > trail.Head().Seq:
		return "it is ahead of this node; ask again", nil
	case !ok:
		return fmt.Sprintf("this node has not got entry %d to compare", said.Head), nil
	case !bytes.Equal(here.Hash[:], said.Hash):
		return fmt.Sprintf("its entry %d is another one than this node's", said.Head), nil
	}
	return "", nil
}
