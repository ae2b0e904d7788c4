package node

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"purser/api/admin"
	"purser/internal/alert"
	"purser/internal/audit"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/ledger"
	"purser/raftfsm"
)

// Every change that the admin API makes goes through changed or changedLedger, which
// tell the audit trail who makes it, from where, and what it changes. What is told is
// made of the command and of what this node holds, never of a request's body: commands
// have no secrets but as hashes or sealed, and audit.View masks those.

// changed has the directory carry out a command of whoever acts in ctx.
func (n *Node) changed(ctx context.Context, cmd directory.Command) (directory.Outcome, error) {
	facts, err := n.facts(ctx, n.told(nil, cmd))
	if err != nil {
		return directory.Outcome{}, err
	}
	return insist(ctx, func(ctx context.Context) (directory.Outcome, error) {
		return n.proposer.ProposeDirectoryAs(ctx, facts, cmd)
	})
}

// changedLedger has the ledger carry out a command of whoever acts in ctx.
func (n *Node) changedLedger(ctx context.Context, cmd ledger.Command) (ledger.Outcome, error) {
	facts, err := n.facts(ctx, n.told(cmd, nil))
	if err != nil {
		return ledger.Outcome{}, err
	}
	return n.proposer.ProposeAs(ctx, facts, cmd)
}

// noted has something in the audit trail that whoever acts in ctx does outside of the
// replicated state, before it is done. Until the trail has begun, which it cannot
// before every member can read it, it is told later.
func (n *Node) noted(ctx context.Context, c change) error {
	facts, err := n.facts(ctx, c)
	if err != nil {
		return err
	}
	if n.follower == nil && n.fsm.Trail().Head().Seq == 0 {
		n.recorder.Late(facts)
		return nil
	}
	if err := n.recorder.Note(ctx, facts); err != nil {
		return admin.Undecided("the audit trail does not take it, so it was not done; try again: " + err.Error())
	}
	return nil
}

// change is what is told of a change.
type change struct {
	action, target string
	before, after  any // views without secrets; nil for nothing
}

func (n *Node) facts(ctx context.Context, c change) (audit.Facts, error) {
	who := admin.ActorFrom(ctx)
	f := audit.Facts{Node: ledger.NodeID(n.cfg.Node.ID), Actor: who.Name, Address: who.Address, Action: c.action, Target: c.target}
	var err error
	if f.Before, err = audit.View(c.before); err != nil {
		return f, err
	}
	f.After, err = audit.View(c.after)
	return f, err
}

// told is what is told of a command.
func (n *Node) told(l ledger.Command, d directory.Command) (c change) {
	c.action, c.target = raftfsm.Named(l, d)
	rules, dir := n.fsm.Ledger(), n.fsm.Directory()
	switch l := l.(type) {
	case ledger.PutBudget:
		c.before, c.after = budgetTold(rules, l.Budget.ID), ruleText(&l.Budget)
	case ledger.DeleteBudget:
		c.before = budgetTold(rules, l.ID)
	case ledger.PutRaise:
		c.after = map[string]any{"raise": string(l.Raise.ID), "by": int64(l.Raise.Amount), "until": timeText(l.Raise.Until), "reason": l.Raise.Reason, "account": scopeName(l.Raise.Scope())}
	case ledger.EndRaise:
		c.before = map[string]string{"raise": string(l.ID)}
	case ledger.TripBudget:
		c.after = map[string]string{"account": scopeName(l.Scope), "cause": l.Cause.String(), "reason": l.Reason, "for": time.Duration(l.For).String()}
	case ledger.ResetBreaker:
		c.after = map[string]any{"account": scopeName(l.Scope), "close": l.Close}
	}
	switch d := d.(type) {
	case directory.PutKey:
		c.before, c.after = keyTold(dir, d.Key.ID), keyText(&d.Key)
	case directory.WriteKey:
		c.before, c.after = keyTold(dir, d.Key.ID), keyText(&d.Key)
	case directory.RotateKey:
		c.before, c.after = keyTold(dir, d.ID), map[string]string{"old_secret_until": timeText(d.OldUntil)}
	case directory.RevokeKey:
		c.before = keyTold(dir, d.ID)
	case directory.ForgetKey:
		c.before = keyTold(dir, d.ID)
	case directory.PutToken:
		c.after = map[string]string{"expires": timeText(d.Expires)}
	case directory.AdmitNode:
		c.before, c.after = nodeTold(dir, d.Node.ID), placeTold(&d.Node)
	case directory.AdmitGateway:
		c.before, c.after = nodeTold(dir, d.Node.ID), placeTold(&d.Node)
	case directory.SetNode:
		c.before, c.after = nodeTold(dir, d.ID), map[string]string{"state": d.State.String()}
	case directory.PutObject:
		c.nameObject(d.Ref, ".put")
		c.before, c.after = objectTold(dir, d.Ref), json.RawMessage(d.Spec)
	case directory.RaiseAlerts: // of the admin API: a test
		c.action, c.target = "webhook.test", "webhook/"+tested(&d)
	case directory.DeleteObject:
		c.nameObject(d.Ref, ".delete")
		c.before = objectTold(dir, d.Ref)
	}
	return c
}

// nameObject calls an object what its kind is called.
func (c *change) nameObject(r directory.Ref, does string) {
	name := ownKinds[r.Kind]
	if i := slices.IndexFunc(governance.Kinds, func(k governance.Kind) bool { return k.Number == r.Kind }); i >= 0 {
		name = governance.Kinds[i].Name
	}
	if name != "" {
		c.action, c.target = name+does, name+"/"+r.ID
	}
}

// tested is the webhook that is tested; "" for other alerts.
func tested(c *directory.RaiseAlerts) string {
	if len(c.Raises) != 1 || c.Raises[0].Type != alert.Test {
		return ""
	}
	e, err := alert.Read(&directory.Alert{Body: c.Raises[0].Body})
	if err != nil {
		return ""
	}
	webhook, _ := e.Data["webhook"].(string)
	return webhook
}

// ownKinds are the kinds of object that have routes of their own.
var ownKinds = map[directory.ObjectKind]string{directory.ObjectCredential: "credential", directory.ObjectAdminToken: "admintoken"}

// What is there before a change; nil for nothing, as an interface.

func budgetTold(s *ledger.State, id ledger.BudgetID) any {
	if b, ok := s.Budget(id); ok {
		return ruleText(b)
	}
	return nil
}

func keyTold(s *directory.State, id directory.KeyID) any {
	if k, ok := s.Key(id); ok {
		return keyText(k)
	}
	return nil
}

func nodeTold(s *directory.State, id ledger.NodeID) any {
	if d, ok := s.Node(id); ok {
		told := placeTold(d)
		told["state"] = d.State.String()
		return told
	}
	return nil
}

func placeTold(d *directory.Node) map[string]string {
	return map[string]string{"address": d.Address, "region": d.Region, "zone": d.Zone}
}

func objectTold(s *directory.State, r directory.Ref) any {
	if o, ok := s.Object(r); ok {
		return json.RawMessage(o.Spec)
	}
	return nil
}
