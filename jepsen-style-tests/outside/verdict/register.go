package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

// A budget, for those who administer it, is a register: whether it is there, its limit,
// and what is spent of it, which only grows while it is there.
type register struct {
	there bool
	limit int64
	spent int64
}

// putLimit and remove are changes; look is a linearizable read and what it was answered.
type (
	putLimit struct{ limit int64 }
	remove   struct{}
	look     struct {
		found bool
		limit int64
		spent int64
	}
)

var registers = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		s := state.(register)
		switch in := input.(type) {
		case putLimit:
			s.there, s.limit = true, in.limit
			return true, s
		case remove:
			return true, register{}
		case look:
			if !in.found {
				return !s.there, s
			}
			if !s.there || in.limit != s.limit || in.spent < s.spent {
				return false, s
			}
			s.spent = in.spent
			return true, s
		default:
			panic(fmt.Sprintf("verdict: a step of type %T", input))
		}
	},
	DescribeOperation: func(input, _ any) string {
		switch in := input.(type) {
		case putLimit:
			return fmt.Sprintf("limit %d", in.limit)
		case look:
			if in.found {
				return fmt.Sprintf("read: limit %d, %d spent", in.limit, in.spent)
			}
			return "read: no such budget"
		default:
			return "delete"
		}
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

// registerWait bounds the search for an order of one budget.
const registerWait = 30 * time.Second

// linear is C7: for each budget there is one order of all changes and linearizable
// reads, in accord with who asked before whom was answered, in which every read is
// right. A change whose outcome nobody knows may have taken effect at any time since,
// or, if the audit trail does not have it, never. And what was acknowledged is in the
// trail.
func linear(b *book) (found []Finding) {
	if b.restored {
		return nil // limits, deletions and the trail are those of the backup
	}
	trail := b.trail()
	found = append(found, b.acknowledged(trail)...)
	parts := b.steps(trail)
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		switch porcupine.CheckOperationsTimeout(registers, parts[id], registerWait) {
		case porcupine.Illegal:
			found = append(found, finding("C7", 0, "no order explains the %d changes and reads of budget %s", len(parts[id]), id))
		case porcupine.Unknown:
			found = append(found, finding("C7", 0, "undecided after %v: the %d changes and reads of budget %s", registerWait, len(parts[id]), id))
		case porcupine.Ok:
		}
	}
	return found
}

// Draw has a page drawn of each budget for which C7 finds no order, under the name that
// file makes of its id.
func Draw(h *history.History, end *history.End, file func(budget string) string) error {
	b := newBook(h, end)
	if b.restored {
		return nil
	}
	for id, steps := range b.steps(b.trail()) {
		result, info := porcupine.CheckOperationsVerbose(registers, steps, registerWait)
		if result != porcupine.Illegal {
			continue
		}
		if err := porcupine.VisualizePath(registers, info, file(id)); err != nil {
			return fmt.Errorf("drawing the changes of budget %s: %w", id, err)
		}
	}
	return nil
}

// entry is what a change is known by in the audit trail. Limits of a budget are asked
// for once each.
type entry struct {
	action, target string
	limit          int64
}

func (b *book) trail() map[entry]bool {
	out := map[entry]bool{}
	for i := range b.end.Audit {
		e := &b.end.Audit[i]
		of := entry{action: e.Action, target: e.Target}
		if e.Action == "budget.put" {
			var after admin.Budget
			if err := json.Unmarshal(e.After, &after); err == nil {
				of.limit, _ = history.Amount(after.Limit.String(), after.Unit) // 0: nobody asked for that
			}
		}
		out[of] = true
	}
	return out
}

// entryOf is the entry that a change makes; ok is false for what makes none.
func entryOf(c *history.Change) (e entry, ok bool) {
	switch c.Kind {
	case "limit":
		return entry{"budget.put", "budget/" + c.Of, c.Limit}, true
	case "delete":
		return entry{action: "budget.delete", target: "budget/" + c.Of}, true
	case "release":
		return entry{action: "budget.release", target: "budget/" + c.Of}, true
	case "raise":
		return entry{action: "budget.raise", target: "budget/" + c.Of}, true
	case "revoke":
		return entry{action: "key.revoke", target: "key/" + c.Of}, true
	case "rotate":
		return entry{action: "key.rotate", target: "key/" + c.Of}, true
	case "key":
		return entry{action: "key.put", target: "key/" + c.Of}, true
	case "fence":
		return entry{action: "node.fence", target: "node/" + c.Of}, true
	default:
		return entry{}, false
	}
}

