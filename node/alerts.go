package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"purser/internal/alert"
	"purser/internal/alerting"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/ledger"
	"purser/raftfsm"
)

// alerts is this node's part in telling operators: each node proposes what it alone
// can see, and the one that leads looks at the rest and sends.
type alerts struct {
	n          *Node
	patience   alert.Patience
	sender     *alerting.Sender
	dispatcher *alerting.Dispatcher

	// What the request path has seen. Its lock is taken alone, and held for a map.
	mu      sync.Mutex
	refused map[ledger.AccountKey]refusal // by exhausted budgets, not raised yet
	known   map[ledger.AccountKey]bool    // that were
	pending []happening                   // of Raise
	dropped int                           // for want of room in pending

	hooks   sync.Mutex // of what follows
	version uint64     // of the objects that webhooks was read from
	read    bool
	list    []*alert.Webhook
}

const (
	// maxRefused bounds the accounts of which refusals wait to be raised, and maxKnown
	// those that are remembered as raised: beyond it they are proposed again, which
	// changes nothing.
	maxRefused = 1024
	maxKnown   = 1 << 14
	// maxPending bounds the events that wait to be raised.
	maxPending = 256
)

func (n *Node) openAlerts() {
	a := &alerts{n: n, patience: alert.DefaultPatience(), refused: map[ledger.AccountKey]refusal{}, known: map[ledger.AccountKey]bool{}}
	a.patience.Unreachable = ledger.Instant(n.cfg.Alerts.Unreachable)
	source := n.cfg.Node.ID
	if n.peers != nil {
		source = n.peers.standing.Cluster
	}
	a.sender = alerting.NewSender(source, n.version, n.cfg.Alerts.AllowPrivate)
	a.dispatcher = alerting.NewDispatcher(alerting.Seams{
		View: n.fsm.Directory, Leads: n.raft.Leader, Confirm: n.confirmLeader, Propose: n.proposer.ProposeDirectory,
		Webhooks: a.webhooks, Send: a.sender.Send, Log: n.log,
	})
	n.alerts = a
}

// work is what alerts do as long as the node runs.
func (a *alerts) work() []func(context.Context) {
	if a.n.follower != nil {
		return []func(context.Context){a.watchSelf}
	}
	return []func(context.Context){a.watchSelf, a.watchCluster, a.dispatcher.Run}
}

func (a *alerts) close() { a.sender.Close() }

// confirmLeader returns once a quorum has confirmed that this node leads, and it
// holds everything that was acknowledged before.
func (n *Node) confirmLeader(ctx context.Context) error {
	index, err := n.raft.ReadIndex()
	if err != nil {
		return err
	}
	return n.raft.WaitApplied(ctx, index)
}

// webhooks are those of the directory with their secrets, read again when an object
// has changed.
func (a *alerts) webhooks() []*alert.Webhook {
	a.hooks.Lock()
	defer a.hooks.Unlock()
	version := a.n.fsm.Versions().Objects
	if a.read && a.version == version {
		return a.list
	}
	list, unreadable := governance.Webhooks(a.n.fsm.Directory())
	for _, err := range unreadable {
		a.n.log.Error("a webhook gets nothing until this node can read it; upgrade it, or change the webhook", "error", err)
	}
	if len(list) > alert.MaxWebhooks {
		// The oldest, so that another one takes nothing from those that work.
		slices.SortFunc(list, func(x, y *alert.Webhook) int {
			return cmp.Or(cmp.Compare(x.Created, y.Created), cmp.Compare(x.ID, y.ID))
		})
		a.n.log.Error("there are more webhooks than alerts are sent to; the newest get nothing", "most", alert.MaxWebhooks, "webhooks", len(list))
		list = list[:alert.MaxWebhooks]
	}
	for _, w := range list {
		if err := w.Resolve(a.secret); err != nil {
			w.Broken = true
			a.n.log.Error("a webhook gets nothing until its secret is in the configuration of this node", "error", err)
		}
	}
	a.list, a.version, a.read = list, version, true
	return list
}

func (a *alerts) secret(name string) (string, bool) {
	s, ok := a.n.cfg.Alerts.Secrets[name]
	return s, ok && s != ""
}

// happening is something that another part of this node has seen.
type happening struct {
	key    string
	notice alert.Notice
}

// Raise has something told that another part of this node has seen: what kind of
// thing, of what, and more about it, none of it secret. Nodes that see the same
// within a minute tell it once. It does not wait; what is raised is lost if the node
// ends within seconds, or if more than [maxPending] wait.
func (a *alerts) Raise(kind, subject string, detail map[string]string) {
	key, n, ok := alert.Happening(kind, subject, detail)
	if !ok {
		return // a budget that is exhausted is seen where it refuses
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending) >= maxPending {
		a.dropped++
		return
	}
	a.pending = append(a.pending, happening{key, n})
}

// propose raises conditions and reports whether the directory took all of them.
func (a *alerts) propose(ctx context.Context, list []directory.Raise) bool {
	for raises := range slices.Chunk(list, directory.MaxRaises) {
		once, cancel := context.WithTimeout(ctx, changeWait)
		out, err := a.n.proposer.ProposeDirectory(once, directory.RaiseAlerts{Raises: raises})
		cancel()
		switch {
		case ctx.Err() != nil:
			return false
		case errors.Is(err, raftfsm.ErrNotReadable):
			return false // while the cluster is upgraded
		case err != nil:
			a.n.log.Info("alerts could not be raised; trying again", "error", err)
			return false
		case out.Code != directory.Applied && out.Code != directory.Unchanged:
			a.n.log.Warn("alerts were not raised; trying again", "reason", out.Code.String())
			return false
		}
	}
	if len(list) > 0 {
		a.dispatcher.Wake()
	}
	return true
}

// validate reports what is wrong with the section of the configuration.
func (c *AlertsConfig) validate() error {
	var errs []error
	if c.Unreachable < time.Second {
		errs = append(errs, fmt.Errorf("unreachable_after: %v is shorter than 1s", c.Unreachable))
	}
	for name, s := range c.Secrets {
		if err := alert.CheckSecret(s); err != nil {
			errs = append(errs, fmt.Errorf("secrets: %q %w", name, err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
