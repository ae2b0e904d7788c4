package ledger

import (
	"cmp"
	"math"
	"strings"
)

// State is the whole ledger. [State.Apply] is the only thing that changes it.
//
// Apply and Clone need exclusive use of the State. Reads may run concurrently
// with each other, and reads of a clone with Apply on the original.
type State struct {
	now        Instant
	generation uint32 // grows by one with each Restore
	epoch      *epoch
	limits     limits
	budgets    tree[BudgetID, *rule]
	nodes      tree[NodeID, *node]
	accounts   tree[AccountKey, *account]
	holdings   tree[holding, struct{}] // which accounts a node has a lease in
	expiry     tree[expiry, struct{}]  // which accounts may be dropped, and when
	dues       tree[due, struct{}]     // when rules have a raise or a cool-down that ends
	raises     int                     // of all rules
	ruled      uint64                  // see Rulings

	touched []*account // by the command being applied
	rows    []rowState // of the Exchange being applied; kept for its memory
}

// rule is a budget and what the ledger keeps about it. The Budget is immutable;
// the rest is owned.
type rule struct {
	owner    *epoch
	budget   *Budget
	deleted  bool // kept for as long as it has accounts
	beenSoft bool // spending without a grant is taken from it, see report
	accounts int
	// blind is the end of a time that the ledger does not know, 0 for none.
	// Accounts of windows that begin in it open with nothing available.
	blind Instant
	// raises are in force; by ID. The slice is immutable, as trips is.
	raises []Raise
	trips  []BreakerTrip // breakers that are not closed; by scope
	serial uint32        // of the last trip
	dueAt  Instant       // under which it is in State.dues; 0: it is not
}

// node is one node, by its ID, for all time.
type node struct {
	owner       *epoch
	id          NodeID
	store       StoreID
	incarnation uint32
	fenced      bool
	markSeq     uint64
	seq         uint64  // of the last Exchange of this incarnation; 0 before the first
	answer      *Answer // to it; immutable
	leases      int
	done        int // of those, how many are done
}

// account is one instance of a budget. Conservation (L1) holds for it between
// any two moves of money.go:
//
//	limit = available + outstanding + spent + writtenOff
type account struct {
	owner       *epoch
	key         AccountKey
	end         Instant // of the window; MaxInstant for none
	unit        Unit
	limit       Amount
	available   Amount // negative when overcommitted
	outstanding Amount // sum over leases of granted - spent - returned, >= 0
	spent       Amount
	writtenOff  Amount
	withheld    Amount // part of writtenOff that a Restore set aside
	presumed    Amount // part of spent that no record proves
	overrun     Amount // part of spent beyond the holds it was charged to
	rates       Amount // sum over leases of rate
	open        int    // leases that are not done
	short       Amount // asked for and not granted, until shortUntil
	shortUntil  Instant
	shortNode   NodeID // whose it all is; "" when several nodes'
	// forgot says that a lease which was done was not remembered, for want of
	// room. Records of the same incarnation may then tell of its spending as
	// well, and are not believed beyond the mark.
	forgot   bool
	leases   []*lease // by node
	touched  bool     // in State.touched
	expiring bool     // in State.expiry
}

// lease is what one node incarnation may spend of one account. Always:
// spent + returned <= granted, and the incarnation is the node's current one,
// for a Register closes the leases of the one before.
//
// A lease that is done has nothing outstanding, and its counters are zero. It
// is remembered for the incarnation's earlier spending, without which that
// would be counted twice when it shows up in the evidence of a later lease.
type lease struct {
	owner    *epoch
	node     NodeID
	granted  Amount
	forced   Amount // part of granted that followed spending instead of coming before it
	spent    Amount
	overrun  Amount // part of spent
	returned Amount
	rate     Amount
	done     bool

	earlierSpent   Amount // by leases of this incarnation that are done
	earlierOverrun Amount // part of earlierSpent
}

// outstanding is what the node may still spend or return.
func (l *lease) outstanding() Amount { return l.granted - l.spent - l.returned }

// holding says that a node has a lease in an account.
type holding struct {
	node    NodeID
	account AccountKey
}

