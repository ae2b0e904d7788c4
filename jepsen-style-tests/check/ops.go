package check

import (
	"fmt"
	"math"
	"sync"

	"purser/ledger"
)

// Op is a command as the one who asked for it saw it: from its first invocation to
// its answer. One that was never answered has no Outcome.
type Op struct {
	Client         int
	Command        ledger.Command
	Invoke, Return int64
	Outcome        *ledger.Outcome
	Now            ledger.Instant // ledger time at which it was carried out, as [Resolve] finds it
}

// Ops gathers commands. All its methods may be called by any number of goroutines.
type Ops struct {
	mu   sync.Mutex
	all  []Op
	open map[message]int // Exchanges without an answer
}

// message is what makes two Exchanges the same.
type message struct {
	node        ledger.NodeID
	incarnation uint32
	seq         uint64
}

// NewOps returns no commands.
func NewOps() *Ops { return &Ops{open: map[message]int{}} }

// Invoke notes a command on its way, and returns what to call with its answer.
// The same Exchange again is the same operation.
func (o *Ops) Invoke(client int, at int64, c ledger.Command) (done func(at int64, out ledger.Outcome)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := len(o.all)
	if x, ok := c.(*ledger.Exchange); ok {
		m := message{x.Node, x.Incarnation, x.Seq}
		if known, ok := o.open[m]; ok {
			i = known
		}
		o.open[m] = i
	}
	if i == len(o.all) {
		o.all = append(o.all, Op{Client: client, Command: c, Invoke: at})
	}
	return func(at int64, out ledger.Outcome) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.all[i].Return, o.all[i].Outcome = at, &out
	}
}

// All returns the commands so far.
func (o *Ops) All() []Op {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Op(nil), o.all...)
}

// Resolve gives operations without an answer the one that the log has for them;
// they may have taken effect at any time since. Those that are not in the log had
// none and are left out. What was answered must be what the log says, and an
// Exchange is applied once.
func Resolve(ops []Op, entries []Applied) (known []Op, wrong []string) {
	applied, times := map[string]ledger.Outcome{}, map[string]ledger.Instant{}
	for _, e := range entries {
		for i, c := range e.Commands {
			out, ok := e.Outcomes[i].(ledger.Outcome)
			if c == nil || !ok || out.Code != ledger.Applied {
				continue
			}
			name := nameOf(c)
			if _, twice := applied[name]; twice && name != "" {
				wrong = append(wrong, fmt.Sprintf("C7: %s was applied twice, at last by entry %d", name, e.Index))
			}
			applied[name], times[name] = out, e.Now
		}
	}
	for _, op := range ops {
		out, ok := applied[nameOf(op.Command)]
		switch {
		case nameOf(op.Command) == "":
			continue
		case op.Outcome == nil && ok:
			op.Outcome, op.Return = &out, math.MaxInt64
		case op.Outcome == nil:
			continue
		case !ok && (op.Outcome.Code == ledger.Applied || op.Outcome.Code == ledger.Repeated):
			wrong = append(wrong, fmt.Sprintf("C7: %s was answered as applied and is not in the log", nameOf(op.Command)))
			continue
		}
		op.Now = times[nameOf(op.Command)]
		known = append(known, op)
	}
	return known, wrong
}

// nameOf tells commands apart; "" for those that the model does not know. Limits
// are asked for once each.
func nameOf(c ledger.Command) string {
	switch c := c.(type) {
	case *ledger.Exchange:
		return fmt.Sprintf("exchange %d of %s, incarnation %d", c.Seq, c.Node, c.Incarnation)
	case ledger.Register:
		return fmt.Sprintf("registration of %s after incarnation %d", c.Node, c.Previous)
	case ledger.PutBudget:
		return fmt.Sprintf("limit %d of %s", c.Budget.Limit, c.Budget.ID)
	case ledger.Fence:
		return fmt.Sprintf("fence of %s", c.Node)
	default:
		return ""
	}
}
