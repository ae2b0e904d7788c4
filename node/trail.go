package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/internal/audit"
	"purser/internal/audit/archive"
	"purser/internal/audit/recorder"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
	"purser/raftfsm"
)

const (
	// trailRetry is how soon a node looks again for entries of the audit trail that it
	// lacks.
	trailRetry = 5 * time.Second
	// gapPatience is how long it asks the members for them before it goes on without.
	gapPatience = time.Minute
	// trailLinks and trailBytes bound a reply with entries.
	trailLinks = 512
	trailBytes = 4 << 20
	// flushTime is how long a stopping node tries to have its denials in the trail.
	flushTime = 3 * time.Second
)

// openRecorder makes what gathers denials; it appends once Run runs.
func (n *Node) openRecorder() {
	id := ledger.NodeID(n.cfg.Node.ID)
	n.recorder = recorder.New(recorder.Seams{
		Node: id, Incarnation: func() uint32 { return n.purse.Incarnation() }, Begins: n.beginsTrail, Now: now, Log: n.log,
		Append: func(ctx context.Context, b *audit.Batch) (audit.Outcome, error) {
			once, cancel := context.WithTimeout(ctx, changeWait)
			defer cancel()
			return n.proposer.ProposeAudit(once, b)
		},
	})
	n.proposer.Node = id
	n.proposer.Unaudited = func(f audit.Facts) {
		n.log.Warn("a change was made without its entry in the audit trail, which not every member can read yet; the entry comes later",
			"actor", f.Actor, "address", f.Address, "action", f.Action, "target", f.Target)
		n.recorder.Late(f)
	}
}

// beginsTrail reports whether this node is to write the trail's first entry: from
// then on no change goes without one.
func (n *Node) beginsTrail() bool {
	return n.fsm.Trail().Head().Seq == 0 && n.raft.Leader() && (n.member == nil || n.member.readable(raftfsm.GovernanceLevel))
}

// denials counts what policies refuse.
type denials struct{ recorder *recorder.Recorder }

// Denied implements proxy.Denials.
func (d denials) Denied(in proxy.Denial) {
	d.recorder.Deny(recorder.Denial{Policy: in.Policy, Rule: in.Rule, Code: in.Code, Key: in.Key, Address: in.Address})
}

// openTrail opens the archive of a node that has a log.
func (n *Node) openTrail() (err error) {
	if n.follower == nil {
		n.trail, err = archive.Open(n.store)
	}
	if n.member != nil && err == nil {
		n.member.archive.Store(n.trail)
	}
	return err
}

