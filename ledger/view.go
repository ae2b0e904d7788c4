package ledger

import (
	"fmt"
	"iter"
	"math"
)

// AccountView is an account as it stands. Limit is always Available +
// Outstanding + Spent + WrittenOff (L1).
type AccountView struct {
	Key         AccountKey
	Unit        Unit
	Limit       Amount
	Available   Amount // negative when overcommitted: after a lowered limit or an overrun
	Outstanding Amount // granted, and neither spent nor returned
	Spent       Amount // settled; includes Presumed and Overrun
	Presumed    Amount // part of Spent: a crashed node may have spent it
	WrittenOff  Amount // nobody can say whether it was spent; counts as if it was
	Withheld    Amount // part of WrittenOff: set aside by a Restore, until it is released
	Overrun     Amount // part of Spent: what providers billed beyond the holds
	State       AccountState
	WindowEnd   Instant // MaxInstant for a window that never ends
	Holders     int     // leases that are not done
}

// LeaseView is one node's lease of an account. Once the lease is done its
// counters are zero, but for Earlier.
type LeaseView struct {
	Node        NodeID
	Incarnation uint32
	Granted     Amount // cumulative
	Spent       Amount
	Overrun     Amount
	Returned    Amount
	Rate        Amount // units per second
	Done        bool
	Earlier     Amount // spent by leases of this incarnation that are done
}

// NodeView is a node that has registered.
type NodeView struct {
	ID          NodeID
	Store       StoreID
	Incarnation uint32
	MarkSeq     uint64 // highest reported
	Seq         uint64 // of the last Exchange of this incarnation
	Leases      int
	Fenced      bool
}

// Now is ledger time: the latest instant that was applied.
func (s *State) Now() Instant { return s.now }

// Generation counts the restored backups that this ledger goes back to.
func (s *State) Generation() uint32 { return s.generation }

// Budget returns a rule that is in force. It is shared and must not be changed.
func (s *State) Budget(id BudgetID) (*Budget, bool) {
	r, ok := s.budgets.get(id)
	if !ok || r.deleted {
		return nil, false
	}
	return r.budget, true
}

// Budgets yields the rules in force, by ID. They are shared and must not be changed.
func (s *State) Budgets() iter.Seq[*Budget] {
	return func(yield func(*Budget) bool) {
		for _, r := range s.budgets.all() {
			if !r.deleted && !yield(r.budget) {
				return
			}
		}
	}
}

// Raises returns the raises of a budget that are in force, by id. They are shared
// and must not be changed.
func (s *State) Raises(id BudgetID) []Raise {
	r, ok := s.budgets.get(id)
	if !ok {
		return nil
	}
	return r.raises
}

// Trips returns the breakers of a budget that are not closed, by scope. They are
// shared and must not be changed.
func (s *State) Trips(id BudgetID) []BreakerTrip {
	r, ok := s.budgets.get(id)
	if !ok {
		return nil
	}
	return r.trips
}

// Rulings counts the changes of budgets, raises and breakers that this replica has
// made since it was made or loaded. It is no part of the state.
func (s *State) Rulings() uint64 { return s.ruled }

// Rules returns a state with the rules in force and nothing else: no accounts and
// no nodes. It takes time in proportion to the rules, and shares them with s.
func (s *State) Rules() *State {
	out := New()
	out.now, out.generation = s.now, s.generation
	for id, r := range s.budgets.all() {
		if !r.deleted {
			own := &rule{
				owner: out.epoch, budget: r.budget, beenSoft: r.beenSoft, raises: r.raises, trips: r.trips, serial: r.serial,
			}
			out.budgets.put(out.epoch, id, own)
			out.raises += len(own.raises)
			out.schedule(own)
		}
	}
	return out
}

// Account returns one account.
func (s *State) Account(k AccountKey) (AccountView, bool) {
	a, ok := s.accounts.get(k)
	if !ok {
		return AccountView{}, false
	}
	return s.view(a), true
}

// Accounts yields the accounts of a budget, also of a deleted one, by split and
// then by window.
func (s *State) Accounts(id BudgetID) iter.Seq[AccountView] {
	return func(yield func(AccountView) bool) {
		for k, a := range s.accounts.from(AccountKey{Budget: id, Start: math.MinInt64}) {
			if k.Budget != id || !yield(s.view(a)) {
				return
			}
		}
	}
}

// AccountsFrom yields every account from a key on, in the order of keys.
func (s *State) AccountsFrom(k AccountKey) iter.Seq[AccountView] {
	return func(yield func(AccountView) bool) {
		for _, a := range s.accounts.from(k) {
			if !yield(s.view(a)) {
				return
			}
		}
	}
}

// Lease returns a node's lease of an account.
func (s *State) Lease(k AccountKey, id NodeID) (LeaseView, bool) {
	a, ok := s.accounts.get(k)
	if !ok {
		return LeaseView{}, false
	}
	l := a.lease(id)
	if l == nil {
		return LeaseView{}, false
	}
	n, _ := s.nodes.get(id)
	return LeaseView{
		Node: id, Incarnation: n.incarnation, Granted: l.granted, Spent: l.spent,
		Overrun: l.overrun, Returned: l.returned, Rate: l.rate, Done: l.done, Earlier: l.earlierSpent,
	}, true
}

// Leases yields the leases of an account, by node.
func (s *State) Leases(k AccountKey) iter.Seq[LeaseView] {
	return func(yield func(LeaseView) bool) {
		a, ok := s.accounts.get(k)
		if !ok {
			return
		}
		for _, l := range a.leases {
			if v, _ := s.Lease(k, l.node); !yield(v) {
				return
			}
		}
	}
}

// Node returns one node.
func (s *State) Node(id NodeID) (NodeView, bool) {
	n, ok := s.nodes.get(id)
	if !ok {
		return NodeView{}, false
	}
	return n.view(), true
}

// Nodes yields every node that ever registered, by ID.
func (s *State) Nodes() iter.Seq[NodeView] {
	return func(yield func(NodeView) bool) {
		for _, n := range s.nodes.all() {
			if !yield(n.view()) {
				return
			}
		}
	}
}

func (n *node) view() NodeView {
	return NodeView{
		ID: n.id, Store: n.store, Incarnation: n.incarnation, MarkSeq: n.markSeq,
		Seq: n.seq, Leases: n.leases, Fenced: n.fenced,
	}
}

func (s *State) view(a *account) AccountView {
	v := a.totals()
	if r, ok := s.budgets.get(a.key.Budget); ok {
		v.State = s.stateOf(a, r)
	}
	return v
}

// totals is the view without the state, which depends on the budget and the time.
func (a *account) totals() AccountView {
	return AccountView{
		Key: a.key, Unit: a.unit, Limit: a.limit, Available: a.available, Outstanding: a.outstanding,
		Spent: a.spent, Presumed: a.presumed, WrittenOff: a.writtenOff, Withheld: a.withheld, Overrun: a.overrun,
		WindowEnd: a.end, Holders: a.open,
	}
}

// String names the account for people: budget, split, window start.
func (k AccountKey) String() string {
	return fmt.Sprintf("%s[%s]@%d", k.Budget, k.Split, k.Start)
}
