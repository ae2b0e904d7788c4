package verdict

import (
	"maps"
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// accounted is C2: every row of the bill has one record of its cost, or lies inside
// what the accounts it is charged to call presumed or written off; nobody reports what
// was not billed; and the sums of the ledger agree with bill and records.
func accounted(b *book) (found []Finding) {
	rowsOf := map[string]int{}
	lost := map[string]int64{} // by the account's name, in its unit
	for i := range b.rows {
		r := &b.rows[i]
		rowsOf[r.ClientRequestID]++
		if r.op == nil {
			continue // the bill is not fit to be judged: see Assume
		}
		switch len(r.records) {
		case 0:
			found = append(found, b.unrecorded(r, lost)...)
		case 1:
			found = append(found, b.recorded(r)...)
		default:
			found = append(found, finding("C2", r.at, "call %s has %d usage records", r.ClientRequestID, len(r.records)))
		}
	}
	for id, n := range rowsOf {
		if n > 1 {
			found = append(found, finding("C2", 0, "the provider was asked %d times under the one id %q", n, id))
		}
	}
	for call, list := range b.attempts {
		if r := list[0]; r.Basis == "reported" && r.Cost > 0 && rowsOf[call] == 0 {
			found = append(found, finding("C2", 0, "the record of call %s has usage that the provider reported, %d nano-dollars, and the bill has no such call", call, r.Cost))
		}
		if len(list) > 1 && rowsOf[call] == 0 {
			found = append(found, finding("C2", 0, "call %s has %d usage records", call, len(list)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		if b.budgets[history.BudgetOf(name)].unit != "usd" || b.restored && !b.stays(name) {
			continue // made after the backup, and gone with its account
		}
		// A record is on two disks. When two are lost, the ledger alone has what it cost: see sums.
		if bound := b.unsure(name); lost[name] > bound && b.disksLost() < 2 {
			found = append(found, finding("C2", 0, "%s was billed %d without a record, and has no more than %d presumed or written off", name, lost[name], bound))
		}
	}
	var records int64
	for i := range b.end.Records {
		records += b.end.Records[i].Cost
	}
	if records != b.end.Reported {
		found = append(found, finding("C2", b.end.Left, "a report of all usage comes to %d nano-dollars, its records to %d", b.end.Reported, records))
	}
	found = append(found, b.unnamed()...)
	return append(found, b.sums(lost)...)
}

// unnamed are nodes that served, and that a report of all usage neither has records of
// nor names as missing.
func (b *book) unnamed() (found []Finding) {
	if len(b.end.Answered) == 0 {
		return nil // nobody could be asked: see Assume
	}
	named := map[string]bool{}
	for _, a := range b.end.Answered {
		named[a.Node] = true
	}
	for i := range b.h.Samples {
		if s := &b.h.Samples[i]; s.State == "ready" && !named[s.Is] {
			named[s.Is] = true
			found = append(found, finding("C2", b.end.Left, "a report of all usage says nothing of %s, which has served", s.Is))
		}
	}
	return found
}

// disksLost is how many nodes lost what their disks had acknowledged.
func (b *book) disksLost() int {
	nodes := map[string]bool{}
	for i := range b.faults {
		if b.faults[i].Loses {
			for _, n := range b.faults[i].Targets {
				nodes[n] = true
			}
		}
	}
	return len(nodes)
}

// stays says whether the ledger has an account of the name at the end.
func (b *book) stays(name string) bool {
	for k := range b.ends() {
		if k.name == name {
			return true
		}
	}
	return false
}

// unrecorded adds a row to what its accounts have to answer for.
func (b *book) unrecorded(r *row, lost map[string]int64) (found []Finding) {
	covered := false
	for _, name := range r.op.budgets {
		x := b.budgets[history.BudgetOf(name)]
		if x == nil {
			continue
		}
		if _, there := x.covers(r.op.begun, r.at); there {
			covered = covered || x.unit == "usd"
			lost[name] += x.amount(r)
		}
	}
	if !covered && r.Cost > 0 {
		found = append(found, finding("C2", r.at, "call %s of %s was billed %d nano-dollars without a record, and no budget in dollars covers it", r.ClientRequestID, r.op.id, r.Cost))
	}
	return found
}

// recorded compares a row with its record.
func (b *book) recorded(r *row) []Finding {
	record, cost := r.records[0], int64(r.Cost)
	wrong := false
	switch record.Basis {
	case "reported", "reported_cost":
		wrong = record.Cost != cost
	case "full_hold":
		wrong = record.Cost < cost && !beyond(r)
	case "no_charge":
		wrong = cost > 0
	}
	if !wrong {
		return nil
	}
	return []Finding{finding("C2", r.at, "call %s was billed %d nano-dollars (%s), its record has %d (%s, %s)", r.ClientRequestID, cost, r.Mode, record.Cost, record.Basis, record.Outcome)}
}

// unsure is what an account calls presumed or written off, in all its windows, and what
// a report says that fenced nodes can have spent beyond the records that are left of
// them: what they had reported is not written off.
func (b *book) unsure(name string) (sum int64) {
	for _, s := range b.windows[name] {
		sum += s.presumed + s.writtenOff
	}
	return sum + b.stated[name]
}

// sums holds the accounts as they are at the end against bill and records.
func (b *book) sums(lost map[string]int64) (found []Finding) {
	charged := map[key]int64{}
	for _, list := range b.requests {
		for _, r := range list {
			for i := range r.Charges {
				charged[chargedTo(&r.Charges[i])] += r.Charges[i].Spent
			}
		}
	}
	billed, beyonds := map[string]int64{}, map[string]int64{}
	for name, list := range b.taken() {
		for _, t := range list {
			billed[name] += t.amount
			if beyond(t.row) {
				beyonds[name] += t.amount
			}
		}
	}
	for k, s := range b.ends() {
		x := b.budgets[history.BudgetOf(k.name)]
		if x == nil || x.unit == "slots" || len(x.gone) > 0 {
			continue // of one that was made again, the ledger has what came after
		}
		a := &s.last
		// Of a call whose record is lost the bill has what it cost, and the account its hold.
		if sure := a.Spent - a.Presumed; sure > charged[k]+lost[k.name] && !b.lostAny() {
			found = append(found, finding("C2", 0, "%s is sure of %d %s spent (presumed %d), records have %d, and the bill has %d without records", k.label(), sure, x.measure(), a.Presumed, charged[k], lost[k.name]))
		}
		if b.restored {
			continue // what was spent since the backup is off the limit, once the rest is released
		}
		if most := a.Spent + a.WrittenOff; charged[k] > most+b.overrunLost(beyonds[k.name]) {
			found = append(found, finding("C2", 0, "%s accounts for %d %s (%d of that written off), records have %d", k.label(), most, x.measure(), a.WrittenOff, charged[k]))
		}
		if most := a.Spent + a.WrittenOff; x.length() == 0 && x.unit == "usd" && billed[k.name] > most+b.overrunLost(beyonds[k.name]) {
			found = append(found, finding("C2", 0, "%s was billed %d %s and accounts for %d", k.label(), billed[k.name], x.measure(), most))
		}
		if x.unit == "usd" && a.Overrun > beyonds[k.name] {
			found = append(found, finding("C2", 0, "%s shows %d as billed beyond holds, and the provider billed %d beyond caps", k.label(), a.Overrun, beyonds[k.name]))
		}
	}
	return found
}

// overrunLost is how much of an overrun may be in no account: that of a node that is
// fenced before it has reported it.
func (b *book) overrunLost(beyonds int64) int64 {
	if b.lostAny() {
		return beyonds
	}
	return 0
}

// ends are the accounts that the ledger has at the end.
func (b *book) ends() map[key]*seen {
	there := map[key]*seen{}
	for _, n := range b.end.Nodes {
		for _, d := range n.Budgets {
			for i := range d.Accounts {
				k := b.keyOf(&d.Accounts[i])
				there[k] = b.accounts[k]
			}
		}
	}
	return there
}

func (k key) label() string {
	if k.start == 0 {
		return k.name
	}
	return k.name + " from " + at(k.start)
}

// grouped is how long a record may wait to be written with others, and be lost with its
// process; what it is of is presumed then.
const grouped = 2 * time.Second

// told is C3: what a client was told that an answer cost is what the records of the
// request say, unless its node was ended at that moment, or its disk lost what it had.
func told(b *book) (found []Finding) {
	for i := range b.h.Requests {
		r := &b.h.Requests[i]
		if r.Status != 200 || !r.Costed || r.Replayed || r.RequestID == "" {
			continue
		}
		list := b.requests[r.RequestID]
		var cost int64
		for _, record := range list {
			cost += record.Cost
		}
		switch {
		case len(list) == 0 && b.mayLack(r):
		case len(list) == 0:
			found = append(found, finding("C3", r.Ended, "the answer to %s from %s cost %d, as the client was told, and there is no record of %s", r.ID, r.Node, r.Cost, r.RequestID))
		case cost != r.Cost:
			found = append(found, finding("C3", r.Ended, "the answer to %s from %s cost %d, as the client was told, and %d by the records of %s", r.ID, r.Node, r.Cost, cost, r.RequestID))
		}
	}
	return found
}

// mayLack says whether the node of a request may have lost its record.
func (b *book) mayLack(r *history.Request) bool {
	return b.lost(r.Node, r.Begun) || b.nearBy(r.Begun, r.Ended+int64(grouped), 0, func(f *history.Fault) bool {
		switch f.Class {
		case "process", "disk", "raft", "upgrade":
			return on(f, r.Node)
		}
		return f.Kills && on(f, r.Node)
	})
}
