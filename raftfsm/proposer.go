package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// Log appends an entry to the replicated log and returns what the state machine
// returned for it. The timeout bounds the wait for the entry's turn. Errors wrap
// those of hashicorp/raft.
type Log interface {
	Apply(entry []byte, timeout time.Duration) (any, error)
}

// Route leads to the leader, when that is another node.
type Route interface {
	// Leading says whether this node leads, as far as it knows.
	Leading() bool
	// Forward has the leader carry out a command ([Proposer.Carry], over there).
	// An error wraps [ErrAmbiguous] or [ErrNotProposed].
	Forward(ctx context.Context, room Room, command []byte) (outcome []byte, err error)
}

// Errors of a proposal. Every error is one of the two.
var (
	// ErrAmbiguous leaves open whether the command was or will be applied. The
	// caller repeats the same command, under the same sequence number if it has one.
	ErrAmbiguous = errors.New("outcome unknown")
	// ErrNotProposed is a command that was not applied and never will be.
	ErrNotProposed = errors.New("not proposed")
)

const (
	// maxInFlight bounds the proposals under way.
	maxInFlight = 1024
	// maxFlights bounds the entries under way: while one is synced, the next can
	// be on its way, and what comes meanwhile gathers for the one after.
	maxFlights = 2
	// gather is how long the first command waits for others before its entry goes,
	// and spacing the least time between two entries, where there are other nodes:
	// they report at the same times (package purse), and when a budget ends they
	// all ask again and again.
	gather  = 2 * time.Millisecond
	spacing = 10 * time.Millisecond
	// maxBatch and maxBatchBytes bound one entry of several commands, and with it
	// how long applying it keeps readers waiting.
	maxBatch      = 256
	maxBatchBytes = 256 << 10
	// enqueueWait bounds the wait for Raft to take an entry, which is one sync of
	// the disk away.
	enqueueWait = 5 * time.Second
	// leaderPoll is how soon a proposal that found no leader looks again.
	leaderPoll = 20 * time.Millisecond
)

// Proposer puts commands into the log, stamped with ledger time. Commands that
// come while an entry is on its way share the next one, so that the number of
// entries follows the disk's pace and not that of the callers.
type Proposer struct {
	log     Log
	fsm     *FSM
	route   Route // nil: this node is alone
	stamper stamper
	slots   chan struct{}

	// Contended, if set before the first proposal, is told the accounts in which
	// a request waits for what other nodes may have idle, when that was decided
	// here. It must not wait.
	Contended func(node ledger.NodeID, accounts []ledger.AccountKey)

	// Readable, if set before the first proposal, reports whether every replica can
	// read commands of a level. Those that not all can read are not proposed here.
	Readable func(level uint32) bool

	// Fit, if set before the first proposal, says whether this node, leading, may
	// stamp entries: a clock that is wrong by hours would move ledger time for good.
	// It may wait for a moment. Meanwhile proposals go nowhere.
	Fit func() bool

	// Node, if set before the first proposal, is this node: the audit trail names it
	// where an administrative command comes without facts. "" keeps such commands out
	// of the trail.
	Node ledger.NodeID

	// Unaudited, if set before the first proposal, is told the facts of a change that
	// was carried out and is not in the audit trail (witness.go). It must not wait.
	Unaudited func(audit.Facts)

	mu      sync.Mutex
	closed  bool
	queue   []*proposal
	flights int
	sent    time.Time // when the last entry went
	working sync.WaitGroup
}

// proposal is one command on its way into the log.
type proposal struct {
	message
	done chan result // takes one
}

type result struct {
	outcome any
	err     error
}

// NewProposer returns a proposer for the log whose entries end up in fsm. route
// is nil for a node that is alone.
func NewProposer(log Log, fsm *FSM, clock Clock, route Route) *Proposer {
	return &Proposer{log: log, fsm: fsm, route: route, stamper: stamper{clock: clock}, slots: make(chan struct{}, maxInFlight)}
}

// Propose has a command carried out by the ledger, on whichever node leads, and
// returns what it did. While no node leads it waits for one until ctx ends. An
// error wraps [ErrAmbiguous] or [ErrNotProposed], and its cause.
//
// The command is not kept, and may be changed when Propose has returned.
func (p *Proposer) Propose(ctx context.Context, c ledger.Command) (ledger.Outcome, error) {
	return propose(ctx, p, ledgerMessage(c), ledger.DecodeOutcome)
}

