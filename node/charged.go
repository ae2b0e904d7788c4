package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// topicUsageCharged asks what the copies of a fenced node's records show as spent.
const topicUsageCharged = "usage.charged"

// charges counts what copies show as spent, beside everything else: a shelf may have
// millions of records. What was counted is kept until the question is another.
type charges struct {
	mu     sync.Mutex // guards what follows
	wanted map[usage.Shelf]*counting
	kick   chan struct{} // capacity 1: there is something to count
}

// counting is a question on a shelf, by its text, and the answer once it is counted.
type counting struct {
	question string
	answer   []ledger.Amount // in the order of the accounts; nil until it is there
}

// wantedCharges is the question: what these accounts were charged.
type wantedCharges struct {
	Shelf    usage.Shelf   `json:"shelf"`
	Accounts []lostAccount `json:"accounts"`
}

// answer is what was counted to a question; false until it is.
func (c *charges) answer(s usage.Shelf, question []byte) ([]ledger.Amount, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.wanted[s]; w != nil && w.question == string(question) {
		return w.answer, w.answer != nil
	}
	c.wanted[s] = &counting{question: string(question)}
	select {
	case c.kick <- struct{}{}:
	default:
	}
	return nil, false
}

// countCharges counts what is wanted, until ctx is done.
func (n *Node) countCharges(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.charges.kick:
		}
		for more := true; more; {
			more = false
			n.charges.mu.Lock()
			var next *counting
			for _, w := range n.charges.wanted {
				if w.answer == nil {
					next, more = w, true
				}
			}
			n.charges.mu.Unlock()
			if next == nil {
				break
			}
			answer, err := n.count(ctx, next.question)
			if err != nil && ctx.Err() == nil {
				n.log.Warn("what the copies of a fenced node's records show as spent is not known", "error", err)
			}
			n.charges.mu.Lock()
			next.answer = answer
			if err != nil { // it is asked again
				for s, w := range n.charges.wanted {
					if w == next {
						delete(n.charges.wanted, s)
					}
				}
			}
			n.charges.mu.Unlock()
		}
	}
}

// count reads a shelf.
func (n *Node) count(ctx context.Context, question string) ([]ledger.Amount, error) {
	var in wantedCharges
	if err := json.Unmarshal([]byte(question), &in); err != nil {
		return nil, fmt.Errorf("read a question: %w", err)
	}
	type lease struct {
		account     ledger.AccountKey
		incarnation uint32
	}
	places := map[lease]int{}
	for i, a := range in.Accounts {
		key, rest, err := record.DecodeAccount(a.Account)
		if err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("read an account: %w", usage.ErrForm)
		}
		places[lease{key, a.Incarnation}] = i
	}
	sums := make([]ledger.Amount, len(in.Accounts))
	for r, err := range n.usage.Shelf(in.Shelf).Records(ctx, usage.Query{Range: usage.Always}) {
		if err != nil {
			return nil, n.damaged(in.Shelf, err)
		}
		for i := range r.Charges {
			c := &r.Charges[i]
			if at, ok := places[lease{c.Account, c.Incarnation}]; ok {
				sums[at] += c.Spent
			}
		}
	}
	return sums, nil
}

// tellCharged answers topicUsageCharged: with nothing until it is counted.
func (n *Node) tellCharged(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	var in wantedCharges
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("read a question: %w", err)
	}
	sums, ok := n.charges.answer(in.Shelf, body)
	if !ok {
		return nil
	}
	b, err := json.Marshal(sums)
	if err != nil {
		return fmt.Errorf("tell what copies show as spent: %w", err)
	}
	return say(append([]byte{pieceCharges}, b...))
}

// chargedBy asks a node that keeps copies of a fenced one what they show as spent of the
// accounts; nil until that is known.
func (n *Node) chargedBy(ctx context.Context, keeper string, l *loss) ([]ledger.Amount, error) {
	question, err := json.Marshal(wantedCharges{Shelf: usage.Shelf(l.Node), Accounts: l.Accounts})
	if err != nil {
		return nil, fmt.Errorf("ask what copies show as spent: %w", err)
	}
	if keeper == n.cfg.Node.ID {
		sums, _ := n.charges.answer(usage.Shelf(l.Node), question)
		return sums, nil
	}
	ctx, cancel := context.WithTimeout(ctx, chargedWait)
	defer cancel()
	var sums []ledger.Amount
	err = n.colleagues.listen(ctx, keeper, topicUsageCharged, question, func(kind byte, piece []byte) error {
		if kind != pieceCharges {
			return fmt.Errorf("a piece of kind %d: %w", kind, usage.ErrForm)
		}
		return json.Unmarshal(piece, &sums)
	})
	if err != nil || len(sums) != len(l.Accounts) {
		return nil, err
	}
	return sums, nil
}

// chargedWait bounds the wait for what was counted before.
const chargedWait = 2 * time.Second
