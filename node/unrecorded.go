package node

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// unrecorded is what may have been spent in a range without a record that is left, by the
// accounts of budgets in dollars that it would have been charged to. held is who has copies,
// and losses what is known of fenced nodes.
func (n *Node) unrecorded(ctx context.Context, span usage.Range, held map[string][]copies.Held, losses []loss) ([]admin.Unrecorded, error) {
	state := n.fsm.Ledger()
	list := map[ledger.AccountKey]*admin.Unrecorded{}
	of := func(k ledger.AccountKey) *admin.Unrecorded {
		u := list[k]
		if u == nil {
			nothing := int64(0)
			u = &admin.Unrecorded{Budget: string(k.Budget), WindowStart: timeText(k.Start), Lost: &nothing}
			if b, ok := state.Budget(k.Budget); ok {
				u.Split = splitText(b, k.Split)
			}
			list[k] = u
		}
		return u
	}
	for _, a := range n.doubtful.list(state) {
		if a.Key.Start < span.To && a.WindowEnd > span.From {
			u := of(a.Key)
			u.Presumed, u.WrittenOff = int64(a.Presumed), int64(a.WrittenOff-a.Withheld)
		}
	}
	for i := range losses {
		if losses[i].At < span.From {
			continue
		}
		if err := n.addLoss(ctx, &losses[i], held, of); err != nil {
			return nil, err
		}
	}
	out := []admin.Unrecorded{}
	for _, k := range slices.SortedFunc(maps.Keys(list), func(a, b ledger.AccountKey) int {
		return cmp.Or(cmp.Compare(a.Budget, b.Budget), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Split, b.Split))
	}) {
		if u := list[k]; u.Presumed != 0 || u.WrittenOff != 0 || u.Lost == nil || *u.Lost != 0 {
			out = append(out, *u)
		}
	}
	return out, nil
}

// doubtful are the accounts of which something is presumed or written off. They are looked
// for once a second at most: there may be a million accounts.
type doubtful struct {
	mu       sync.Mutex // guards what follows
	at       time.Time
	accounts []ledger.AccountView
}

func (d *doubtful) list(state *ledger.State) []ledger.AccountView {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.at) < time.Second {
		return d.accounts
	}
	d.at, d.accounts = time.Now(), nil
	for a := range state.AccountsFrom(ledger.AccountKey{Start: -1 << 63}) {
		if a.Unit == ledger.USD && (a.Presumed != 0 || a.WrittenOff != a.Withheld) {
			d.accounts = append(d.accounts, a)
		}
	}
	return d.accounts
}

// addLoss adds what a fenced node may have spent without a record.
func (n *Node) addLoss(ctx context.Context, l *loss, held map[string][]copies.Held, of func(ledger.AccountKey) *admin.Unrecorded) error {
	var charged []ledger.Amount
	for _, k := range n.keepers(l.Node, held) {
		sums, err := n.chargedBy(ctx, k.Node, l)
		if err != nil {
			n.log.Warn("what the copies of a fenced node's records show as spent is not known", "of", l.Node, "by", k.Node, "error", err)
			continue
		}
		charged = sums
		break
	}
	joined := ledger.Instant(0)
	if d, ok := n.fsm.Directory().Node(ledger.NodeID(l.Node)); ok {
		joined = d.Joined
	}
	horizon := now() - ledger.Instant(n.cfg.Usage.Retention)
	for i := range l.Accounts {
		a := &l.Accounts[i]
		k, rest, err := record.DecodeAccount(a.Account)
		if err != nil || len(rest) > 0 {
			return fmt.Errorf("an account of fenced node %s: %w", l.Node, usage.ErrForm)
		}
		u := of(k)
		switch {
		case charged == nil, max(k.Start, joined) < horizon:
			u.Lost = nil // not counted yet, or the records are not all kept any more
		case u.Lost != nil:
			*u.Lost += int64(max(0, a.Reported+a.Outstanding-charged[i]))
		}
	}
	return nil
}

// distinct are losses without those that several nodes remember.
func distinct(list []loss) []loss {
	slices.SortFunc(list, func(a, b loss) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.At, b.At)) })
	return slices.CompactFunc(list, func(a, b loss) bool { return a.Node == b.Node && a.At == b.At })
}