// ProposeDirectory is [Proposer.Propose] for the directory.
func (p *Proposer) ProposeDirectory(ctx context.Context, c directory.Command) (directory.Outcome, error) {
	return propose(ctx, p, directoryMessage(c), directory.DecodeOutcome)
}

func propose[T any](ctx context.Context, p *Proposer, m message, decode func([]byte) (T, error)) (T, error) {
	for {
		out, err := proposeOnce(ctx, p, m, decode)
		if p.route == nil || !errors.Is(err, ErrNoLeader) {
			return out, err
		}
		t := time.NewTimer(leaderPoll)
		select {
		case <-ctx.Done():
			t.Stop()
			return out, err
		case <-t.C:
		}
	}
}

func proposeOnce[T any](ctx context.Context, p *Proposer, m message, decode func([]byte) (T, error)) (T, error) {
	var zero T
	if p.route != nil && !p.route.Leading() {
		b, err := p.route.Forward(ctx, m.room, m.body)
		inner, facts, unread := p.alone(m, err)
		if unread {
			b, err = p.route.Forward(ctx, inner.room, inner.body)
		}
		if err != nil {
			return zero, err
		}
		out, err := decode(b)
		if err != nil {
			return zero, fmt.Errorf("%w: the leader's answer: %w", ErrAmbiguous, err)
		}
		if unread {
			p.unaudited(facts, out)
		}
		return out, nil
	}
	response, err := p.here(ctx, p.Node, m)
	if err != nil {
		return zero, err
	}
	out, ok := response.(T)
	if !ok {
		panic(fmt.Sprintf("raftfsm: the log returned %T for a command that yields %T", response, zero))
	}
	return out, nil
}

// ErrNoLeader is a proposal that no node could take; the next moment may be
// better. It comes with [ErrNotProposed].
var ErrNoLeader = errors.New("no node leads")

// ErrNotReadable is a command of a later build than some replica's: its entry would
// stop that replica. It comes with [ErrNotProposed].
var ErrNotReadable = errors.New("not every member has said that it can read such a command: a member is of an earlier build, or has not answered the leader yet; upgrade all members first")

// NoLeader is the error of a [Route] that knows no leader: the proposal waits
// for one.
func NoLeader(reason string) error {
	return fmt.Errorf("%w: %w: %s", ErrNotProposed, ErrNoLeader, reason)
}

// Carry carries out a command that the node from forwarded, if this node leads, and
// returns its outcome encoded. Errors are those of [Proposer.Propose]. A
// command that this build does not know is refused: in the log it would stop
// every node of this build.
func (p *Proposer) Carry(ctx context.Context, from ledger.NodeID, room Room, body []byte) (outcome []byte, err error) {
	m := message{room, body}
	if _, err := m.decode(); err != nil {
		return nil, fmt.Errorf("%w: the leader cannot read the command; upgrade it first: %w", ErrNotProposed, err)
	}
	if p.Node == "" {
		from = ""
	}
	response, err := p.here(ctx, from, m)
	if err != nil {
		return nil, err
	}
	switch out := response.(type) {
	case ledger.Outcome:
		return ledger.AppendOutcome(nil, out), nil
	case directory.Outcome:
		return directory.AppendOutcome(nil, out), nil
	case audit.Outcome:
		return audit.AppendOutcome(nil, out), nil
	default:
		panic(fmt.Sprintf("raftfsm: the log returned %T", response))
	}
}

// here puts a command of a node into this node's log, with the facts that it needs,
// and waits for its outcome, but no longer than ctx.
func (p *Proposer) here(ctx context.Context, from ledger.NodeID, m message) (any, error) {
	m, late := p.witnessed(from, m)
	outcome, err := p.put(ctx, m)
	if err == nil && late != nil {
		p.unaudited(*late, outcome)
	}
	return outcome, err
}

// put puts a message into this node's log and waits for its outcome.
func (p *Proposer) put(ctx context.Context, m message) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotProposed, err)
	}
	if len(m.body) > maxEntry-headerSize {
		return nil, fmt.Errorf("%w: a command of %d bytes, the most is %d", ErrNotProposed, len(m.body), maxEntry-headerSize)
	}
	if level := m.level(); level > 0 && !p.reads(level) {
		return nil, fmt.Errorf("%w: %w", ErrNotProposed, ErrNotReadable)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotProposed, ctx.Err())
	}
	defer func() { <-p.slots }()
	w := &proposal{message: m, done: make(chan result, 1)}
	if !p.enqueue(w) {
		return nil, fmt.Errorf("%w: the proposer is closed", ErrNotProposed)
	}
	select {
	case r := <-w.done:
		return r.outcome, r.err
	case <-ctx.Done():
		if p.withdraw(w) {
			return nil, fmt.Errorf("%w: %w", ErrNotProposed, ctx.Err())
		}
		return nil, fmt.Errorf("%w: %w", ErrAmbiguous, ctx.Err())
	}
}

