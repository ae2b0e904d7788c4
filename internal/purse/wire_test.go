package purse

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"purser/ledger"
)

// wire is a network in front of a real ledger. It counts what passes, and does
// to each message what the test tells it to.
type wire struct {
	mu        sync.Mutex
	state     *ledger.State
	exchanges int
	// fate decides what happens to the n-th message, counted from 1; nil
	// delivers everything.
	fate func(n int, x *ledger.Exchange) fate
	last *ledger.Answer
	// delay is how long a message takes there and back.
	delay time.Duration
}

type fate uint8

const (
	deliver fate = iota
	loseRequest
	loseAnswer
	repeatRequest
	wrongAnswer // the answer to the message before, come late
)

var errLost = errors.New("connection reset")

func newWire(budgets ...ledger.Budget) *wire {
	w := &wire{state: ledger.New()}
	for _, b := range budgets {
		w.put(b)
	}
	return w
}

func wallNow() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) }

func (w *wire) apply(c ledger.Command) ledger.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Apply(wallNow(), c)
}

func (w *wire) put(b ledger.Budget) {
	if out := w.apply(ledger.PutBudget{Budget: b}); out.Code != ledger.Applied {
		panic("the ledger refuses the budget " + b.ID)
	}
}

func (w *wire) account(t *testing.T, key ledger.AccountKey) ledger.AccountView {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.state.Account(key)
	if !ok {
		t.Fatalf("the ledger has no account %v", key)
	}
	return v
}

func (w *wire) sent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exchanges
}

func (w *wire) Register(_ context.Context, r ledger.Register) (ledger.Outcome, error) {
	return w.apply(r), nil
}

func (w *wire) Exchange(_ context.Context, x *ledger.Exchange) (*ledger.Answer, error) {
	time.Sleep(w.delay) // virtual
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges++
	f := deliver
	if w.fate != nil {
		f = w.fate(w.exchanges, x)
	}
	if f == loseRequest {
		return nil, errLost
	}
	out := w.state.Apply(wallNow(), x)
	if f == repeatRequest {
		out = w.state.Apply(wallNow(), x)
	}
	if f == loseAnswer {
		return nil, errLost
	}
	ans, err := Answered(out)
	before := w.last
	w.last = ans
	if f == wrongAnswer && before != nil {
		return before, nil
	}
	return ans, err
}

// dollars is a hard total budget over everything.
func dollars(id ledger.BudgetID, limit ledger.Amount) ledger.Budget {
	return ledger.Budget{ID: id, Unit: ledger.USD, Limit: limit, Window: ledger.Window{Kind: ledger.Total}}
}

// whole is the account of a budget without split or window.
func whole(id ledger.BudgetID) ledger.AccountKey {
	start, _ := ledger.Window{Kind: ledger.Total}.Bounds(wallNow())
	return ledger.AccountKey{Budget: id, Start: start}
}

type rig struct {
	*Purse
	wire  *wire
	disk  *memoryMarks
	fatal chan error
}

// open starts a purse on the wire, with the ledger's budgets as its rules.
func open(t *testing.T, w *wire, disk *memoryMarks, change func(*Config, *Seams)) *rig {
	t.Helper()
	r := &rig{wire: w, disk: disk, fatal: make(chan error, 1)}
	cfg := Default()
	cfg.Node, cfg.Store = "n1", ledger.StoreID{1}
	seams := Seams{
		Exchanger: w, Marks: disk, Proofs: noProof,
		Fatal: func(err error) { r.fatal <- err },
		Log:   slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg, &seams)
	}
	p, err := Open(t.Context(), cfg, seams)
	if err != nil {
		t.Fatal(err)
	}
	r.Purse = p
	t.Cleanup(p.Close)
	r.rules(1)
	return r
}

func (r *rig) rules(version uint64) {
	var budgets []ledger.Budget
	r.wire.mu.Lock()
	for b := range r.wire.state.Budgets() {
		budgets = append(budgets, *b)
	}
	r.wire.mu.Unlock()
	r.SetRules(budgets, version)
}

func (r *rig) resolve(t *testing.T, d ledger.Dimensions) *Chain {
	t.Helper()
	c := new(Chain)
	if err := r.Resolve(c, &d); err != nil {
		t.Fatal(err)
	}
	return c
}

// must reserves and expects a hold.
func (r *rig) must(t *testing.T, part *Part, c Claim) Hold {
	t.Helper()
	h, refusal, err := r.Reserve(t.Context(), part, c)
	if err != nil || refusal.Refused() {
		t.Fatalf("no hold: %+v, %v", refusal, err)
	}
	return h
}
