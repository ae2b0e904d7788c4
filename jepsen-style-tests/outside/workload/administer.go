package workload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// adminPatience is how long an administrator waits for one answer, and settleWithin how
// long for all nodes to know of something.
const (
	adminPatience = 15 * time.Second
	settleWithin  = 20 * time.Second
)

// ErrUnsettled is something that was made and that some node has not heard of yet.
var ErrUnsettled = errors.New("not every node knows of it")

// Session is a number for an administrator, who does one thing at a time.
func (t *Town) Session() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions++
	return t.sessions
}

// effectless says of the error of a change that it excludes an effect: the node refused
// it (4xx), or no connection could be made. The node's own errors, 503 `undecided` above
// all, leave it open, and so does a connection that broke.
func effectless(err error) bool {
	if fault := (*admin.Fault)(nil); errors.As(err, &fault) {
		return fault.Status >= 400 && fault.Status < 500
	}
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "dial"
}

// Change has a node do something, and notes it.
func (t *Town) Change(ctx context.Context, c history.Change, node *rig.Node, do func(context.Context, *admin.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	c.Node, c.Begun = node.Place, t.History.Now()
	err := do(ctx, node.Admin())
	c.Ended, c.OK = t.History.Now(), err == nil
	c.Known = c.OK || effectless(err)
	if err != nil {
		c.Err = err.Error()
	}
	t.History.Changed(c)
	return err
}

// SetLimit asks a node for another limit of a budget, in its unit: nano-dollars for usd.
func (t *Town) SetLimit(ctx context.Context, session int, node *rig.Node, budget string, limit int64) error {
	rule, ok := t.rule(budget)
	if !ok {
		return fmt.Errorf("there is no budget %s, or it was deleted", budget)
	}
	rule.Limit = limitText(limit, rule.Unit)
	return t.Change(ctx, history.Change{Session: session, Kind: "limit", Of: budget, Limit: limit}, node, func(ctx context.Context, a *admin.Client) error {
		_, err := a.PutBudget(ctx, rule)
		return err
	})
}

// highest is the highest limit that was asked of a budget.
func (t *Town) highest(budget string) (most int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for limit := range t.limits[budget] {
		most = max(most, limit)
	}
	return most
}

// Limit is a limit of about that much which nobody has asked of the budget before, so
// that who reads it knows whose it is.
func (t *Town) Limit(budget string, about int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	used := t.limits[budget]
	if used == nil {
		used = map[int64]bool{}
		t.limits[budget] = used
	}
	for used[about] {
		about++
	}
	used[about] = true
	return about
}

// Delete has a node delete a budget. Nobody asks for another limit of it from then on.
func (t *Town) Delete(ctx context.Context, session int, node *rig.Node, budget string) error {
	t.mu.Lock()
	delete(t.rules, budget)
	t.mu.Unlock()
	err := t.Change(ctx, history.Change{Session: session, Kind: "delete", Of: budget}, node, func(ctx context.Context, a *admin.Client) error {
		return a.DeleteBudget(ctx, budget)
	})
	if fault := (*admin.Fault)(nil); errors.As(err, &fault) && fault.Status == http.StatusNotFound {
		return nil // a try before was carried out, or it was never made
	}
	return err
}

// Make makes a budget of that limit, repeating itself until a node says that it is there, and waits
// until every node knows of it: [ErrUnsettled] if that does not come.
func (t *Town) Make(ctx context.Context, session int, b admin.Budget, limit int64) error {
	limit = t.Limit(b.ID, limit)
	b.Limit = limitText(limit, b.Unit)
	t.History.Made(b)
	err := t.insist(ctx, "budget "+b.ID+" is made", func(n *rig.Node) error {
		return t.Change(ctx, history.Change{Session: session, Kind: "limit", Of: b.ID, Limit: limit}, n, func(ctx context.Context, a *admin.Client) error {
			_, err := a.PutBudget(ctx, b)
			return err
		})
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.rules[b.ID] = b
	t.mu.Unlock()
	return t.everywhere(ctx, "budget "+b.ID, func(ctx context.Context, n *rig.Node) error {
		_, err := n.Here().ShowBudget(ctx, b.ID)
		return err
	})
}

// NewKey makes a virtual key by the name, of a secret that is the town's own, and
// waits until every node takes it.
func (t *Town) NewKey(ctx context.Context, session int, k admin.NewKey) error {
	secret := t.invented(k.ID)
	sum := sha256.Sum256([]byte(secret))
	k.Name, k.Hash = k.ID, hex.EncodeToString(sum[:])
	err := t.insist(ctx, "key "+k.ID+" is made", func(n *rig.Node) error {
		return t.Change(ctx, history.Change{Session: session, Kind: "key", Of: k.ID}, n, func(ctx context.Context, a *admin.Client) error {
			_, err := a.CreateKey(ctx, k)
			if fault := (*admin.Fault)(nil); errors.As(err, &fault) && fault.Status == http.StatusConflict {
				return nil // a try before was carried out
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.secrets[k.ID] = secret
	t.mu.Unlock()
	return t.known(ctx, k.ID, secret)
}

// Rotate gives a key another secret, that is the town's own; the one before goes on
// counting for the overlap. It returns both.
func (t *Town) Rotate(ctx context.Context, session int, node *rig.Node, key string, overlap time.Duration) (before, after string, err error) {
	before = t.Secret(key)
	after = t.invented(key + strconv.FormatInt(t.History.Now(), 36))
	sum := sha256.Sum256([]byte(after))
	err = t.Change(ctx, history.Change{Session: session, Kind: "rotate", Of: key}, node, func(ctx context.Context, a *admin.Client) error {
		_, err := a.RotateKey(ctx, key, admin.Rotation{Overlap: overlap.String(), Hash: hex.EncodeToString(sum[:])})
		return err
	})
	if err == nil {
		t.mu.Lock()
		t.secrets[key] = after
		t.mu.Unlock()
	}
	return before, after, err
}

// Revoke ends a key for good.
func (t *Town) Revoke(ctx context.Context, session int, node *rig.Node, key string) error {
	return t.Change(ctx, history.Change{Session: session, Kind: "revoke", Of: key}, node, func(ctx context.Context, a *admin.Client) error {
		_, err := a.RevokeKey(ctx, key)
		return err
	})
}

// known waits until every node has heard of a key, and takes its secret. Nodes are not
// asked with the secret before they know it: they count wrong ones.
func (t *Town) known(ctx context.Context, key, secret string) error {
	return t.everywhere(ctx, "key "+key, func(ctx context.Context, n *rig.Node) error {
		if _, err := n.Here().ShowKey(ctx, key); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+"/v1/keys/self", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := t.Cluster.HTTP().Do(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %d", res.StatusCode)
		}
		return nil
	})
}

// Read reads a budget linearizably.
func (t *Town) Read(ctx context.Context, session int, node *rig.Node, budget string) (admin.BudgetDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	c := history.Change{Session: session, Kind: "read", Of: budget, Node: node.Place, Begun: t.History.Now()}
	b, err := node.Admin().ShowBudget(ctx, budget)
	c.Ended = t.History.Now()
	fault := (*admin.Fault)(nil)
	switch gone := errors.As(err, &fault) && fault.Status == http.StatusNotFound; {
	case err == nil:
		c.Known, c.OK, c.Found, c.Accounts = true, true, true, b.Accounts
		c.Limit, _ = history.Amount(b.Limit.String(), b.Unit) // 0 for one that nobody could have asked for
		for i := range c.Accounts {
			c.Accounts[i].Forecast = nil
		}
	case gone:
		c.Known, c.OK = true, true
	default:
		c.Err = err.Error()
	}
	t.History.Changed(c)
	return b, err
}

// insist has one node after the other do something until one has.
func (t *Town) insist(ctx context.Context, what string, do func(*rig.Node) error) error {
	nodes := t.Cluster.Nodes
	i := rand.IntN(len(nodes)) // who is asked first decides nothing
	return rig.Eventually(ctx, settleWithin, what, func() error {
		i++
		n := nodes[i%len(nodes)]
		if !n.Up() {
			return fmt.Errorf("%s is down", n.Place)
		}
		return do(n)
	})
}

func (t *Town) everywhere(ctx context.Context, what string, is func(context.Context, *rig.Node) error) error {
	const patience = 2 * time.Second
	for _, n := range t.Cluster.Nodes {
		err := rig.Eventually(ctx, settleWithin, n.Place+" knows "+what, func() error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return is(ctx, n)
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnsettled, err)
		}
	}
	return nil
}

// Secret is the present one of a key.
func (t *Town) Secret(key string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.secrets[key]
}

func (t *Town) rule(budget string) (admin.Budget, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.rules[budget]
	return b, ok
}

// invented is a secret that follows from the seed and a name.
func (t *Town) invented(name string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", t.o.Seed, name))
	return "pk_outside_" + hex.EncodeToString(sum[:16])
}

const usdDecimals = 9

// limitText is a limit as the API takes it: dollars for usd, else a count.
func limitText(n int64, unit string) json.Number {
	if unit != "usd" {
		return json.Number(strconv.FormatInt(n, 10))
	}
	const nano = 1_000_000_000
	return json.Number(fmt.Sprintf("%d.%0*d", n/nano, usdDecimals, n%nano))
}
