package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

var followSeed = flag.Uint64("follow-seed", 0, "seed of the tests of gateways; 0 draws one")

var quiet = slog.New(slog.DiscardHandler)

// source is a member as far as a gateway sees it: a state machine whose log is
// applied at once.
type source struct {
	fsm      *raftfsm.FSM
	proposer *raftfsm.Proposer
	followed *followed
	ending   chan struct{}

	mu     sync.Mutex
	index  uint64
	at     uint64
	stuck  bool // its position does not grow any more
	silent bool // what it says does not arrive any more
}

func newSource(t *testing.T) *source {
	s := &source{fsm: raftfsm.New(), ending: make(chan struct{})}
	s.proposer = raftfsm.NewProposer(s, s.fsm, raftfsm.SystemClock(), nil)
	s.followed = newFollowed(s.fsm, s.where, s.ending)
	t.Cleanup(s.proposer.Close)
	return s
}

// Apply implements raftfsm.Log.
func (s *source) Apply(entry []byte, _ time.Duration) (any, error) {
	s.mu.Lock()
	s.index++
	index := s.index
	s.mu.Unlock()
	out := s.fsm.Apply(&raft.Log{Index: index, Data: entry})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stuck {
		s.at = index
	}
	return out, nil
}

func (s *source) where(least uint64) *pb.FollowReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &pb.FollowReply{Applied: max(least, s.at), Leader: "n1", LeaderAddress: "n1:7071", Term: 3}
}

func (s *source) is(what func(*source) bool) bool { s.mu.Lock(); defer s.mu.Unlock(); return what(s) }

