package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

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

func alreadyDialled(c net.Conn) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) { return c, nil }
}
