package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"purser/api/admin"
	"purser/internal/purse"
	"purser/ledger"
)

// topicBudgetHeld asks a node what requests under way hold of a budget there.
const topicBudgetHeld = "budget.held"

// heldWait bounds the wait for what other nodes hold: who looks at a budget gets the
// ledger's word in any case.
const heldWait = time.Second

// maxHeldRows bounds the accounts in one answer; those beyond it are not known.
const maxHeldRows = 10_000

// heldRow is what requests under way hold of one account, on one node.
type heldRow struct {
	Split ledger.Split   `json:"split,omitempty"`
	Start ledger.Instant `json:"start"`
	Held  ledger.Amount  `json:"held"`
}

var errNoPurse = errors.New("this node is not ready yet")

// tellBudgetHeld answers topicBudgetHeld for this node. The question is a budget's id.
func (n *Node) tellBudgetHeld(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	p := n.purseNow.Load()
	if p == nil {
		return errNoPurse
	}
	answer, err := json.Marshal(heldHere(p, ledger.BudgetID(body)))
	if err != nil {
		return err
	}
	return say(answer)
}

// heldHere is what requests under way on this node hold of a budget.
func heldHere(p *purse.Purse, id ledger.BudgetID) []heldRow {
	rows := []heldRow{}
	for _, a := range p.Snapshot().Accounts {
		if a.Key.Budget == id && len(rows) < maxHeldRows {
			rows = append(rows, heldRow{Split: a.Key.Split, Start: a.Key.Start, Held: a.Held})
		}
	}
	return rows
}

// holdings are what requests under way hold of a budget, by node and account. A node
// that did not answer is not among them.
type holdings map[string]map[ledger.AccountKey]ledger.Amount

func (h holdings) take(node string, id ledger.BudgetID, rows []heldRow) {
	of := make(map[ledger.AccountKey]ledger.Amount, len(rows))
	for _, r := range rows {
		of[ledger.AccountKey{Budget: id, Split: r.Split, Start: r.Start}] = r.Held
	}
	h[node] = of
}

// holdings asks this node and the others what they hold of a budget.
func (n *Node) holdings(ctx context.Context, id ledger.BudgetID) holdings {
	ctx, cancel := context.WithTimeout(ctx, heldWait)
	defer cancel()
	h := holdings{}
	// Who is silent is not in h, and shown as not known.
	_ = n.colleagues.ask(ctx, topicBudgetHeld, []byte(id), func(node string, piece []byte) error {
		var rows []heldRow
		if err := json.Unmarshal(piece, &rows); err != nil {
			return fmt.Errorf("what is held of a budget: %w", err)
		}
		h.take(node, id, rows)
		return nil
	})
	h.take(n.cfg.Node.ID, id, heldHere(n.purse, id))
	return h
}

// leaseText writes what one node has of an account.
func (h holdings) leaseText(key ledger.AccountKey, l ledger.LeaseView) admin.Lease {
	out := admin.Lease{
		Node: string(l.Node), Granted: int64(l.Granted), Spent: int64(l.Spent), Returned: int64(l.Returned),
		Out: int64(l.Granted - l.Spent - l.Returned), Overrun: int64(l.Overrun),
	}
	if of, answered := h[out.Node]; answered {
		held := int64(of[key])
		out.Held = &held
	}
	return out
}