// put makes a key and a budget of a name, and returns the index of the later one.
func (s *source) put(t *testing.T, name string) uint64 {
	t.Helper()
	k := directory.Key{ID: directory.KeyID(name), Name: strings.Repeat("x", 100), Hash: sha256.Sum256([]byte(name))}
	if out, err := s.proposer.ProposeDirectory(t.Context(), directory.PutKey{Key: k}); err != nil || out.Code != directory.Applied {
		t.Fatal(out, err)
	}
	b := ledger.Budget{ID: ledger.BudgetID(name), Unit: ledger.USD, Limit: 5, Window: ledger.Window{Kind: ledger.Total}}
	if out, err := s.proposer.Propose(t.Context(), ledger.PutBudget{Budget: b}); err != nil || out.Code != ledger.Applied {
		t.Fatal(out, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}

// gatewayOf follows sources, by their names.
func gatewayOf(t *testing.T, members map[string]*source) (*following, *visits) {
	v := &visits{}
	f := newFollowing(raftfsm.New(), quiet, followSeams{
		Members: func() map[string]string {
			list := map[string]string{}
			for node := range members {
				list[node] = node
			}
			return list
		},
		Leader: func(context.Context) string { return "" },
		Follow: func(ctx context.Context, node, _ string, after uint64, take func(*pb.FollowReply) error) error {
			v.add(node)
			return members[node].followed.tell(ctx, after, func(r *pb.FollowReply) error {
				if members[node].is(func(s *source) bool { return s.silent }) {
					<-ctx.Done()
					return ctx.Err()
				}
				if r.Whole {
					v.image()
				}
				return take(r)
			})
		},
		Kept: func(*directory.State) {}, Refused: func(error) {},
	})
	f.begin()
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, v
}

// visits is who was followed, and how many images came.
type visits struct {
	mu     sync.Mutex
	nodes  []string
	images int
}

func (v *visits) add(node string) { v.mu.Lock(); defer v.mu.Unlock(); v.nodes = append(v.nodes, node) }
func (v *visits) image()          { v.mu.Lock(); defer v.mu.Unlock(); v.images++ }

// TestAGatewayHasWhatItsPositionClaims: whoever waited for an index has what the
// entries up to it made, whatever comes in between; and a busy minute makes few images.
func TestAGatewayHasWhatItsPositionClaims(t *testing.T) {
	seed := *followSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with: go test ./node -run %s -follow-seed %d", t.Name(), seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		s := newSource(t)
		f, v := gatewayOf(t, map[string]*source{"n1": s})
		began := time.Now()
		for i := range 300 {
			name := fmt.Sprint("k", i)
			index := s.put(t, name)
			if random.IntN(3) > 0 {
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
				continue
			}
			asked := time.Now()
			if err := f.WaitApplied(t.Context(), index); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(asked); took > imageGap+lookEvery {
				t.Errorf("key %d came after %v", i, took)
			}
			_, key := f.fsm.Directory().Key(directory.KeyID(name))
			_, rule := f.fsm.Ledger().Budget(ledger.BudgetID(name))
			if !key || !rule {
				t.Fatalf("at entry %d the gateway has key %v, rule %v of %d", index, key, rule, i)
			}
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if most := int(time.Since(began)/imageGap) + 2; v.images > most || v.images < 2 {
			t.Errorf("%d images in %v", v.images, time.Since(began))
		}
		if id, address := f.LeaderNode(); id != "n1" || address != "n1:7071" {
			t.Errorf("the leader is %s at %s", id, address)
		}
		if len(v.nodes) != 1 || f.member() != "n1" || f.SinceLeader() > sayEvery {
			t.Errorf("it followed %v, now %q, heard %v ago", v.nodes, f.member(), f.SinceLeader())
		}
	})
}

// TestALargeImageComesInPieces: none of them is larger than a piece, and together
// they are the rules without the accounts.
func TestALargeImageComesInPieces(t *testing.T) {
	s := newSource(t)
	for i := range 1500 {
		s.put(t, fmt.Sprint("a-key-or-a-budget-with-a-long-name-", i))
	}
	var pieces int
	f := newFollowing(raftfsm.New(), quiet, followSeams{Kept: func(*directory.State) {}})
	image, _, err := s.followed.latest()
	if err != nil {
		t.Fatal(err)
	}
	err = sendImage(image, s.where(0), func(r *pb.FollowReply) error {
		pieces++
		if len(r.Image) > pieceBytes {
			t.Errorf("a piece of %d bytes", len(r.Image))
		}
		return f.take("n1", r)
	})
	if err != nil || pieces < 2 || f.fsm.Directory().Len() != 1500 {
		t.Errorf("%d pieces, %d keys, %v", pieces, f.fsm.Directory().Len(), err)
	}
}

// TestAGatewayLeavesAMemberThatIsOfNoUse: one that stops, says nothing, or does not
// get on.
func TestAGatewayLeavesAMemberThatIsOfNoUse(t *testing.T) {
	within := func(t *testing.T, limit time.Duration, what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(limit); !ok(); time.Sleep(time.Millisecond) { // virtual time
			if time.Now().After(deadline) {
				t.Fatalf("not within %v: %s", limit, what)
			}
		}
	}
	for name, c := range map[string]struct {
		fail  func(*source)
		limit time.Duration
	}{
		"it stops":          {func(s *source) { close(s.ending) }, lookEvery + 2*followPause},
		"it says nothing":   {func(s *source) { s.mu.Lock(); s.silent = true; s.mu.Unlock() }, silentAfter + 2*followPause},
		"it does not go on": {func(s *source) { s.mu.Lock(); s.stuck = true; s.mu.Unlock() }, 2*laggardAfter + 2*followPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				members := map[string]*source{"n1": newSource(t), "n2": newSource(t)}
				for _, s := range members {
					s.put(t, "first") // both have the same
				}
				f, _ := gatewayOf(t, members)
				within(t, time.Second, "it follows one", func() bool { return f.member() != "" })
				left := f.member()
				other := map[string]string{"n1": "n2", "n2": "n1"}[left]
				bad, good := members[left], members[other]
				c.fail(bad)
				index := good.put(t, "second")
				bad.put(t, "second")
				began := time.Now()
				if err := f.WaitApplied(t.Context(), index); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > c.limit || f.member() != other {
					t.Errorf("after %v it follows %q", took, f.member())
				}
			})
		})
	}
}

