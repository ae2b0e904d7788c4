package node

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/ledger"
)

// openOutcomes makes ready for what is said of answers.
func (n *Node) openOutcomes() {
	j := newJudged(n)
	j.others = n.colleagues
	j.written = n.rollBack
	n.outcomes.Store(j)
}

// rollBack has every node know that a canary gets no more requests: it is written into
// its router, unless somebody has changed the canary in the meantime.
func (n *Node) rollBack(name canaryName) error {
	kind, ok := governance.KindOf("router")
	if !ok {
		panic("node: there is no kind of object for routers")
	}
	ref := directory.Ref{Kind: kind.Number, ID: name.router}
	o, ok := n.fsm.Directory().Object(ref)
	if !ok {
		return nil
	}
	spec, err := kind.Decode(o.Spec)
	if err != nil {
		return err
	}
	r := spec.(*governance.Router)
	c := r.Canary
	if c == nil || nameCanary(name.router, c) != name || c.RolledBack != "" {
		return nil
	}
	why := n.outcomes.Load().verdict(name)
	c.RolledBack, c.Reason = timeText(now()), why
	cmd, err := kind.Put(name.router, o.Version, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(admin.WithActor(context.Background(), admin.Actor{Name: "node:" + n.cfg.Node.ID}), changeWait)
	defer cancel()
	out, err := n.changed(ctx, cmd)
	switch {
	case err != nil:
		return err
	case out.Code != directory.Applied && out.Code != directory.Unchanged:
		return fmt.Errorf("the directory refused it: %s", out.Code) // a change by others: it is looked at again
	}
	n.log.Warn("a canary is rolled back", "router", name.router, "candidate", name.candidate, "reason", why)
	n.alerts.Raise("canary_rolled_back", "router "+name.router, map[string]string{"candidate": name.candidate, "reason": why})
	return nil
}

// heardWait bounds the reading of outcomes.
const heardWait = time.Minute

// RouterOutcomes implements admin.Learning.
func (c control) RouterOutcomes(ctx context.Context, router string) (admin.RouterOutcomes, error) {
	rules, err := c.n.objects.compiled()
	if err != nil {
		return admin.RouterOutcomes{}, err
	}
	r := rules.Router(router)
	if r == nil {
		return admin.RouterOutcomes{}, admin.NotFound("no router " + strconv.Quote(router))
	}
	ctx, cancel := context.WithTimeout(ctx, heardWait)
	defer cancel()
	out := admin.RouterOutcomes{Until: int64(now() / ledger.Second)}
	j := c.n.outcomes.Load()
	from, until := instantAt(max(r.Until, r.Trained)), instantAt(out.Until)
	if out.Heard, err = j.heard(ctx, router, instantAt(r.Trained), from, until); err != nil || j.others == nil {
		return out, err
	}
	theirs, err := j.others.heard(ctx, router, instantAt(r.Trained), from, until)
	if err != nil {
		return out, admin.Undecided("not every node has said what it heard, and what is learned without would be lost: " + err.Error())
	}
	out.Heard = append(out.Heard, theirs...)
	return out, nil
}
