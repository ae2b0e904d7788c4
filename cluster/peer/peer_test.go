package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/api/pb"
	"purser/cluster/pki"
	"purser/cluster/port"
)

func issued(t *testing.T, a *pki.Authority, node string) *port.Credentials {
	t.Helper()
	i, err := a.Issue(node, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return port.NewCredentials(&a.Root, i, time.Now)
}

// double is a node that answers with what it was asked.
func double() Service {
	return Service{
		Join: func(_ context.Context, in *pb.JoinRequest) (*pb.JoinReply, error) {
			if in.Secret != "right" {
				return nil, fmt.Errorf("%w: the token is not known here", ErrRefused)
			}
			return &pb.JoinReply{Members: []*pb.Member{{Node: in.Node}}}, nil
		},
		Propose: func(_ context.Context, from string, in *pb.ProposeRequest) *pb.ProposeReply {
			return &pb.ProposeReply{Verdict: pb.Verdict_DONE, Outcome: append([]byte(from+":"), in.Command...)}
		},
		Progress: func(_ context.Context, from string, in *pb.ProgressRequest) (*pb.ProgressReply, error) {
			if in.Linearizable {
				return nil, fmt.Errorf("asked in vain: %w", ErrNotLeader)
			}
			return &pb.ProgressReply{Applied: 7, Leader: from, LeaderAddress: in.Address}, nil
		},
		Nudge: func([][]byte) {},
		Lead: func(node string) error {
			if node != "two" {
				return errors.New("no voter of that name")
			}
			return nil
		},
		JoinGateway: func(_ context.Context, in *pb.JoinGatewayRequest) (*pb.JoinGatewayReply, error) {
			if in.Node.Secret != "right" {
				return nil, fmt.Errorf("%w: the token is not known here", ErrRefused)
			}
			return &pb.JoinGatewayReply{Certificate: in.CertificateRequest}, nil
		},
		Certify: func(_ context.Context, from string, in *pb.CertifyRequest) (*pb.CertifyReply, error) {
			if from != "two" {
				return nil, fmt.Errorf("%w: no gateway", ErrRefused)
			}
			return &pb.CertifyReply{Certificate: in.CertificateRequest}, nil
		},
		Follow: func(ctx context.Context, from string, in *pb.FollowRequest, send func(*pb.FollowReply) error) error {
			if from != "two" {
				return fmt.Errorf("%w: no gateway", ErrRefused)
			}
			for i := in.After; i < in.After+3; i++ {
				if err := send(&pb.FollowReply{Applied: i}); err != nil {
					return err
				}
			}
			if in.After > 0 {
				return errors.New("stopping")
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

func serve(t *testing.T, creds *port.Credentials, s Service) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := port.New(l, creds, slog.New(slog.DiscardHandler))
	server := Serve(p, s)
	p.Run()
	t.Cleanup(func() {
		server.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p.Addr().String()
}

func authority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("prod", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCallsCarryWhoAsks(t *testing.T) {
	a := authority(t)
	address := serve(t, issued(t, a, "one"), double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	out, err := clients.Propose(t.Context(), "one", address, &pb.ProposeRequest{Command: []byte("x")})
	if err != nil || string(out.Outcome) != "two:x" {
		t.Errorf("Propose = %v, %v", out, err)
	}
	p, err := clients.Progress(t.Context(), "one", address, &pb.ProgressRequest{Address: "two:1"})
	if err != nil || p.Applied != 7 || p.Leader != "two" || p.LeaderAddress != "two:1" {
		t.Errorf("Progress = %v, %v", p, err)
	}
	if _, err := clients.Progress(t.Context(), "one", address, &pb.ProgressRequest{Linearizable: true}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a linearizable question: %v", err)
	}
	if err := clients.Nudge(t.Context(), "one", address, nil); err != nil {
		t.Errorf("Nudge = %v", err)
	}
	if err := clients.Lead(t.Context(), "one", address, "two"); err != nil {
		t.Errorf("Lead = %v", err)
	}
	if err := clients.Lead(t.Context(), "one", address, "three"); err == nil || !strings.Contains(err.Error(), "no voter of that name") {
		t.Errorf("Lead = %v", err)
	}
	clients.Close()
	if _, err := clients.Propose(t.Context(), "one", address, &pb.ProposeRequest{}); !errors.Is(err, ErrUnsent) {
		t.Errorf("after Close: %v", err)
	}
}

// TestAskHasAnswersInPieces: in order, as many as there are; an error of either end ends
// the question, and a topic that the other build does not have is told apart.
func TestAskHasAnswersInPieces(t *testing.T) {
	a := authority(t)
	service := double()
	service.Topics = map[string]Topic{"count": func(ctx context.Context, from string, body []byte, say func([]byte) error) error {
		for i := range 3 {
			if err := say(fmt.Appendf(nil, "%s %s %d", from, body, i)); err != nil {
				return err
			}
		}
		if string(body) == "bad" {
			return errors.New("out of numbers")
		}
		return nil
	}}
	address := serve(t, issued(t, a, "one"), service)
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	ask := func(topic, body string, most int) (said []string, err error) {
		err = clients.Ask(t.Context(), "one", address, topic, []byte(body), func(p []byte) error {
			if said = append(said, string(p)); len(said) == most {
				return errEnough
			}
			return nil
		})
		return said, err
	}
	if said, err := ask("count", "well", 0); err != nil || !slices.Equal(said, []string{"two well 0", "two well 1", "two well 2"}) {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := ask("count", "bad", 0); len(said) != 3 || err == nil || !strings.Contains(err.Error(), "out of numbers") {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := ask("count", "well", 2); len(said) != 2 || !errors.Is(err, errEnough) {
		t.Errorf("%q, %v", said, err)
	}
	if _, err := ask("sums", "", 0); !errors.Is(err, ErrNoTopic) {
		t.Errorf("of no topic: %v", err)
	}
}

var errEnough = errors.New("enough")

// A conversation about a cached answer goes both ways; whoever leads is lost when its
// connection is, and a node without a cache says so.
func TestCallsAboutCachedAnswers(t *testing.T) {
	a := authority(t)
	service := double()
	ended := make(chan error, 1)
	service.Caches = Caches{
		Ask: func(ctx context.Context, in *pb.CacheQuestion, say func(*pb.CacheReply) error, landed func(context.Context) ([]byte, error)) error {
			if string(in.Key) == "hit" {
				return say(&pb.CacheReply{Verdict: pb.CacheVerdict_CACHE_HIT, Entry: make([]byte, 2<<20)})
			}
			if err := say(&pb.CacheReply{Verdict: pb.CacheVerdict_CACHE_LEAD, Epoch: in.Epoch}); err != nil {
				return err
			}
			entry, err := landed(ctx)
			ended <- err
			if err == nil && string(entry) != "made" && entry != nil {
				err = fmt.Errorf("it landed with %q", entry)
			}
			return err
		},
		Put: func(in *pb.CachePutRequest) error {
			if string(in.Entry) != "sound" {
				return errors.New("damaged")
			}
			return nil
		},
		Purge: func(in *pb.CachePurgeRequest) (*pb.CachePurgeReply, error) {
			return &pb.CachePurgeReply{Purges: in.Purges, Deleted: 3}, nil
		},
		Stats: func() map[string]int64 { return map[string]int64{"entries": 5} },
	}
	address := serve(t, issued(t, a, "one"), service)
	without := serve(t, issued(t, a, "three"), double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	call, err := clients.CacheAsk(ctx, "one", address, &pb.CacheQuestion{Key: []byte("hit")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := call.Next(); err != nil || r.Verdict != pb.CacheVerdict_CACHE_HIT || len(r.Entry) != 2<<20 {
		t.Errorf("%v", err)
	}
	if _, err := call.Next(); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
	for _, entry := range [][]byte{[]byte("made"), nil} {
		call, err := clients.CacheAsk(ctx, "one", address, &pb.CacheQuestion{Key: []byte("miss"), Epoch: 7})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := call.Next(); err != nil || r.Verdict != pb.CacheVerdict_CACHE_LEAD || r.Epoch != 7 {
			t.Errorf("%v, %v", r, err)
		}
		if err := call.Land(entry); err != nil {
			t.Error(err)
		}
		if _, err := call.Next(); err != io.EOF || <-ended != nil {
			t.Errorf("landed with %q: %v", entry, err)
		}
	}
	lost, leave := context.WithCancel(t.Context())
	call, err = clients.CacheAsk(lost, "one", address, &pb.CacheQuestion{Key: []byte("miss")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call.Next(); err != nil {
		t.Fatal(err)
	}
	leave()
	if err := <-ended; err == nil {
		t.Error("a leader that is lost has landed")
	}
	if err := clients.CachePut(ctx, "one", address, &pb.CachePutRequest{Entry: []byte("sound")}); err != nil {
		t.Error(err)
	}
	if err := clients.CachePut(ctx, "one", address, &pb.CachePutRequest{Entry: []byte("other")}); err == nil {
		t.Error("a damaged entry was taken")
	}
	if out, err := clients.CachePurge(ctx, "one", address, &pb.CachePurgeRequest{Purges: [][]byte{{1}}}); err != nil || out.Deleted != 3 || len(out.Purges) != 1 {
		t.Errorf("%v, %v", out, err)
	}
	if counts, err := clients.CacheStats(ctx, "one", address); err != nil || counts["entries"] != 5 {
		t.Errorf("%v, %v", counts, err)
	}
	if call, err = clients.CacheAsk(ctx, "three", without, &pb.CacheQuestion{}); err == nil {
		_, err = call.Next()
	}
	if err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a node without a cache: %v", err)
	}
	if _, err := clients.CacheStats(ctx, "three", without); err == nil {
		t.Error("a node without a cache has counts")
	}
}

func TestK3ACallReachesTheNodeMeantOrNone(t *testing.T) {
	a := authority(t)
	address := serve(t, issued(t, a, "one"), double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if out, err := clients.Propose(ctx, "three", address, &pb.ProposeRequest{}); err == nil || !strings.Contains(err.Error(), "one answers where three") {
		t.Errorf("Propose = %v, %v", out, err)
	}
}

func TestK2OnlyJoinNeedsNoCertificate(t *testing.T) {
	a := authority(t)
	address := serve(t, issued(t, a, "one"), double())
	token := pki.NewToken(&a.Root, []string{"127.0.0.1:1", address}) // the first is not there
	in := &pb.JoinRequest{Secret: "right", Node: "new"}
	out, err := Join(t.Context(), &token, in, time.Now)
	if err != nil || out.Members[0].Node != "new" {
		t.Fatalf("Join = %v, %v", out, err)
	}
	in.Secret = "wrong"
	if _, err := Join(t.Context(), &token, in, time.Now); !errors.Is(err, ErrRefused) {
		t.Errorf("a wrong secret: %v", err)
	}
	other := token
	other.Fingerprint = authority(t).Fingerprint()
	if _, err := Join(t.Context(), &other, in, time.Now); !errors.Is(err, pki.ErrCertificate) {
		t.Errorf("another cluster's token: %v", err)
	}
	// The same connection, for another call.
	raw, _, err := port.DialPinned(t.Context(), address, a.Fingerprint(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(address, alreadyDialled(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := pb.NewClusterClient(conn).Propose(t.Context(), &pb.ProposeRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a proposal without a certificate: %v", err)
	}
}

func TestANodeThatMovedIsFound(t *testing.T) {
	a := authority(t)
	first := serve(t, issued(t, a, "one"), double())
	second := serve(t, issued(t, a, "one"), double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	for _, address := range []string{first, second, first} {
		if _, err := clients.Progress(t.Context(), "one", address, &pb.ProgressRequest{}); err != nil {
			t.Error(err)
		}
	}
	clients.Forget(func(string) bool { return false })
	if len(clients.conns) != 0 {
		t.Error("connections were kept")
	}
}

// TestAStreamIsFollowedUntilItEnds: what is said arrives in order; a refusal, an end
// and the reader's own error are told apart; a context ends it.
func TestAStreamIsFollowedUntilItEnds(t *testing.T) {
	a := authority(t)
	address := serve(t, issued(t, a, "one"), double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	var got []uint64
	take := func(r *pb.FollowReply) error { got = append(got, r.Applied); return nil }
	err := clients.Follow(t.Context(), "one", address, &pb.FollowRequest{After: 7}, take)
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "stopping") || !slices.Equal(got, []uint64{7, 8, 9}) {
		t.Errorf("a member that stops: %v, %v", got, err)
	}
	enough := errors.New("enough")
	if err := clients.Follow(t.Context(), "one", address, &pb.FollowRequest{}, func(*pb.FollowReply) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a reader that has enough: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err = clients.Follow(ctx, "one", address, &pb.FollowRequest{}, func(*pb.FollowReply) error {
		if seen++; seen == 3 {
			cancel()
		}
		return nil
	})
	if err == nil || seen != 3 {
		t.Errorf("a reader that ends: %d, %v", seen, err)
	}
	stranger := NewClients(issued(t, a, "three"))
	defer stranger.Close()
	if err := stranger.Follow(t.Context(), "one", address, &pb.FollowRequest{}, take); !errors.Is(err, ErrRefused) {
		t.Errorf("one that is refused: %v", err)
	}
	if _, err := stranger.Certify(t.Context(), "one", address, &pb.CertifyRequest{}); !errors.Is(err, ErrRefused) {
		t.Errorf("one that is refused a certificate: %v", err)
	}
	out, err := clients.Certify(t.Context(), "one", address, &pb.CertifyRequest{CertificateRequest: []byte("x")})
	if err != nil || string(out.Certificate) != "x" {
		t.Errorf("Certify = %v, %v", out, err)
	}
}

// TestK2AGatewayJoinsByToken, and a stranger follows nobody.
func TestK2AGatewayJoinsByToken(t *testing.T) {
	a := authority(t)
	address := serve(t, issued(t, a, "one"), double())
	token := pki.NewToken(&a.Root, []string{address})
	in := &pb.JoinGatewayRequest{Node: &pb.JoinRequest{Secret: "right", Node: "gw"}, CertificateRequest: []byte("x")}
	if out, err := JoinGateway(t.Context(), &token, in, time.Now); err != nil || string(out.Certificate) != "x" {
		t.Errorf("JoinGateway = %v, %v", out, err)
	}
	in.Node.Secret = "wrong"
	if _, err := JoinGateway(t.Context(), &token, in, time.Now); !errors.Is(err, ErrRefused) {
		t.Errorf("a wrong secret: %v", err)
	}
	raw, _, err := port.DialPinned(t.Context(), address, a.Fingerprint(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(address, alreadyDialled(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := pb.NewClusterClient(conn).Follow(t.Context(), &pb.FollowRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stranger follows: %v", err)
	}
}

// TestAMemberOfAnEarlierBuildLetsNoGatewayIn: it does not let a gateway in as if
// it were a member.
func TestAMemberOfAnEarlierBuildLetsNoGatewayIn(t *testing.T) {
	a := authority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := port.New(l, issued(t, a, "one"), slog.New(slog.DiscardHandler))
	old := grpc.NewServer(grpc.Creds(arrived{p.Credentials()})) // it knows no call of today's
	p.Run()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = old.Serve(p.Lane(port.GRPC)) }()
	defer func() {
		old.Stop()
		<-ended
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	token := pki.NewToken(&a.Root, []string{l.Addr().String()})
	if _, err := JoinGateway(t.Context(), &token, &pb.JoinGatewayRequest{}, time.Now); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "upgrade the members first") {
		t.Errorf("JoinGateway = %v", err)
	}
}

func alreadyDialled(c net.Conn) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) { return c, nil }
}

// TestAClockDoesNotExpelANode: a node whose clock has jumped finds certificates over. That
// is no refusal, by which the others would end for good.
func TestAClockDoesNotExpelANode(t *testing.T) {
	a := authority(t)
	var ahead atomic.Int64
	creds := issued(t, a, "one")
	creds.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	address := serve(t, creds, double())
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	ask := func() error {
		_, err := clients.Progress(t.Context(), "one", address, &pb.ProgressRequest{})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * pki.NodeLife)) // the connection is there
	if err := ask(); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a clock that is ahead: %v", err)
	}
	creds.Refuse(func(string) bool { return true })
	ahead.Store(0)
	if err := ask(); !errors.Is(err, ErrRefused) {
		t.Errorf("a node that was removed: %v", err)
	}
}
