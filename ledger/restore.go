package ledger

// A restored backup knows nothing of what came after it: what was granted, spent
// or returned since, and by whom. The limit of an account bounds what can have
// been spent of it, and that is all there is to know. So Restore counts as spent
// whatever may have been: what was outstanding, what was available, and the
// limits of accounts of the same windows that the backup never saw. Windows that
// begin later are untouched.
//
// What is set aside so is written off, and shown as withheld. It comes back to
// its budget on an operator's word alone ([Release]).

// generationStride parts the incarnations of one generation from those of the
// next. A node of the lost time would have to start a million times to be taken
// for one of the time that began with a Restore.
const generationStride = 1 << 20

// maxGeneration leaves room for the incarnations of the last one.
const maxGeneration = 1<<12 - 2

// restore begins the next generation.
func (s *State) restore(generation uint32) Outcome {
	switch {
	case generation != s.generation+1:
		return Outcome{Code: StaleGeneration}
	case generation > maxGeneration:
		return Outcome{Code: LimitReached}
	}
	s.generation = generation
	var nodes []NodeID
	for id := range s.nodes.all() {
		nodes = append(nodes, id)
	}
	for _, id := range nodes {
		s.void(s.editNode(id))
	}
	var rules []BudgetID
	for id := range s.budgets.all() {
		rules = append(rules, id)
	}
	for _, id := range rules {
		s.editRule(id).blind = s.now + PreGrant
	}
	var keys []AccountKey
	for k := range s.accounts.all() {
		if r, _ := s.budgets.get(k.Budget); r.withholds(k.Start) {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		s.editAccount(k).withhold()
	}
	return Outcome{Code: Applied}
}

// void ends the node's leases and its incarnation: what it was granted and did in
// the lost time is not known, and what it says of that time is not heard.
func (s *State) void(n *node) {
	for _, k := range s.holdingsOf(n) {
		a := s.editAccount(k)
		before := a.writtenOff
		s.writeOff(a, n)
		a.withheld += a.writtenOff - before
	}
	n.incarnation = max(n.incarnation+1, s.generation*generationStride)
	n.seq, n.answer, n.done = 0, nil, 0
}

// release gives back what a Restore withheld of a budget.
func (s *State) release(id BudgetID) Outcome {
	r, ok := s.budgets.get(id)
	if !ok || r.deleted {
		return Outcome{Code: UnknownBudget}
	}
	if r.blind != 0 {
		s.editRule(id).blind = 0
	}
	for _, k := range s.accountsOf(id, func(a *account) bool { return a.withheld > 0 }) {
		s.editAccount(k).release()
	}
	s.ruled++
	return Outcome{Code: Applied}
}

// forgetBlind drops deleted budgets that were kept for the accounts they may have
// had in a time that is over by now.
func (s *State) forgetBlind() {
	var over []BudgetID
	for id, r := range s.budgets.all() {
		if r.deleted && r.accounts == 0 && !r.blindAt(s.now) {
			over = append(over, id)
		}
	}
	for _, id := range over {
		s.budgets.remove(s.epoch, id)
	}
}

// withholds reports whether nobody can say what is left of the accounts of a
// window that begins at start. Slots are free once those who held them
// have gone, and what is left of a soft budget decides nothing.
func (r *rule) withholds(start Instant) bool {
	return start <= r.blind && r.blind > 0 && r.budget.Unit != Slots && !r.budget.Soft
}

// blindAt reports whether a Restore still bears on windows that are not over.
func (r *rule) blindAt(now Instant) bool {
	if r.blind == 0 {
		return false
	}
	_, end := r.budget.Window.Bounds(r.blind)
	return end > now
}
