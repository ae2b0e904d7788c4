package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"purser/ledger"
)

// maxNodes bounds the nodes of a history, so that a state of the model is a plain
// value.
const maxNodes = 8

// account is the model of one account of a hard budget whose calls never cost more
// than their holds. It says how much may be granted, not how much is.
type account struct {
	limit, spent, writtenOff int64
	leases                   [maxNodes]allowance
}

// allowance is what one node has of the account. The zero allowance is none.
type allowance struct {
	granted, spent, returned int64
}

func (a allowance) out() int64 { return a.granted - a.spent - a.returned }

func (s *account) outstanding() (sum int64) {
	for _, l := range s.leases {
		sum += l.out()
	}
	return sum
}

func (s *account) available() int64 { return s.limit - s.spent - s.writtenOff - s.outstanding() }

// The steps of the model. Each says whether what was seen can be, and what is so
// after it.
type step interface {
	take(s account) (account, bool)
}

type putLimit struct{ limit int64 }

func (p putLimit) take(s account) (account, bool) { s.limit = p.limit; return s, true }

// report is a node's row of an Exchange, and what it was answered.
type report struct {
	node            int
	spent, returned int64
	done            bool
	granted         int64 // in all, as answered
}

func (r report) take(s account) (account, bool) {
	l := &s.leases[r.node]
	spent, returned := max(l.spent, r.spent), max(l.returned, r.returned)
	if spent+returned > l.granted {
		return s, false // spent or gave back what it was never granted
	}
	s.spent += spent - l.spent
	l.spent, l.returned = spent, returned
	if r.done {
		ok := r.granted == l.granted
		*l = allowance{}
		return s, ok
	}
	more := r.granted - l.granted
	if more < 0 || more > 0 && more > s.available() {
		return s, false
	}
	l.granted = r.granted
	return s, true
}

// restart is a node that comes back with a mark: what may have been spent below it
// counts as spent, the rest comes back.
type restart struct {
	node int
	mark int64
}

func (r restart) take(s account) (account, bool) {
	l := s.leases[r.node]
	spent := min(max(l.spent, r.mark), l.granted-l.returned)
	s.spent += spent - l.spent
	s.leases[r.node] = allowance{}
	return s, r.mark >= l.spent
}

type fence struct{ node int }

func (f fence) take(s account) (account, bool) {
	s.writtenOff += s.leases[f.node].out()
	s.leases[f.node] = allowance{}
	return s, true
}

// look is a linearizable read.
type look struct{ limit, available, outstanding, spent, writtenOff int64 }

func (k look) take(s account) (account, bool) {
	return s, k == look{s.limit, s.available(), s.outstanding(), s.spent, s.writtenOff}
}

var model = porcupine.Model{
	Init: func() any { return account{} },
	Step: func(state, input, _ any) (bool, any) {
		after, ok := input.(step).take(state.(account))
		return ok, after
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%T%+v", input, input) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// Linear is C7: for each account there is one order of all that was asked of it, in
// accord with who asked before whom was answered, in which every answer is right.
// Operations are those that [Resolve] returns. A check that is not done within the
// limit is told as undecided.
func Linear(ops []Op, reads []Read, limit time.Duration) (wrong, undecided []string) {
	parts, err := partition(ops, reads)
	if err != "" {
		return []string{err}, nil
	}
	for key, history := range parts {
		switch porcupine.CheckOperationsTimeout(model, history, limit) {
		case porcupine.Illegal:
			wrong = append(wrong, fmt.Sprintf("C7: no order explains the %d operations on %s", len(history), key))
		case porcupine.Unknown:
			undecided = append(undecided, fmt.Sprintf("C7: undecided after %v: the %d operations on %s", limit, len(history), key))
		case porcupine.Ok:
		}
	}
	slices.Sort(wrong)
	return wrong, undecided
}

// partition sorts the operations by account.
func partition(ops []Op, reads []Read) (parts map[ledger.AccountKey][]porcupine.Operation, err string) {
	parts = map[ledger.AccountKey][]porcupine.Operation{}
	numbers := map[ledger.NodeID]int{}
	number := func(n ledger.NodeID) int {
		if _, ok := numbers[n]; !ok {
			numbers[n] = len(numbers)
		}
		return numbers[n]
	}
	for _, r := range reads {
		parts[r.View.Key] = nil
	}
	for _, op := range ops {
		if x, ok := op.Command.(*ledger.Exchange); ok {
			for _, row := range x.Rows {
				parts[row.Account] = nil
			}
		}
	}
	for _, op := range ops {
		add := func(key ledger.AccountKey, s step) {
			parts[key] = append(parts[key], porcupine.Operation{ClientId: op.Client, Input: s, Call: op.Invoke, Return: op.Return})
		}
		if err := spread(&op, parts, number, add); err != "" {
			return nil, err
		}
	}
	for _, r := range reads {
		v := r.View
		parts[v.Key] = append(parts[v.Key], porcupine.Operation{
			ClientId: maxNodes + 1 + r.Session, Call: r.Invoke, Return: r.Return,
			Input: look{int64(v.Limit), int64(v.Available), int64(v.Outstanding), int64(v.Spent), int64(v.WrittenOff)},
		})
	}
	if len(numbers) > maxNodes {
		return nil, fmt.Sprintf("C7: %d nodes, the model takes %d", len(numbers), maxNodes)
	}
	return parts, ""
}

// spread gives an operation to the accounts that it touches.
func spread(op *Op, parts map[ledger.AccountKey][]porcupine.Operation, number func(ledger.NodeID) int, add func(ledger.AccountKey, step)) (err string) {
	switch c := op.Command.(type) {
	case ledger.PutBudget:
		for key := range parts {
			if key.Budget == c.Budget.ID && op.Outcome.Code == ledger.Applied && !over(c.Budget.Window.Kind, key.Start, op.Now) {
				add(key, putLimit{int64(c.Budget.Limit)})
			}
		}
	case ledger.Fence:
		for key := range parts {
			add(key, fence{number(c.Node)})
		}
	case ledger.Register:
		if op.Outcome.Code != ledger.Applied {
			return ""
		}
		for key := range parts {
			add(key, restart{number(c.Node), markOf(&c, key)})
		}
	case *ledger.Exchange:
		if op.Outcome.Answer == nil {
			return "" // refused as a whole: the node is fenced or was replaced
		}
		for i, row := range c.Rows {
			got := op.Outcome.Answer.Rows[i]
			if got.State == ledger.Unbacked {
				return fmt.Sprintf("C7: %s reports %d spent of %s that it was not granted", c.Node, row.Spent, row.Account)
			}
			add(row.Account, report{number(c.Node), int64(row.Spent), int64(row.Returned), row.Done, int64(got.Granted)})
		}
	}
	return ""
}

// over says whether a window has ended: what is decided after that does not change
// its limit. Histories have windows of these two kinds.
func over(kind ledger.WindowKind, start, now ledger.Instant) bool {
	switch kind {
	case ledger.Total:
		return false
	case ledger.PerMinute:
		return now >= start+ledger.Minute
	default:
		panic("check: a history with windows of kind " + kind.String())
	}
}

// markOf is the mark of the incarnation that ended.
func markOf(r *ledger.Register, key ledger.AccountKey) (mark int64) {
	for _, e := range r.Evidence {
		if e.Account == key && (e.Incarnation == 0 || e.Incarnation == r.Previous) {
			mark = max(mark, int64(e.Mark))
		}
	}
	return mark
}