// expiry says that an account has no open lease and may be dropped from `at` on.
type expiry struct {
	at      Instant
	account AccountKey
}

// New returns an empty ledger at instant 0.
func New() *State {
	return &State{
		epoch:    new(epoch),
		limits:   defaultLimits,
		budgets:  tree[BudgetID, *rule]{compare: cmp.Compare[BudgetID]},
		nodes:    tree[NodeID, *node]{compare: cmp.Compare[NodeID]},
		accounts: tree[AccountKey, *account]{compare: AccountKey.compare},
		holdings: tree[holding, struct{}]{compare: holding.compare},
		expiry:   tree[expiry, struct{}]{compare: expiry.compare},
		dues:     tree[due, struct{}]{compare: due.compare},
	}
}

// Clone returns a snapshot in constant time. Both go on as independent states;
// what they share is copied when one of them changes it.
func (s *State) Clone() *State {
	c := *s
	s.epoch, c.epoch = new(epoch), new(epoch)
	c.touched, c.rows = nil, nil
	return &c
}

// accountsOf returns the budget's accounts that pick accepts.
func (s *State) accountsOf(id BudgetID, pick func(*account) bool) (keys []AccountKey) {
	for k, a := range s.accounts.from(AccountKey{Budget: id, Start: math.MinInt64}) {
		if k.Budget != id {
			break
		}
		if pick(a) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (k AccountKey) compare(o AccountKey) int {
	if c := strings.Compare(string(k.Budget), string(o.Budget)); c != 0 {
		return c
	}
	if c := strings.Compare(string(k.Split), string(o.Split)); c != 0 {
		return c
	}
	return cmp.Compare(k.Start, o.Start)
}

func (h holding) compare(o holding) int {
	if c := strings.Compare(string(h.node), string(o.node)); c != 0 {
		return c
	}
	return h.account.compare(o.account)
}

func (e expiry) compare(o expiry) int {
	if c := cmp.Compare(e.at, o.at); c != 0 {
		return c
	}
	return e.account.compare(o.account)
}

// editRule returns the budget's rule for changing, or nil.
func (s *State) editRule(id BudgetID) *rule {
	at := s.budgets.edit(s.epoch, id)
	if at == nil {
		return nil
	}
	if (*at).owner != s.epoch {
		r := **at
		r.owner = s.epoch
		*at = &r
	}
	return *at
}

// editNode returns the node for changing, or nil.
func (s *State) editNode(id NodeID) *node {
	at := s.nodes.edit(s.epoch, id)
	if at == nil {
		return nil
	}
	if (*at).owner != s.epoch {
		n := **at
		n.owner = s.epoch
		*at = &n
	}
	return *at
}

// editAccount returns the account for changing, or nil. It will be checked at
// the end of the command.
func (s *State) editAccount(k AccountKey) *account {
	at := s.accounts.edit(s.epoch, k)
	if at == nil {
		return nil
	}
	return s.own(at)
}

// own returns the account at a place that may be changed, for changing.
func (s *State) own(at **account) *account {
	if (*at).owner != s.epoch {
		a := **at
		a.owner = s.epoch
		a.leases = append(make([]*lease, 0, len(a.leases)+1), a.leases...)
		*at = &a
	}
	a := *at
	if !a.touched {
		a.touched = true
		s.touched = append(s.touched, a)
	}
	return a
}

// find returns where the node's lease is in a.leases, or belongs.
func (a *account) find(id NodeID) (int, bool) {
	low, high := 0, len(a.leases)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if a.leases[mid].node < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(a.leases) && a.leases[low].node == id
}

// lease returns the node's lease, or nil.
func (a *account) lease(id NodeID) *lease {
	if i, ok := a.find(id); ok {
		return a.leases[i]
	}
	return nil
}

// editLease returns the node's lease for changing, or nil. The account must be
// one that editAccount returned.
func (s *State) editLease(a *account, id NodeID) *lease {
	i, ok := a.find(id)
	if !ok {
		return nil
	}
	if a.leases[i].owner != s.epoch {
		l := *a.leases[i]
		l.owner = s.epoch
		a.leases[i] = &l
	}
	return a.leases[i]
}