// keepTrail writes the audit trail to disk as it grows, and drops what is older than
// the configuration says. It returns when ctx is done.
func (n *Node) keepTrail(ctx context.Context) {
	retry, retain := time.NewTicker(trailRetry), time.NewTicker(retainEvery)
	defer retry.Stop()
	defer retain.Stop()
	k := trailKeeper{n: n}
	for {
		if err := k.follow(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("the audit trail on disk is behind; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-n.fsm.TrailGrown():
		case <-retry.C:
		case <-retain.C:
			n.dropTrail()
		}
	}
}

func (n *Node) dropTrail() {
	dropped, err := n.trail.DropBefore(now() - ledger.Instant(n.cfg.Audit.Retention))
	switch {
	case err != nil:
		n.log.Error("old entries of the audit trail could not be dropped; verify it with purser audit verify", "error", err)
	case dropped > 0:
		n.log.Info("old entries of the audit trail were dropped", "count", dropped, "anchor", n.trail.Span().After.String())
	}
}

// trailKeeper is the state of keepTrail's one goroutine.
type trailKeeper struct {
	n       *Node
	lacking time.Time // since when entries are lacking; zero for not
}

// follow brings the archive up to the replicated trail, with the help of others where
// that does not reach back far enough.
func (k *trailKeeper) follow(ctx context.Context) error {
	n := k.n
	for {
		f, err := n.trail.Follow(n.fsm.Trail())
		if f.Aside > 0 {
			n.log.Error("entries on disk are not those of the audit trail and were set aside: the cluster was restored from a backup of before them, or they were changed",
				"count", f.Aside, "last", n.trail.Span().Last.String())
		}
		if err != nil {
			return err
		}
		if !f.Lacks {
			k.lacking = time.Time{}
			return nil
		}
		if k.lacking.IsZero() {
			k.lacking = time.Now()
		}
		if err := k.fill(ctx, f.Until); err != nil {
			return err
		}
	}
}

// fill writes some of the entries that are lacking, or begins after them when nobody
// has them.
func (k *trailKeeper) fill(ctx context.Context, until audit.Head) error {
	n := k.n
	last := n.trail.Span().Last
	begin := until
	if n.member != nil {
		links, oldest, err := n.member.askTrail(ctx, last)
		if err == nil && len(links) > 0 {
			return n.trail.Extend(links)
		}
		if err != nil && time.Since(k.lacking) < gapPatience {
			return err
		}
		if oldest != nil && oldest.Seq < until.Seq {
			begin = *oldest
		}
	}
	aside, err := n.trail.BeginAt(begin)
	if err == nil {
		n.log.Warn("nobody has the entries of the audit trail that this node lacks; its copy begins after them", "first_lacking", last.Seq+1, "after", begin.String(), "set_aside", aside)
	}
	return err
}

// askTrail asks the other members for the entries after one. Where none of them goes
// back to it, oldest is what the one that goes back furthest has its first entry after.
// An error says that one which might have them did not answer.
func (m *member) askTrail(ctx context.Context, last audit.Head) (links []audit.Link, oldest *audit.Head, err error) {
	var errs []error
	others := m.others()
	for _, id := range slices.Sorted(maps.Keys(others)) {
		once, cancel := context.WithTimeout(ctx, readWait)
		out, err := m.clients.Trail(once, id, m.where(id, others[id]), &pb.TrailRequest{After: last.Seq, Most: trailLinks})
		cancel()
		if err == nil {
			links, err = linksOf(out)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(links) == 0 {
			continue
		}
		first, err := links[0].Entry()
		if err != nil {
			errs = append(errs, fmt.Errorf("node %s: %w", id, err))
			continue
		}
		if first.Seq == last.Seq+1 {
			if _, err = audit.Verify(each(links), audit.Expect{After: &last}); err == nil {
				return links, nil, nil
			}
			errs = append(errs, fmt.Errorf("the audit trail of node %s does not continue this one's: %w", id, err))
			continue
		}
		if oldest == nil || first.Seq <= oldest.Seq {
			oldest = &audit.Head{Seq: first.Seq - 1, Hash: links[0].Prev}
		}
	}
	return nil, oldest, errors.Join(errs...)
}

func linksOf(out *pb.TrailReply) (list []audit.Link, err error) {
	for _, b := range out.Links {
		l, err := audit.DecodeLink(b)
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

func each(list []audit.Link) func(func(audit.Link, error) bool) {
	return func(yield func(audit.Link, error) bool) {
		for _, l := range list {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// giveTrail answers another member.
func (m *member) giveTrail(_ context.Context, from string, in *pb.TrailRequest) (*pb.TrailReply, error) {
	if known, ok := m.n.fsm.Directory().Node(ledger.NodeID(from)); !ok || known.Role != directory.Member || known.State == directory.NodeRemoved {
		return nil, fmt.Errorf("%w: node %s is no member of this cluster", peer.ErrRefused, from)
	}
	kept := m.archive.Load()
	if kept == nil {
		return nil, errors.New("this node is starting")
	}
	head := m.n.fsm.Trail().Head()
	out := &pb.TrailReply{After: kept.Span().After.Seq, Head: head.Seq, Hash: head.Hash[:]}
	size := 0
	for l, err := range kept.Read(in.After) {
		if len(out.Links) >= int(min(in.Most, trailLinks)) || size > trailBytes {
			break
		}
		if err != nil {
			return nil, err
		}
		b := audit.AppendLink(nil, l)
		size += len(b)
		out.Links = append(out.Links, b)
	}
	return out, nil
}