func (b *book) acknowledged(trail map[entry]bool) (found []Finding) {
	for i := range b.h.Changes {
		c := &b.h.Changes[i]
		if e, makes := entryOf(c); makes && c.OK && !trail[e] && !unchanged(c) {
			found = append(found, finding("C7", c.Ended, "change %d (%s of %s, limit %d) was acknowledged by %s and is not in the audit trail", c.ID, c.Kind, c.Of, c.Limit, c.Node))
		}
	}
	return found
}

// unchanged says whether a change can have been acknowledged that changed nothing: a
// release of a budget of which nothing is withheld.
func unchanged(c *history.Change) bool { return c.Kind == "release" }

// steps sorts what is known of budgets by their ids.
func (b *book) steps(trail map[entry]bool) map[string][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, in := range b.h.Meta.Budgets {
		if !b.founded(in.ID) {
			limit, _ := history.Amount(in.Limit.String(), in.Unit) // a rule that was made has one
			parts[in.ID] = append(parts[in.ID], porcupine.Operation{Input: putLimit{limit}, Call: -never, Return: -never})
		}
	}
	const sessions = 1 << 20 // beyond those that are numbered: changes that never end
	for i := range b.h.Changes {
		c := &b.h.Changes[i]
		op := porcupine.Operation{ClientId: c.Session, Call: c.Begun, Return: c.Ended}
		switch {
		case c.Kind == "read" && c.OK:
			limit, ok := limitOf(c)
			if !ok {
				continue
			}
			op.Input = look{c.Found, limit, b.spentIn(c)}
		case c.Kind == "limit":
			op.Input = putLimit{c.Limit}
		case c.Kind == "delete":
			op.Input = remove{}
		default:
			continue
		}
		if c.Kind != "read" && !c.OK {
			e, _ := entryOf(c)
			if c.Known || len(b.end.Audit) > 0 && !trail[e] {
				continue // it had no effect
			}
			op.ClientId, op.Return = sessions+i, never
		}
		parts[c.Of] = append(parts[c.Of], op)
	}
	for id, list := range parts {
		parts[id] = thin(list)
	}
	return parts
}

// mostReads bounds the reads of one budget that are put in order: the search takes memory
// with the square of their number.
const mostReads = 6000

// thin leaves reads out, evenly, where there are too many. What is wrong without them is
// wrong with them.
func thin(list []porcupine.Operation) []porcupine.Operation {
	reads := 0
	for _, op := range list {
		if _, is := op.Input.(look); is {
			reads++
		}
	}
	if reads <= mostReads {
		return list
	}
	nth := 0
	return slices.DeleteFunc(list, func(op porcupine.Operation) bool {
		if _, is := op.Input.(look); !is {
			return false
		}
		nth++
		return nth*mostReads/reads == (nth-1)*mostReads/reads
	})
}

// founded says whether the making of a budget is among the changes.
func (b *book) founded(id string) bool {
	return slices.ContainsFunc(b.h.Changes, func(c history.Change) bool { return c.Kind == "limit" && c.Of == id })
}

// limitOf is the limit that a read says; ok is false where it says none, which no order
// can be wrong about.
func limitOf(c *history.Change) (limit int64, ok bool) {
	if !c.Found || c.Limit != 0 {
		return c.Limit, true
	}
	for i := range c.Accounts {
		if strings.EqualFold(c.Accounts[i].State, "open") {
			return c.Accounts[i].Limit, true
		}
	}
	return 0, false
}

// spentIn is what a read says is spent of a budget that has no windows, and 0 of others:
// accounts of theirs come and go.
func (b *book) spentIn(c *history.Change) (sum int64) {
	if x := b.budgets[c.Of]; x == nil || x.length() > 0 || x.unit == "slots" {
		return 0
	}
	for i := range c.Accounts {
		sum += c.Accounts[i].Spent
	}
	return sum
}