func (p *Proposer) enqueue(w *proposal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.queue = append(p.queue, w)
	if p.flights < maxFlights {
		p.flights++
		p.working.Go(p.fly)
	}
	return true
}

// withdraw takes a proposal back that is not on its way yet.
func (p *Proposer) withdraw(w *proposal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, w)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	return true
}

// fly sends entry after entry until nothing waits.
func (p *Proposer) fly() {
	for wait := gather; ; wait = 0 {
		if p.route != nil {
			time.Sleep(max(wait, time.Until(p.spaced())))
		}
		batch := p.take()
		if len(batch) == 0 {
			return
		}
		p.send(batch)
	}
}

// spaced is when the next entry may go.
func (p *Proposer) spaced() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent.Add(spacing)
}

// take removes what shares the next entry from the queue; with nothing left it
// ends the flight.
func (p *Proposer) take() []*proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.queue) && n < maxBatch {
		size += len(p.queue[n].body)
		if n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
	batch := slices.Clone(p.queue[:n])
	p.queue = slices.Delete(p.queue, 0, n)
	if n == 0 {
		p.flights--
	} else {
		p.sent = time.Now()
	}
	return batch
}

// send puts a batch into the log and tells everyone in it what came of it.
func (p *Proposer) send(batch []*proposal) {
	outcomes, err := p.commit(batch)
	for i, w := range batch {
		if err != nil {
			w.done <- result{err: err}
			continue
		}
		p.notice(w, outcomes[i])
		w.done <- result{outcome: outcomes[i]}
	}
}

func (p *Proposer) commit(batch []*proposal) ([]any, error) {
	if p.Fit != nil && !p.Fit() {
		return nil, NoLeader("this node leads, and its clock is not like the others'")
	}
	stamp, err := p.stamper.stamp(p.fsm.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotProposed, err)
	}
	messages := make([]message, len(batch))
	for i, w := range batch {
		messages[i] = w.message
	}
	response, err := p.log.Apply(newEntry(stamp, messages...), enqueueWait)
	if err != nil {
		return nil, classify(err)
	}
	outcomes, ok := response.([]any)
	if !ok || len(outcomes) != len(batch) {
		panic(fmt.Sprintf("raftfsm: the log returned %T for an entry of %d commands", response, len(batch)))
	}
	return outcomes, nil
}

// notice tells Contended where requests wait for what others hold.
func (p *Proposer) notice(w *proposal, outcome any) {
	out, ok := outcome.(ledger.Outcome)
	if !ok || p.Contended == nil || out.Answer == nil || !slices.ContainsFunc(out.Answer.Needs, contended) {
		return
	}
	c, err := w.decode()
	x, ok := c.ledger.(*ledger.Exchange)
	if err != nil || !ok {
		panic(fmt.Sprintf("raftfsm: an answer to %T, %v", c.ledger, err))
	}
	var accounts []ledger.AccountKey
	for _, need := range out.Answer.Needs {
		if contended(need) && !slices.Contains(accounts, x.Rows[need.Row].Account) {
			accounts = append(accounts, x.Rows[need.Row].Account)
		}
	}
	p.Contended(x.Node, accounts)
}

func contended(n ledger.NeedResult) bool { return n.Verdict == ledger.NeedContended }

// classify sorts an error of the log. Only those are definite that Raft gives
// before it takes an entry; any other, known or not, leaves the outcome open.
func classify(err error) error {
	for _, definite := range []error{raft.ErrNotLeader, raft.ErrNotVoter, raft.ErrLeadershipTransferInProgress} {
		if errors.Is(err, definite) {
			return fmt.Errorf("%w: %w: %w", ErrNotProposed, ErrNoLeader, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrAmbiguous, err)
}

// Close refuses further proposals and waits for those under way. They end when
// their entry is applied or when the log is closed.
func (p *Proposer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.working.Wait()
}
