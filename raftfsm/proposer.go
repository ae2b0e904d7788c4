package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"purser/internal/directory"
	"purser/ledger"
)

// Log appends an entry to the replicated log and returns what the state machine
// returned for it. The timeout bounds the wait for the entry's turn. Errors wrap
// those of hashicorp/raft.
type Log interface {
	Apply(entry []byte, timeout time.Duration) (any, error)
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
	// maxInFlight bounds the proposals under way, and so the goroutines that wait
	// for them: as many as Raft stores with one sync.
	maxInFlight = 256
	// enqueueWait bounds the wait for Raft to take an entry, which is one sync of
	// the disk away.
	enqueueWait = 5 * time.Second
)

// Proposer puts commands into the log, stamped with ledger time.
type Proposer struct {
	log     Log
	fsm     *FSM
	stamper stamper
	slots   chan struct{}

	mu      sync.Mutex
	closed  bool
	waiting sync.WaitGroup
}

// NewProposer returns a proposer for the log whose entries end up in fsm.
func NewProposer(log Log, fsm *FSM, clock Clock) *Proposer {
	return &Proposer{log: log, fsm: fsm, stamper: stamper{clock: clock}, slots: make(chan struct{}, maxInFlight)}
}

// Propose has a command carried out by the ledger and returns what it did. An
// error wraps [ErrAmbiguous] or [ErrNotProposed], and its cause.
//
// The command is not kept, and may be changed when Propose has returned.
func (p *Proposer) Propose(ctx context.Context, c ledger.Command) (ledger.Outcome, error) {
	return propose[ledger.Outcome](ctx, p, func(stamp ledger.Instant) []byte { return ledgerEntry(stamp, c) })
}

// ProposeDirectory is [Proposer.Propose] for the directory.
func (p *Proposer) ProposeDirectory(ctx context.Context, c directory.Command) (directory.Outcome, error) {
	return propose[directory.Outcome](ctx, p, func(stamp ledger.Instant) []byte { return directoryEntry(stamp, c) })
}

func propose[T any](ctx context.Context, p *Proposer, encode func(ledger.Instant) []byte) (T, error) {
	var zero T
	if err := p.begin(ctx); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrNotProposed, err)
	}
	stamp, err := p.stamper.stamp(p.fsm.Now())
	if err != nil {
		p.end()
		return zero, fmt.Errorf("%w: %w", ErrNotProposed, err)
	}
	entry := encode(stamp)
	if len(entry) > maxEntry {
		p.end()
		return zero, fmt.Errorf("%w: an entry of %d bytes, the most is %d", ErrNotProposed, len(entry), maxEntry)
	}
	response, err := p.apply(ctx, entry)
	if err != nil {
		return zero, err
	}
	out, ok := response.(T)
	if !ok {
		panic(fmt.Sprintf("raftfsm: the log returned %T for an entry that yields %T", response, zero))
	}
	return out, nil
}

// begin takes a slot; it is given back by end.
func (p *Proposer) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		<-p.slots
		return errors.New("proposer is closed")
	}
	p.waiting.Add(1)
	return nil
}

func (p *Proposer) end() {
	<-p.slots
	p.waiting.Done()
}

// apply waits for the entry, but no longer than ctx. The log's own wait cannot
// be cut short; it goes on in a goroutine that [Proposer.Close] waits for.
func (p *Proposer) apply(ctx context.Context, entry []byte) (any, error) {
	type result struct {
		response any
		err      error
	}
	done := make(chan result, 1)
	wait := enqueueWait
	if deadline, ok := ctx.Deadline(); ok {
		// Raft reads 0 as "no limit".
		wait = min(wait, max(time.Until(deadline), time.Millisecond))
	}
	go func() {
		defer p.end()
		response, err := p.log.Apply(entry, wait)
		done <- result{response, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, classify(r.err)
		}
		return r.response, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrAmbiguous, ctx.Err())
	}
}

// classify sorts an error of the log. Only those are definite that Raft gives
// before it takes an entry; any other, known or not, leaves the outcome open.
func classify(err error) error {
	for _, definite := range []error{raft.ErrNotLeader, raft.ErrNotVoter, raft.ErrLeadershipTransferInProgress} {
		if errors.Is(err, definite) {
			return fmt.Errorf("%w: %w", ErrNotProposed, err)
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
	p.waiting.Wait()
}
