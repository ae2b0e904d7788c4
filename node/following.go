package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/raftfsm"
)

const (
	// silentAfter is how long a member may say nothing: it speaks each sayEvery.
	silentAfter = 3 * time.Second
	// laggardAfter is how long a member may not have what the leader has, before
	// another one is followed.
	laggardAfter = 2 * time.Second
	// followPause is how soon the next member is tried.
	followPause = 100 * time.Millisecond
	// maxImage bounds an image: as many keys and rules as there may be.
	maxImage = 1 << 30
)

// followSeams is the following's way to the members.
type followSeams struct {
	Members func() map[string]string                // address by node
	Leader  func(ctx context.Context) (node string) // "" for unknown
	// Follow has take called with what a member says; it returns why it ended.
	Follow func(ctx context.Context, node, address string, after uint64, take func(*pb.FollowReply) error) error
	// Kept is told the directory of each image, and Refused why a member will not have
	// this node any more, both from the one goroutine that follows.
	Kept    func(*directory.State)
	Refused func(error)
}

// following is a gateway's copy of the rules and the directory: it follows one
// member at a time, and another one when that ends, is silent or is too far behind.
// It never goes back: what it takes from a member is as new as what it had.
type following struct {
	fsm   *raftfsm.FSM
	log   *slog.Logger
	seams followSeams

	stop    context.CancelFunc // nil: it was not begun
	working sync.WaitGroup
	pieces  bytes.Buffer // of an image that is not whole yet; of the one goroutine

	mu    sync.Mutex
	node  string             // who is followed and has told everything; "" for nobody
	leave context.CancelFunc // ends the present stream
	busy  bool               // an image is on its way
	said  *pb.FollowReply    // the latest position, of any member
	heard time.Time          // when that was
	grown chan struct{}      // closed when the position grows
}

func newFollowing(fsm *raftfsm.FSM, log *slog.Logger, seams followSeams) *following {
	return &following{fsm: fsm, log: log, seams: seams, said: &pb.FollowReply{}, heard: time.Now(), grown: make(chan struct{})}
}

// begin follows from now on, until Close.
func (f *following) begin() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.working.Go(func() { f.run(ctx) })
}

// Close implements io.Closer.
func (f *following) Close() error {
	if f.stop != nil {
		f.stop()
		f.working.Wait()
	}
	return nil
}

func (f *following) run(ctx context.Context) {
	last := ""
	for ctx.Err() == nil {
		members := f.seams.Members()
		node := choose(members, last, f.seams.Leader(ctx))
		err := errors.New("no member is known")
		if node != "" {
			err = f.follow(ctx, node, members[node])
		}
		last = node
		if ctx.Err() == nil {
			f.log.Warn("this gateway follows another member now", "left", node, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// choose draws a member to follow: not the one that was left if there is another,
// and rather not the leader, which has enough to do.
func choose(members map[string]string, left, leader string) string {
	rest := slices.Sorted(maps.Keys(members))
	for _, avoid := range []string{left, leader} {
		if len(rest) > 1 {
			rest = slices.DeleteFunc(rest, func(node string) bool { return node == avoid })
		}
	}
	if len(rest) == 0 {
		return ""
	}
	return rest[rand.IntN(len(rest))]
}

var (
	errSilent = errors.New("it says nothing")
	errBehind = errors.New("it is behind what others have")
)

// follow takes what one member says until that ends.
func (f *following) follow(ctx context.Context, node, address string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silentAfter, func() { cancel(errSilent) })
	defer silence.Stop()
	f.pieces = bytes.Buffer{}
	after := f.Stats().Applied
	f.mu.Lock()
	f.busy, f.leave = false, func() { cancel(errBehind) }
	f.mu.Unlock()
	err := f.seams.Follow(ctx, node, address, after, func(r *pb.FollowReply) error {
		silence.Stop()
		defer silence.Reset(silentAfter)
		return f.take(node, r)
	})
	f.mu.Lock()
	f.node, f.leave = "", nil
	f.mu.Unlock()
	if errors.Is(err, peer.ErrRefused) {
		f.seams.Refused(err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return err
}

// take takes one thing that a member says.
func (f *following) take(node string, r *pb.FollowReply) error {
	if f.pieces.Len()+len(r.Image) > maxImage {
		return fmt.Errorf("an image of more than %d bytes", maxImage)
	}
	f.pieces.Write(r.Image)
	switch piece := len(r.Image) > 0 && !r.Whole; {
	case piece:
		f.mu.Lock()
		f.busy = true
		f.mu.Unlock()
		return nil
	case r.Applied < f.Stats().Applied:
		return fmt.Errorf("it is at entry %d, this gateway at %d", r.Applied, f.Stats().Applied)
	case r.Whole:
		if err := f.fsm.Restore(io.NopCloser(&f.pieces)); err != nil {
			return fmt.Errorf("its rules cannot be read (if it is of a later build, upgrade this gateway): %w", err)
		}
		f.pieces = bytes.Buffer{}
		f.seams.Kept(f.fsm.Directory())
	case f.member() != node:
		return errors.New("a position before the rules")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	grew := r.Applied > f.said.Applied
	f.node, f.busy, f.heard = node, false, time.Now()
	f.said = &pb.FollowReply{Applied: r.Applied, Term: r.Term, Leader: r.Leader, LeaderAddress: r.LeaderAddress, Age: r.Age}
	if grew {
		close(f.grown)
		f.grown = make(chan struct{})
	}
	return nil
}

// WaitApplied implements position. Who waits in vain for what others have makes the
// gateway follow another member.
func (f *following) WaitApplied(ctx context.Context, index uint64) error {
	late := time.NewTicker(laggardAfter)
	defer late.Stop()
	for {
		f.mu.Lock()
		at, grown := f.said.Applied, f.grown
		f.mu.Unlock()
		if at >= index {
			return nil
		}
		select {
		case <-grown:
		case <-late.C:
			f.leaveLaggard(index)
		case <-ctx.Done():
			return fmt.Errorf("wait for entry %d, at %d: %w", index, at, ctx.Err())
		}
	}
}

// leaveLaggard ends a stream that has not come as far as index, unless an image is
// on its way.
func (f *following) leaveLaggard(index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leave != nil && f.node != "" && f.said.Applied < index && !f.busy {
		f.leave()
	}
}

// member is who is followed, "" for nobody.
func (f *following) member() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.node
}

// SinceLeader implements position: since the member that is followed, or was, heard
// from a leader.
func (f *following) SinceLeader() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.heard) + time.Duration(f.said.Age)
}

// Stats implements position.
func (f *following) Stats() cluster.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.said.Applied
	return cluster.Stats{State: directory.Gateway.String(), Term: f.said.Term, Last: at, Commit: at, Applied: at}
}

// Leader implements leadership.
func (f *following) Leader() bool { return false }

// LeaderNode implements leadership.
func (f *following) LeaderNode() (id, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node == "" {
		return "", "" // what was said may be over
	}
	return f.said.Leader, f.said.LeaderAddress
}

// ReadIndex implements leadership.
func (f *following) ReadIndex() (uint64, error) { return 0, cluster.ErrNotLeader }

// Apply implements raftfsm.Log: there is none here.
func (f *following) Apply([]byte, time.Duration) (any, error) { return nil, raft.ErrNotLeader }
