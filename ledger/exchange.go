package ledger

// rowState is one row of the Exchange being applied.
type rowState struct {
	account *account // nil: see state
	lease   *lease   // nil until something is granted
	state   AccountState
	rate    Amount // as reported
	before  Amount // available when the reports of all rows were in
	pending Amount // claims of the need under consideration
	needed  Amount // granted to needs
	missed  Amount // asked for by needs and not granted
	granted Amount // what the answer says of a lease that is done
	claimed bool   // some need claims it
	soft    bool   // grants are not limited by what is available
}

// exchange applies a node's report and answers what it asks for. Reports come
// first, all of them, so that what one row returns another may be granted; then
// the needs in their order; then what is asked for ahead of need.
func (s *State) exchange(x *Exchange) Outcome {
	if !x.valid() {
		return Outcome{Code: InvalidCommand}
	}
	known, ok := s.nodes.get(x.Node)
	switch {
	case !ok:
		return Outcome{Code: UnknownNode}
	case known.fenced:
		return Outcome{Code: FencedNode}
	case x.Incarnation != known.incarnation:
		return Outcome{Code: StaleIncarnation, Incarnation: known.incarnation}
	case x.Seq == known.seq:
		return Outcome{Code: Repeated, Answer: known.answer}
	case x.Seq < known.seq:
		return Outcome{Code: StaleSeq}
	}
	n := s.editNode(x.Node)
	n.seq = x.Seq
	n.markSeq = max(n.markSeq, x.MarkSeq)
	n.answer = s.answer(n, x)
	return Outcome{Code: Applied, Answer: n.answer}
}

func (s *State) answer(n *node, x *Exchange) *Answer {
	rows := s.rows[:0]
	for range x.Rows {
		rows = append(rows, rowState{})
	}
	for i := range x.Needs {
		for _, c := range x.Needs[i].Claims {
			rows[c.Row].claimed = true
		}
	}
	for i := range rows {
		s.report(n, &x.Rows[i], &rows[i])
	}
	for i := range rows {
		if a := rows[i].account; a != nil {
			rows[i].before = a.available
		}
	}
	out := &Answer{Node: x.Node, Incarnation: x.Incarnation, Seq: x.Seq}
	if len(x.Needs) > 0 {
		out.Needs = make([]NeedResult, len(x.Needs))
		for i := range x.Needs {
			out.Needs[i] = s.need(n, x.Needs[i].Claims, rows)
		}
	}
	if len(x.Rows) > 0 {
		out.Rows = make([]AnswerRow, len(x.Rows))
		for i := range rows {
			s.ahead(n, &x.Rows[i], &rows[i])
		}
		for i := range rows {
			out.Rows[i] = s.answerRow(n, &x.Rows[i], &rows[i])
		}
	}
	clear(rows)
	s.rows = rows[:0]
	return out
}

// report merges what a row says into its account and lease.
func (s *State) report(n *node, r *Row, row *rowState) {
	row.rate = min(r.Rate, maxRate)
	if !r.asks() && !row.claimed {
		// A row that asks for nothing makes no account.
		if _, ok := s.accounts.get(r.Account); !ok {
			row.state = s.absent(r.Account)
			return
		}
	}
	a, rule, state := s.openAccount(r.Account)
	row.account, row.state = a, state
	if a == nil {
		if r.Spent > 0 && rule != nil && !rule.deleted {
			row.state = Unbacked // not applied; where the budget is gone, it need not be
		}
		return
	}
	row.soft = rule.budget.Soft
	row.lease = s.editLease(a, n.id)
	if !s.merge(n, rule, r, row) {
		row.state = Unbacked
		return
	}
	l := row.lease
	if l == nil {
		return
	}
	row.granted = l.granted
	if !l.done {
		a.setRate(l, row.rate)
	}
	if r.Done {
		s.endLease(a, n, l)
		row.lease = nil
	}
}

