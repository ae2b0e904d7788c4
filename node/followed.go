package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

const (
	// maxFollowers bounds the gateways that follow one member; others are sent to
	// another one.
	maxFollowers = 1024
	// lookEvery is how soon a follower is told how far this member is.
	lookEvery = 50 * time.Millisecond
	// imageGap is the least time between two images for one follower: a hundred keys
	// that are made in a second are told together.
	imageGap = 200 * time.Millisecond
	// sayEvery is how often a follower hears of a member at least.
	sayEvery = time.Second
	// pieceBytes is the size of a piece of an image.
	pieceBytes = 256 << 10
	// reachWait bounds how long a member may need to get as far as a follower was.
	reachWait = 3 * time.Second
)

// followed is what a member has for the gateways that follow it.
type followed struct {
	fsm    *raftfsm.FSM
	where  func(least uint64) *pb.FollowReply // how far this member is, at least as far as it was
	ending <-chan struct{}
	slots  chan struct{}

	mu    sync.Mutex
	image []byte // of the versions, written once for all
	is    raftfsm.Versions
}

func newFollowed(fsm *raftfsm.FSM, where func(uint64) *pb.FollowReply, ending <-chan struct{}) *followed {
	return &followed{fsm: fsm, where: where, ending: ending, slots: make(chan struct{}, maxFollowers)}
}

// count is how many gateways follow.
func (f *followed) count() int { return len(f.slots) }

// latest is the rules and the directory as they are now or were at versions that
// have not changed since.
func (f *followed) latest() ([]byte, raftfsm.Versions, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.image != nil && f.is == f.fsm.Versions() {
		return f.image, f.is, nil
	}
	image, is := f.fsm.Rules()
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		return nil, is, fmt.Errorf("writing the rules for gateways: %w", err)
	}
	f.image, f.is = b.Bytes(), is
	return f.image, is, nil
}

// follow tells a gateway what it goes by, until ctx is done or this node ends.
func (m *member) follow(ctx context.Context, from string, in *pb.FollowRequest, send func(*pb.FollowReply) error) error {
	known, ok := m.n.fsm.Directory().Node(ledger.NodeID(from))
	if ok && (known.Role != directory.Gateway || known.State == directory.NodeRemoved) {
		return fmt.Errorf("%w: node %s is no gateway of this cluster", peer.ErrRefused, from)
	}
	reach, cancel := context.WithTimeout(ctx, reachWait)
	err := m.raft.WaitApplied(reach, in.After)
	cancel()
	if err != nil {
		return fmt.Errorf("this node is behind what the gateway knows: %w", err)
	}
	return m.followed.tell(ctx, in.After, send)
}

// whereabouts is how far this member is, at least as far as it was.
func (m *member) whereabouts(least uint64) *pb.FollowReply {
	out := &pb.FollowReply{Applied: max(least, m.raft.Position()), Term: m.raft.Stats().Term, Age: int64(m.raft.SinceLeader())}
	out.Leader, out.LeaderAddress = m.raft.LeaderNode()
	return out
}

var (
	errEnding = errors.New("this node is stopping")
	errFull   = fmt.Errorf("%d gateways follow this node already: follow another", maxFollowers)
)

// tell sends everything first, and again whenever it has changed, and how far that
// goes in the log: not less than after, which this member has reached.
//
// What a position claims was told before it: the index is read first, then the
// versions; if those have changed, the position waits until the image was sent.
func (f *followed) tell(ctx context.Context, after uint64, send func(*pb.FollowReply) error) error {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return errFull
	}
	changed := make(chan struct{}, 1)
	defer f.fsm.Subscribe(func(raftfsm.Versions) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var sent raftfsm.Versions
	var imaged, said time.Time
	last := &pb.FollowReply{}
	for {
		next := f.where(max(after, last.Applied))
		now := time.Now()
		switch outdated := imaged.IsZero() || sent != f.fsm.Versions(); {
		case outdated && now.Sub(imaged) >= imageGap:
			image, is, err := f.latest()
			if err == nil {
				err = sendImage(image, next, send)
			}
			if err != nil {
				return err
			}
			sent, last, imaged, said = is, next, now, now
		case outdated: // soon
		case next.Applied != last.Applied || next.Leader != last.Leader || now.Sub(said) >= sayEvery:
			if err := send(next); err != nil {
				return err
			}
			last, said = next, now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ending:
			return errEnding
		case <-changed:
		case <-look.C:
		}
	}
}

// sendImage sends an image in pieces; at is said with the last.
func sendImage(image []byte, at *pb.FollowReply, send func(*pb.FollowReply) error) error {
	for len(image) > pieceBytes {
		if err := send(&pb.FollowReply{Image: image[:pieceBytes]}); err != nil {
			return err
		}
		image = image[pieceBytes:]
	}
	return send(&pb.FollowReply{
		Image: image, Whole: true, Applied: at.Applied, Term: at.Term, Leader: at.Leader, LeaderAddress: at.LeaderAddress, Age: at.Age,
	})
}
