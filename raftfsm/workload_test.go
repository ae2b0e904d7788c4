package raftfsm

import (
	"crypto/sha256"
	"fmt"
	"math/rand"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// workload makes the entries of a small cluster's life from a seed: budgets of
// every unit come, change and go, nodes register and report, keys are made and
// revoked, some of it audited, and time passes. Some entries are refused when they are applied.
type workload struct {
	r      *rand.Rand
	now    ledger.Instant
	shadow *ledger.State // takes every command, so that nodes spend what they were granted
	seqs   map[ledger.NodeID]uint64
	incs   map[ledger.NodeID]uint32
	leases map[lease]*ledger.Row

	batches map[ledger.NodeID]uint64
}

type lease struct {
	account     ledger.AccountKey
	node        ledger.NodeID
	incarnation uint32
}

func newWorkload(seed int64) *workload {
	return &workload{
		r: rand.New(rand.NewSource(seed)), now: 1_700_000_000 * ledger.Second, shadow: ledger.New(),
		seqs: map[ledger.NodeID]uint64{}, incs: map[ledger.NodeID]uint32{}, leases: map[lease]*ledger.Row{},
		batches: map[ledger.NodeID]uint64{},
	}
}

func (w *workload) entries(n int) [][]byte {
	out := make([][]byte, 0, n)
	for range n {
		out = append(out, w.next())
	}
	return out
}

func (w *workload) next() []byte {
	w.now += ledger.Instant(w.r.Int63n(int64(10 * ledger.Second)))
	switch w.r.Intn(14) {
	case 12: // who wants it is told
		facts := audit.Facts{Node: w.node(), Actor: "root", Address: "192.0.2.1", Action: "key.put", After: []byte(`{"a":1}`)}
		return newEntry(w.now, auditedMessage(&facts, directoryMessage(directory.PutKey{Key: w.key()})))
	case 13:
		id := w.node()
		if w.r.Intn(4) > 0 {
			w.batches[id]++ // else the same again
		}
		denied := audit.Event{Facts: audit.Facts{Node: id, Action: "policy.denied"}, Result: audit.Denied, Count: uint64(1 + w.r.Intn(9)), First: w.now - 1}
		return newEntry(w.now, auditMessage(&audit.Batch{Node: id, Incarnation: 1, Seq: w.batches[id], Events: []audit.Event{denied, denied}}))
	case 0:
		return directoryEntry(w.now, directory.PutKey{Key: w.key()})
	case 1:
		if w.r.Intn(2) == 0 {
			return directoryEntry(w.now, directory.RevokeKey{ID: w.keyID()})
		}
		return directoryEntry(w.now, directory.ForgetKey{ID: w.keyID()})
	default:
		c := w.ledgerCommand()
		w.learn(c, w.shadow.Apply(w.now, c))
		return ledgerEntry(w.now, c)
	}
}

func (w *workload) ledgerCommand() ledger.Command {
	switch w.r.Intn(20) {
	case 0, 1:
		return ledger.PutBudget{Budget: w.budget()}
	case 2:
		return w.register()
	case 3, 4:
		return ledger.Tick{}
	case 5:
		if w.r.Intn(4) == 0 {
			return ledger.DeleteBudget{ID: w.budgetID()}
		}
		return ledger.Fence{Node: "n9"}
	default:
		return w.exchange()
	}
}

// learn spends some of what an answer grants.
func (w *workload) learn(c ledger.Command, out ledger.Outcome) {
	x, ok := c.(*ledger.Exchange)
	if !ok || out.Code != ledger.Applied {
		return
	}
	for i, a := range out.Answer.Rows {
		l := w.leases[lease{x.Rows[i].Account, x.Node, x.Incarnation}]
		if left := int64(a.Granted - l.Spent - l.Returned); left > 0 {
			l.Spent += ledger.Amount(w.r.Int63n(left + 1))
		}
		if left := int64(a.Granted - l.Spent - l.Returned); left > 0 && w.r.Intn(4) == 0 {
			l.Returned += ledger.Amount(w.r.Int63n(left + 1))
		}
	}
}

func (w *workload) budgetID() ledger.BudgetID {
	return ledger.BudgetID(fmt.Sprint("b", w.r.Intn(4)))
}

func (w *workload) budget() ledger.Budget {
	id := w.budgetID()
	kind := ledger.WindowKind(1 + id[1] - '0') // a budget keeps its window
	return ledger.Budget{
		ID: id, Unit: ledger.USD, Limit: ledger.Amount(1+w.r.Intn(5)) * ledger.NanoPerUSD,
		Window: ledger.Window{Kind: kind}, Alerts: []uint8{80},
	}
}

func (w *workload) node() ledger.NodeID { return ledger.NodeID(fmt.Sprint("n", w.r.Intn(3))) }

func (w *workload) register() ledger.Register {
	id := w.node()
	previous := w.incs[id]
	w.incs[id]++
	w.seqs[id] = 0
	return ledger.Register{Node: id, Previous: previous, Store: ledger.StoreID(sha256.New().Sum([]byte(id + "0123456789abcdef"))[:16])}
}

func (w *workload) exchange() *ledger.Exchange {
	id := w.node()
	if w.r.Intn(10) > 0 {
		w.seqs[id]++ // else the same again
	}
	x := &ledger.Exchange{Node: id, Incarnation: w.incs[id], Seq: w.seqs[id]}
	for i := range 1 + w.r.Intn(3) {
		start, _ := ledger.Window{Kind: ledger.WindowKind(1 + i)}.Bounds(w.now)
		account := ledger.AccountKey{Budget: ledger.BudgetID(fmt.Sprint("b", i)), Start: start}
		l := w.leases[lease{account, id, x.Incarnation}]
		if l == nil {
			l = &ledger.Row{Account: account}
			w.leases[lease{account, id, x.Incarnation}] = l
		}
		l.Want, l.Rate = ledger.Amount(w.r.Intn(1e9)), ledger.Amount(w.r.Intn(1e6))
		x.Rows = append(x.Rows, *l)
	}
	x.Needs = []ledger.Need{{Claims: []ledger.Claim{{Row: 0, Missing: ledger.Amount(w.r.Intn(1e8))}}}}
	return x
}

func (w *workload) keyID() directory.KeyID { return directory.KeyID(fmt.Sprint("k", w.r.Intn(6))) }

func (w *workload) key() directory.Key {
	id := w.keyID()
	return directory.Key{
		ID: id, Hash: sha256.Sum256([]byte(id)), Name: fmt.Sprint("name ", w.r.Intn(3)),
		Expires: w.now + ledger.Instant(w.r.Intn(100))*ledger.Second,
	}
}