// merge takes over the counters of a row, by max (L3). It reports false when
// they claim more than was granted, and then changes nothing.
//
// Spending within holds was granted before it was held; a hard budget accepts
// no other, and no return of what was not granted. Only overrun may pass the
// grants: it is taken from the budget at once. A budget that is or was soft
// accepts spending that was never granted, for its holds were not either.
func (s *State) merge(n *node, rule *rule, r *Row, row *rowState) bool {
	a, l := row.account, row.lease
	if l == nil {
		l = &lease{}
	}
	spent, returned, overrun := max(l.spent, r.Spent), max(l.returned, r.Returned), max(l.overrun, r.Overrun)
	missing := max(0, spent+returned-l.granted)
	switch {
	case a.unit == Slots && spent > 0:
		return false // a slot comes back, it is never spent
	case missing == 0: // nothing to force
	case rule.beenSoft && returned <= l.granted-l.forced:
	case missing <= overrun-l.forced:
	default:
		return false
	}
	if missing > 0 {
		if missing > a.room(l.granted) {
			return false
		}
		if row.lease == nil {
			if !s.leaseRoom(n, 1) {
				return false
			}
			row.lease = s.openLease(a, n)
		}
		l = row.lease
		n.reopen(l)
		a.force(l, missing)
	}
	a.settle(l, spent-l.spent)
	a.giveBack(l, returned-l.returned)
	s.noteOverrun(rule, a, overrun-l.overrun)
	a.overrun += overrun - l.overrun
	l.overrun = overrun
	return true
}

// absent says why there is no account of k, or that it may be opened.
func (s *State) absent(k AccountKey) AccountState {
	r, ok := s.budgets.get(k.Budget)
	if !ok {
		return NoAccount
	}
	_, state := s.mayOpen(k, r)
	return state
}

// answerRow says how the account stands after the Exchange.
func (s *State) answerRow(n *node, r *Row, row *rowState) AnswerRow {
	out := AnswerRow{State: row.state, Granted: row.granted, Recall: s.recall(n, row)}
	if row.lease != nil {
		out.Granted = row.lease.granted
	}
	if row.state != Open {
		return out
	}
	rule, _ := s.budgets.get(r.Account.Budget)
	switch {
	case rule.budget.Soft:
		out.Ceiling = MaxAmount
	case row.account == nil && rule.withholds(r.Account.Start):
		// Nothing can be had of it until it is released.
	case row.account == nil:
		out.Ceiling = rule.limitOf(r.Account.Split)
	default:
		out.Ceiling = max(0, row.account.available+row.account.outstanding)
	}
	return out
}

// asks reports whether the row wants an account to be there.
func (r *Row) asks() bool { return r.Want > 0 || r.Spent > 0 }

// valid reports whether the command makes sense, whatever the state.
func (x *Exchange) valid() bool {
	if x.Seq == 0 || len(x.Rows) > MaxRows || len(x.Needs) > MaxNeeds || namedTwice(x.Rows) {
		return false
	}
	for i := range x.Rows {
		if !x.Rows[i].valid() {
			return false
		}
	}
	for i := range x.Needs {
		claims := x.Needs[i].Claims
		if len(claims) > MaxClaims {
			return false
		}
		for _, c := range claims {
			if c.Row < 0 || c.Row >= len(x.Rows) || x.Rows[c.Row].Done || !c.Missing.valid() {
				return false
			}
		}
	}
	return true
}

func (r *Row) valid() bool {
	return r.Spent.valid() && r.Overrun.valid() && r.Returned.valid() && r.Want.valid() && r.Rate.valid() &&
		r.Overrun <= r.Spent && !(r.Done && r.Want > 0)
}

// valid reports whether a is a quantity: within 0 to MaxAmount.
func (a Amount) valid() bool { return a >= 0 && a <= MaxAmount }

// namedTwice reports whether two rows name the same account. Which of them to
// believe, and what to grant to which, has no answer.
func namedTwice(rows []Row) bool {
	const few = 16 // comparing all pairs is faster than a map and allocates nothing
	if len(rows) <= few {
		for i := range rows {
			for j := range i {
				if rows[i].Account == rows[j].Account {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[AccountKey]struct{}, len(rows))
	for i := range rows {
		seen[rows[i].Account] = struct{}{}
	}
	return len(seen) < len(rows)
}
