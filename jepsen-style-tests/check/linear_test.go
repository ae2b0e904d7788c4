package check

import (
	"math"
	"testing"
	"time"

	"purser/ledger"
)

// history builds operations that follow each other, unless told otherwise.
type history struct {
	ops   []Op
	reads []Read
	at    int64
}

func (h *history) add(c ledger.Command, out ledger.Outcome) *Op {
	h.at += 2
	if out.Code == 0 {
		out.Code = ledger.Applied
	}
	h.ops = append(h.ops, Op{Command: c, Invoke: h.at, Return: h.at + 1, Outcome: &out})
	return &h.ops[len(h.ops)-1]
}

func (h *history) put(limit ledger.Amount) *Op {
	return h.add(ledger.PutBudget{Budget: budget(limit)}, ledger.Outcome{})
}

// exchange is a row of a node's, and what it has been granted in all.
func (h *history) exchange(node ledger.NodeID, row ledger.Row, granted ledger.Amount) *Op {
	row.Account = key
	return h.add(&ledger.Exchange{Node: node, Incarnation: 1, Seq: uint64(len(h.ops)), Rows: []ledger.Row{row}},
		ledger.Outcome{Answer: &ledger.Answer{Rows: []ledger.AnswerRow{{Granted: granted}}}})
}

func (h *history) register(node ledger.NodeID, mark ledger.Amount) *Op {
	return h.add(ledger.Register{Node: node, Previous: 1, Evidence: []ledger.Evidence{{Account: key, Incarnation: 1, Mark: mark}}}, ledger.Outcome{})
}

func (h *history) read(available, outstanding, spent, off ledger.Amount) {
	h.at += 2
	h.reads = append(h.reads, Read{Invoke: h.at, Return: h.at + 1, View: ledger.AccountView{
		Key: key, Limit: available + outstanding + spent + off, Available: available, Outstanding: outstanding, Spent: spent, WrittenOff: off,
	}})
}

func TestC7(t *testing.T) {
	for name, c := range map[string]struct {
		build func(h *history)
		wrong bool
	}{
		"grants, spending, returns and reads": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("b", ledger.Row{}, 4)
			h.read(0, 10, 0, 0)
			h.exchange("a", ledger.Row{Spent: 2, Returned: 4}, 6)
			h.exchange("b", ledger.Row{Spent: 4}, 8)
			h.read(0, 4, 6, 0)
			h.exchange("b", ledger.Row{Spent: 5, Done: true}, 8)
			h.read(3, 0, 7, 0)
		}},
		"more is granted than there is": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("b", ledger.Row{}, 5)
		}},
		"a grant is taken back": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{}, 5)
		}},
		"more is returned than was granted": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{Spent: 3, Returned: 4}, 6)
		}},
		"a settlement is forgotten": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{Spent: 3}, 6)
			h.read(4, 6, 0, 0)
		}},
		"a settlement counts twice": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{Spent: 3}, 6)
			h.exchange("a", ledger.Row{Spent: 3}, 6)
			h.read(4, 0, 6, 0)
		}},
		"a read is of the past": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.read(10, 0, 0, 0)
		}},
		"a read beside a grant sees it or not": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6).Return += 10
			h.read(10, 0, 0, 0)
			h.read(4, 6, 0, 0)
		}},
		"a lowered limit takes no grant back": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.put(5)
			h.read(-1, 6, 0, 0)
		}},
		"a grant above a lowered limit": {wrong: true, build: func(h *history) {
			h.put(10)
			h.put(5)
			h.exchange("a", ledger.Row{}, 6)
		}},
		"a restart gives back what is above the mark": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.register("a", 4)
			h.read(6, 0, 4, 0)
		}},
		"a restart gives back everything": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.register("a", 4)
			h.read(10, 0, 0, 0)
		}},
		"a mark below what was reported": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{Spent: 3}, 6)
			h.register("a", 2)
		}},
		"a fence writes off": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.exchange("a", ledger.Row{Spent: 2}, 6)
			h.add(ledger.Fence{Node: "a"}, ledger.Outcome{})
			h.read(4, 0, 2, 4)
		}},
		"a fence gives back": {wrong: true, build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6)
			h.add(ledger.Fence{Node: "a"}, ledger.Outcome{})
			h.read(10, 0, 0, 0)
		}},
		"an operation without an answer takes effect when it likes": {build: func(h *history) {
			h.put(10)
			h.exchange("a", ledger.Row{}, 6).Return = math.MaxInt64
			h.read(10, 0, 0, 0)
			h.exchange("b", ledger.Row{}, 5)
			h.exchange("b", ledger.Row{Returned: 5}, 5)
			h.read(4, 6, 0, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{}
			c.build(h)
			wrong, undecided := Linear(h.ops, h.reads, time.Minute)
			if len(undecided) > 0 || (len(wrong) > 0) != c.wrong {
				t.Errorf("wrong: %v, undecided: %v", wrong, undecided)
			}
		})
	}
}

