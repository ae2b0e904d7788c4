package main

// The packages, and the tests that most mutants are given to.
const (
	purse    = "./internal/purse"
	ledger   = "./ledger"
	raftfsm  = "./raftfsm"
	node     = "./node"
	cluster  = "./cluster"
	sim      = "./jepsen-style-tests/sim"
	explore  = "./jepsen-style-tests/explore"
	proxied  = "./proxy"
	jepsen   = "./jepsen-style-tests/cluster"
	alerting = "./internal/alerting"
	simulate = "TestSimulation"
	random   = "TestRandomFaults"
	rounds   = "-seed 1 -runs 4 -time 6s"
	few      = "-first 1 -seeds 200 -steps 1500"
	quiet    = "-rapid.nofailfile" // a mutant's counterexample is nobody's regression
)

// table is the known bugs.
var table = []mutant{
	// The purse.
	{"allowance is used before the mark is durable (high-water mark after use)",
		"internal/purse/marks.go", "amt = min(amt, a.mark-a.issued-ledger.Amount(a.unbacked.Load()))", "amt = min(amt, ledger.MaxAmount)", sim, simulate, few},
	{"a mark is believed before its save has returned",
		"internal/purse/marks.go", "a.mark = min(a.mark, goal)", "a.mark = goal", sim, simulate, few},
	{"check, then take (the race of LiteLLM #34732)",
		"internal/purse/account.go", "if a.free.CompareAndSwap(free, free-int64(amt)) {\n			if free-int64(amt) < a.wake.Load() {", "if func() bool {\n			for range 100 {\n				a.wake.Load() // the window, wide enough for two cores\n			}\n			a.free.Add(-int64(amt))\n			return true\n		}() {\n			if free-int64(amt) < a.wake.Load() {", purse, "TestNoMoreIsTaken", ""},
	{"a failed chain keeps the levels it took (leaked reservation, LiteLLM #27639)",
		"internal/purse/hold.go", "		l.a.giveBack(l.held, l.loose)\n		l.a = nil\n	}\n}\n\nfunc (l *leg)", "		l.a = nil\n	}\n}\n\nfunc (l *leg)", sim, simulate, few},
	{"a hold is given back twice",
		"internal/purse/account.go", "		a.free.Add(int64(backed - actual))", "		a.free.Add(int64(backed))", sim, simulate, few},
	{"a released hold stays held",
		"internal/purse/account.go", "		a.free.Add(int64(held))\n	}\n	if a.watched", "		a.free.Add(int64(held) / 2)\n	}\n	if a.watched", sim, simulate, few},
	{"spending beyond the hold is forgotten",
		"internal/purse/account.go", "			a.unbacked.Add(int64(actual - backed - got))", "			a.unbacked.Add(0)", sim, simulate, few},
	{"an answer to another question is taken",
		"internal/purse/exchange.go", "ans.Seq != x.msg.Seq || ans.Incarnation != c.incarnation || ans.Node != c.cfg.Node", "ans.Node != c.cfg.Node", purse, "", ""},
	{"a grant is added again when the answer is repeated (CockroachDB's re-grant)",
		"internal/purse/exchange.go", "gained := max(0, got.Granted-a.granted)", "gained := max(0, got.Granted)", sim, simulate, few},
	{"idle allowance is returned and kept",
		"internal/purse/lifecycle.go", "	a.issued -= got\n	a.returned += got", "	a.returned += got", sim, simulate, few},
	{"a request is refused without the ledger's word",
		"internal/purse/parked.go", "		case w.contended != nil:\n			c.refuse(w, Contended, w.contended, now)\n		default:\n			c.fail(w, ErrUndecided)", "		default:\n			c.refuse(w, Contended, w.accounts[0], now)", purse, "", ""},
	{"the node goes on admitting without authority",
		"internal/purse/core.go", "c.authority = now.Mono-c.heard <= int64(c.cfg.AuthorityTTL)", "c.authority = true", purse, "", ""},
	{"a failed save of the marks is ignored",
		"internal/purse/loops.go", "			if err != nil {\n				// What the disk", "			if false {\n				// What the disk", purse, "TestMarkFailure", ""},
	{"an overrun is reported before its mark is durable",
		"internal/purse/exchange.go", "if !done && !a.covers() {", "if false && !a.covers() {", purse, "TestOverrun", ""},
	{"the sequence of the marks does not grow at a start (rolled-back disk unnoticed)",
		"internal/purse/enrol.go", "seq = max(r.MarkSeq+1, uint64(incarnation)<<incarnationShift)", "seq = r.MarkSeq", purse, "", ""},

	{"a lease is given back after its window or an idle while, a hold or not (reclaim by TTL, at the holder)",
		"internal/purse/exchange.go", "	done := a.closing && a.unused()", "	done := a.closing", explore, "TestExploration/windows", ""},
	{"marks are lowered in memory after they are on disk",
		"internal/purse/marks.go", "	a.mark = min(a.mark, goal)\n", "", sim, simulate, few},
	{"a slice that was joined to a hold is forgotten",
		"internal/purse/join.go", "		o.legs[i].held += l.held\n", "", sim, simulate, few},
	{"a call is charged in full in every window it was held in",
		"internal/purse/hold.go", "		actual = actual.minus(within)\n", "", sim, simulate, few},
	{"a hold that was joined to another can still be given back",
		"internal/purse/join.go", "	more.end(\"Join\")\n", "", purse, "TestJoined", ""},

	// The ledger.
	{"settling by deltas: spent is added, not merged",
		"ledger/exchange.go", "spent, returned, overrun := max(l.spent, r.Spent)", "spent, returned, overrun := l.spent + r.Spent", ledger, "", quiet},
	{"an Exchange is applied again when it is repeated (no memory of the last answer)",
		"ledger/exchange.go", "case x.Seq == known.seq:\n		return Outcome{Code: Repeated, Answer: known.answer}\n	case x.Seq < known.seq:", "case x.Seq < known.seq:", ledger, "", quiet},
	{"an Exchange of the past is applied",
		"ledger/exchange.go", "case x.Seq < known.seq:\n		return Outcome{Code: StaleSeq}\n", "", ledger, "", quiet},
	{"a message of an earlier incarnation is applied",
		"ledger/exchange.go", "case x.Incarnation != known.incarnation:", "case false:", ledger, "", quiet},
	{"a grant does not leave available",
		"ledger/money.go", "	a.available -= g\n", "", ledger, "", quiet},
	{"a grant may exceed available",
		"ledger/grant.go", "return row.pending <= row.account.room(granted) && (row.soft || row.pending <= row.account.available)", "return row.pending <= row.account.room(granted)", ledger, "", quiet},
	{"a fence gives back what the dead node held (reclaim without proof)",
		"ledger/register.go", "	a.close(l, restWrittenOff)\n	s.dropLease(a, n)\n", "	a.close(l, restReturned)\n	s.dropLease(a, n)\n", ledger, "", quiet},
	{"a restart gives back everything (evidence ignored)",
		"ledger/register.go", "spent = max(spent, min(mark, reach))", "spent = max(spent, 0)", ledger, "", quiet},
	{"a rolled-back disk is believed",
		"ledger/register.go", "r.MarkSeq < n.markSeq)", "false)", ledger, "", quiet},
	{"another data directory takes over a node's leases",
		"ledger/register.go", "case r.Store != known.store:", "case false:", ledger, "", quiet},
	{"a window is reset in place: a new window has the account of the old",
		"ledger/account.go", "case start != k.Start:\n		return 0, NoAccount\n", "", ledger, "", quiet},
	{"an ended window takes grants",
		"ledger/account.go", "case a.end <= s.now:\n		return Ended", "case false:\n		return Ended", ledger, "", quiet},
	{"time runs backwards",
		"ledger/apply.go", "s.now = max(s.now, now)", "s.now = now", ledger, "", quiet},
	{"a changed limit does not move available",
		"ledger/money.go", "	a.available += limit - a.limit\n", "", ledger, "", quiet},
	{"a snapshot shares what is changed later",
		"ledger/state.go", "	if a.leases[i].owner != s.epoch {", "	if false {", ledger, "", quiet},
	{"a need is granted in part",
		"ledger/grant.go", "	if out.Verdict == NeedGranted {\n		return s.judgeLeases(n, claims, rows)\n	}\n	return out", "	out.Verdict = NeedGranted\n	return out", ledger, "", quiet},

	{"leases end with their window (reclaim by TTL, in the ledger)",
		"ledger/exchange.go", "	if r.Done {", "	if r.Done || row.state == Ended {", explore, "TestExploration/windows", ""},
	{"a Register that arrives late is applied",
		"ledger/register.go", "case r.Previous != known.incarnation:", "case r.Previous > known.incarnation:", explore, "TestExploration/crashes", ""},
	{"what was returned before a crash is given back again (refund twice)",
		"ledger/register.go", "spent = max(spent, min(mark, reach))", "spent = max(spent, min(mark, reach)-l.returned)", explore, "TestExploration/idleness", ""},
	{"an Exchange that is repeated, or before the last one, is applied once more (no dedupe at all)",
		"ledger/exchange.go", "	case x.Seq == known.seq:\n		return Outcome{Code: Repeated, Answer: known.answer}\n	case x.Seq < known.seq:\n		return Outcome{Code: StaleSeq}\n", "", explore, "TestExploration/crashes", ""},

	// A restored backup.
	{"a restored ledger grants what may be spent",
		"ledger/restore.go", "; r.withholds(k.Start) {", "; r.withholds(k.Start) && false {", ledger, "Scenario|Twin", quiet},
	{"a limit that is raised after a restore is granted",
		"ledger/apply.go", "		if rule.withholds(k.Start) {", "		if rule.withholds(k.Start) && false {", ledger, "Twin", quiet},
	{"a restored ledger opens accounts that it never saw in full",
		"ledger/account.go", "	if r.withholds(k.Start) {", "	if false {", ledger, "Scenario|Twin", quiet},
	{"a restored ledger goes on with the old incarnations",
		"ledger/restore.go", "	n.incarnation = max(n.incarnation+1, s.generation*generationStride)\n", "", ledger, "Scenario|Twin", quiet},
	{"to delete a budget releases what was withheld",
		"ledger/apply.go", "r.accounts == 0 && !r.blindAt(s.now)", "r.accounts == 0", ledger, "Twin", quiet},

	// Raises and breakers.
	{"a raise does not end by itself",
		"ledger/raise.go", "if !ok || d.at > s.now {", "if !ok || d.at > s.now || true {", ledger, "Scenario|Twin", quiet},
	{"a raise that ends leaves the limits as they were",
		"ledger/raise.go", "	s.relimit(r, false)\n", "", ledger, "Scenario|Twin", quiet},
	{"when a raise ends, what is out beyond the limit is forgotten (available is not below zero)",
		"ledger/money.go", "	a.available += limit - a.limit\n", "	a.available = max(0, a.available+limit-a.limit)\n", sim, simulate, few},
	{"the raise of one account is every account's",
		"ledger/raise.go", "x.All || x.Split == split {", "x.All || x.Split == split || true {", sim, simulate, few},
	{"a window that begins while a limit is raised has the old one",
		"ledger/account.go", "limit: r.limitOf(k.Split),", "limit: r.budget.Limit,", explore, "TestExploration/raises", ""},
	{"a deleted budget keeps its raises",
		"ledger/apply.go", "		s.setRaises(r, nil)\n", "", ledger, "Scenario|Twin", quiet},
	{"a budget is changed whatever it has become (lost update)",
		"ledger/apply.go", "ok && was.Version() != expect || ", "ok && was.Version() != expect && false || ", ledger, "Version", quiet},
	{"the report of an old probe closes a breaker that was tripped again",
		"ledger/breaker.go", " || r.trips[i].Serial != c.Serial {", " {", ledger, "Scenario", quiet},
	{"a half-open breaker lets everything through",
		"node/breakers.go", "	if b.probing[c] {\n		return false\n	}\n", "", node, "TestProbes", ""},
	{"an error that is tried again counts as a repetition",
		"proxy/loop/guard.go", "if answer {", "if answer || cost > 0 {", "./proxy/loop", "TestTheSameRequest", ""},

	// The log.
	{"a lost leadership reads as a refusal (ambiguity is refusal)",
		"raftfsm/proposer.go", "[]error{raft.ErrNotLeader, ", "[]error{raft.ErrLeadershipLost, raft.ErrNotLeader, ", raftfsm, "", ""},
	{"a stamp follows any jump of the clock",
		"raftfsm/stamp.go", "if step > s.credit {", "if false {", raftfsm, "", ""},
	{"an entry is applied twice",
		"raftfsm/fsm.go", "if log.Index <= f.index {", "if false {", raftfsm, "", ""},
	{"an entry that cannot be read is skipped",
		"raftfsm/entry.go", "if stored, sum := binary.BigEndian.Uint32(b[crcOffset:]), entrySum(b); stored != sum {", "if stored, sum := binary.BigEndian.Uint32(b[crcOffset:]), entrySum(b); false && stored != sum {", raftfsm, "", ""},
	{"a batch loses its last command",
		"raftfsm/proposer.go", "	batch := slices.Clone(p.queue[:n])", "	batch := slices.Clone(p.queue[:min(n, 1)])", raftfsm, "TestCallersShare|TestConcurrent", ""},

	// Raft.
	{"heartbeats take the library's fast path (hashicorp/raft #695)",
		"cluster/transport.go", "func (serialTransport) SetHeartbeatHandler(func(raft.RPC)) {}", "func (t serialTransport) SetHeartbeatHandler(f func(raft.RPC)) { t.NetworkTransport.SetHeartbeatHandler(f) }", cluster, "TestHeartbeats|TestALeaderStamps", ""},
	{"a vote is two writes (hashicorp/raft #661)",
		"cluster/vote.go", "	v.term, v.waiting = val, true\n	return nil", "	v.term, v.waiting = val, true\n	return v.StableStore.Set([]byte(keyVote), append(binary.BigEndian.AppendUint64(nil, v.term), 'x'))", cluster, "Vote", ""},
	{"a leader goes on with a disk that hangs (hashicorp/raft #503)",
		"cluster/guard.go", "g.end(fmt.Errorf(\"%s took longer than", "_ = (fmt.Errorf(\"%s took longer than", cluster, "TestEveryOperation", ""},
	{"a lost log is replaced by an empty one",
		"cluster/node.go", "	case as == full && !present:", "	case false:", cluster, "Lost|Joiner", ""},
	{"a follower keeps a log that contradicts its snapshot (hashicorp/raft #697)",
		"cluster/node.go", "replacingSnapshots{snaps, g, c.Exit}", "snaps", cluster, "TestAFollowerWhoseLog", ""},
	{"a replica that differs goes on",
		"raftfsm/checkpoint.go", "if claim.Digest == a.own.Digest || a.broken != nil {", "if true {", raftfsm, "Checkpoint", ""},
	{"a plan takes the quorum away",
		"cluster/plan.go", "return alive > 0 && alive >= rest/2+1", "return true", cluster, "Plan", quiet},

	// The request path.
	{"a bill beyond the bound teaches nothing",
		"proxy/dispatch.go", "if !covers(0, x.attempt.claim, actual) && !x.partly() {", "if false {", proxied, "TestAnUpstreamThatBills", ""},

	// Several nodes at once.
	{"marks are acknowledged before they are synced",
		"node/marks.go", "s.store.Apply(b, store.Synced)", "s.store.Apply(b, store.Buffered)", jepsen, "TestWhatIsHeld", ""},
	{"usage records are acknowledged before they are synced",
		"internal/usage/committer.go", "j.store.Apply(g.batch, store.Synced)", "j.store.Apply(g.batch, store.Buffered)", jepsen, random, rounds},
	{"an Exchange of unknown outcome is sent again under a new number",
		"internal/purse/loops.go", "		if !pause(p.ctx, wait) {\n			return\n		}\n	}\n}", "		if !pause(p.ctx, wait) {\n			return\n		}\n		p.mu.Lock()\n		again := *x.msg\n		p.core.seq++\n		again.Seq = p.core.seq\n		x.msg = &again\n		p.mu.Unlock()\n	}\n}", jepsen, "TestALostAnswer", ""},
	{"a follower reads before it has applied what the leader has",
		"cluster/reads.go", "	if n.Applied(index) {\n		return nil", "	if true {\n		return nil", jepsen, random, rounds},
	{"what is applied depends on the node that applies it",
		"raftfsm/fsm.go", "out := f.ledger.Apply(stamp, c)", "out := f.ledger.Apply(stamp+ledger.Instant(len(f.watchers)), c)", jepsen, random, rounds},
	{"a restart gives back what was spent since the last report",
		"ledger/register.go", "spent = max(spent, min(mark, reach))", "spent = max(spent, 0)", jepsen, random, rounds},
	{"a minority node goes on without authority",
		"internal/purse/core.go", "c.authority = now.Mono-c.heard <= int64(c.cfg.AuthorityTTL)", "c.authority = true", jepsen, "TestAMinority", ""},
	{"a minority node refuses what it cannot decide",
		"internal/purse/parked.go", "		default:\n			c.fail(w, ErrUndecided)", "		default:\n			c.refuse(w, Exhausted, w.accounts[0], now)", jepsen, "TestAMinority", ""},
	{"a fence gives back what an unreachable holder may be spending",
		"ledger/register.go", "	a.close(l, restWrittenOff)\n	s.dropLease(a, n)\n", "	a.close(l, restReturned)\n	s.dropLease(a, n)\n", jepsen, "TestAFence", ""},
	{"a changed limit is not told to the purses",
		"raftfsm/fsm.go", "			f.changes.Budgets++\n			f.wakeLocked()\n		}\n	}\n	if", "		}\n	}\n	if", jepsen, "TestALowered", ""},
	{"a request is refused for good while others hold idle money",
		"ledger/grant.go", "row.pending > row.account.available+row.account.outstanding", "row.pending > row.account.available", jepsen, random, rounds},
	{"a grant is added again with each answer",
		"internal/purse/exchange.go", "gained := max(0, got.Granted-a.granted)", "gained := max(0, got.Granted)", jepsen, random, rounds},
	{"a leader reads without asking a quorum whether it leads",
		"cluster/reads.go", "if err := n.await(n.raft.VerifyLeader); err != nil {", "if err := error(nil); err != nil {", jepsen, "TestADeposed", ""},

	// Alerts.
	{"every node that thinks it leads sends",
		"internal/alerting/dispatcher.go", "	if err != nil || !r.Leads() {\n		return res", "	if false && err != nil {\n		return res", alerting, "TestALeaderThatNoQuorum", ""},
	{"an alert is closed before its deliveries are noted",
		"internal/alert/queue.go", "wanted = wanted || !over(w.ID, a.Seq)", "_ = over", alerting, "TestEveryEvent", ""},
	{"a slow receiver holds up the others",
		"internal/alerting/dispatcher.go", "		r.working.Go(func() {\n			res := r.attempt(w, seq)", "		func(f func()) { f() }(func() {\n			res := r.attempt(w, seq)", alerting, "TestASlowReceiver", ""},
	{"a level is told at every look",
		"internal/directory/alert.go", "r.Rank > 0 && known && marks[at].Rank >= r.Rank, ", "", "./internal/directory", "TestAConditionIsToldOnce", ""},
	{"an address is looked at before its name is resolved, and not after",
		"internal/alerting/sender.go", ", Control: guard(allowPrivate)}", "}", alerting, "TestOnlyPublic", ""},
	{"a signature of any age is taken",
		"internal/alert/sign.go", "off > tolerance || off < -tolerance", "off < -tolerance", "./internal/alert", "TestForged", ""},
}