// TestAGatewayNeverGoesBack: what is older than it has, or comes in the wrong order,
// or cannot be read, is not taken.
func TestAGatewayNeverGoesBack(t *testing.T) {
	s := newSource(t)
	image := func(name string) []byte {
		s.put(t, name)
		b, _, err := s.followed.latest()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	older, newer := image("older"), image("newer")
	f := newFollowing(raftfsm.New(), quiet, followSeams{Kept: func(*directory.State) {}})
	if err := f.take("n1", &pb.FollowReply{Applied: 5}); err == nil {
		t.Error("a position without the rules")
	}
	if err := f.take("n1", &pb.FollowReply{Image: newer, Whole: true, Applied: 9}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		node string
		r    *pb.FollowReply
	}{
		"older rules":              {"n2", &pb.FollowReply{Image: older, Whole: true, Applied: 8}},
		"an older position":        {"n1", &pb.FollowReply{Applied: 8}},
		"another's position":       {"n2", &pb.FollowReply{Applied: 12}},
		"damaged rules":            {"n1", &pb.FollowReply{Image: bytes.Replace(older, []byte("older"), []byte("oldem"), 1), Whole: true, Applied: 10}},
		"rules that are cut short": {"n1", &pb.FollowReply{Image: older[:len(older)-1], Whole: true, Applied: 10}},
	} {
		f.pieces.Reset() // each on a stream of its own
		if err := f.take(c.node, c.r); err == nil {
			t.Errorf("%s were taken", name)
		}
		if _, ok := f.fsm.Directory().Key("newer"); !ok || f.Stats().Applied != 9 {
			t.Errorf("%s changed what the gateway has: entry %d", name, f.Stats().Applied)
		}
	}
}

// TestAMemberHasRoomForSoManyGateways and sends the others away.
func TestAMemberHasRoomForSoManyGateways(t *testing.T) {
	s := newSource(t)
	for range maxFollowers {
		s.followed.slots <- struct{}{}
	}
	if err := s.followed.tell(t.Context(), 0, nil); !errors.Is(err, errFull) {
		t.Errorf("one more: %v", err)
	}
}

// TestAGatewayThatIsRefusedSaysSo: it must not go on as if it were cut off.
func TestAGatewayThatIsRefusedSaysSo(t *testing.T) {
	told := make(chan error, 1)
	f := newFollowing(raftfsm.New(), quiet, followSeams{
		Members: func() map[string]string { return map[string]string{"n1": "n1"} },
		Leader:  func(context.Context) string { return "" },
		Follow: func(context.Context, string, string, uint64, func(*pb.FollowReply) error) error {
			return fmt.Errorf("node n1: %w: removed", peer.ErrRefused)
		},
		Refused: func(err error) {
			select {
			case told <- err:
			default:
			}
		},
	})
	f.begin()
	defer f.Close()
	if err := <-told; !errors.Is(err, peer.ErrRefused) {
		t.Error(err)
	}
}

func TestWhoIsFollowedIsChosen(t *testing.T) {
	three := map[string]string{"n1": "", "n2": "", "n3": ""}
	for name, c := range map[string]struct {
		members      map[string]string
		left, leader string
		want         []string
	}{
		"nobody":              {nil, "", "", []string{""}},
		"the one there is":    {map[string]string{"n1": ""}, "n1", "n1", []string{"n1"}},
		"any":                 {three, "", "", []string{"n1", "n2", "n3"}},
		"rather no leader":    {three, "", "n2", []string{"n1", "n3"}},
		"another than before": {three, "n1", "n2", []string{"n3"}},
		"the leader at last":  {map[string]string{"n1": "", "n2": ""}, "n1", "n2", []string{"n2"}},
	} {
		seen := map[string]bool{}
		for range 200 {
			got := choose(c.members, c.left, c.leader)
			seen[got] = true
			if !slices.Contains(c.want, got) {
				t.Errorf("%s: %q", name, got)
			}
		}
		if len(seen) != len(c.want) {
			t.Errorf("%s: %v of %v", name, seen, c.want)
		}
	}
}