func TestC7LeavesTheLimitOfAWindowThatIsOver(t *testing.T) {
	for now, wrong := range map[ledger.Instant]int{ledger.Minute - 1: 1, ledger.Minute: 0} {
		h := &history{}
		minute := budget(10)
		minute.Window.Kind = ledger.PerMinute
		h.add(ledger.PutBudget{Budget: minute}, ledger.Outcome{})
		h.exchange("a", ledger.Row{}, 6)
		minute.Limit = 20
		h.add(ledger.PutBudget{Budget: minute}, ledger.Outcome{}).Now = now
		h.read(4, 6, 0, 0)
		if got, _ := Linear(h.ops, h.reads, time.Minute); len(got) != wrong {
			t.Errorf("at %d: %q", now, got)
		}
	}
}

func TestC7RefusesTooManyNodes(t *testing.T) {
	h := &history{}
	for i := range maxNodes + 1 {
		h.exchange(ledger.NodeID(rune('a'+i)), ledger.Row{}, 0)
	}
	wrong, _ := Linear(h.ops, nil, time.Minute)
	expect(t, "nine nodes", wrong, "9 nodes")
}

func TestC7SeesSpendingThatNoGrantBacks(t *testing.T) {
	h := &history{}
	h.exchange("a", ledger.Row{Spent: 1}, 0).Outcome.Answer.Rows[0].State = ledger.Unbacked
	wrong, _ := Linear(h.ops, nil, time.Minute)
	expect(t, "unbacked", wrong, "that it was not granted")
}

func TestResolveTakesOpenEndsFromTheLog(t *testing.T) {
	h := &history{}
	h.put(10)
	h.exchange("a", ledger.Row{}, 6)
	h.exchange("a", ledger.Row{}, 7)
	var log []Applied
	for _, op := range h.ops {
		log = append(log, Applied{Commands: []ledger.Command{op.Command}, Outcomes: []any{*op.Outcome}})
	}
	h.ops[1].Outcome = nil
	known, wrong := Resolve(h.ops, log)
	expect(t, "answered by the log", wrong)
	if len(known) != 3 || known[1].Return != math.MaxInt64 || known[1].Outcome == nil {
		t.Errorf("known: %+v", known)
	}
	known, wrong = Resolve(h.ops, []Applied{log[0], log[2]})
	expect(t, "not in the log", wrong)
	if len(known) != 2 {
		t.Errorf("what never happened is taken for %+v", known)
	}
	_, wrong = Resolve(h.ops, log[:2])
	expect(t, "answered, but not in the log", wrong, "is not in the log")
	_, wrong = Resolve(h.ops, append(log, log[2]))
	expect(t, "applied twice", wrong, "applied twice")
}

func TestOpsTakeARepeatedExchangeForOne(t *testing.T) {
	o, x := NewOps(), &ledger.Exchange{Node: "a", Incarnation: 1, Seq: 1}
	o.Invoke(0, 1, x)
	answered := o.Invoke(0, 5, x)
	o.Invoke(0, 6, &ledger.Exchange{Node: "a", Incarnation: 1, Seq: 2})
	answered(7, ledger.Outcome{Code: ledger.Repeated})
	all := o.All()
	if len(all) != 2 || all[0].Invoke != 1 || all[0].Return != 7 || all[1].Outcome != nil {
		t.Errorf("operations: %+v", all)
	}
}
