package peer

import (
	"context"
	"flag"
	"testing"
	"time"

	"purser/api/pb"
)

var quiet = flag.Duration("quiet", 0, "how long a flight is held open without a word, at least 40s")

// Whoever leads a flight says nothing while the provider makes its answer, which may
// take minutes. The connection is kept, though each end asks whether the other is there.
func TestAFlightMayBeQuiet(t *testing.T) {
	if *quiet == 0 {
		t.Skip("it takes a minute: -args -quiet 60s")
	}
	a := authority(t)
	service := double()
	service.Caches.Ask = func(ctx context.Context, _ *pb.CacheQuestion, say func(*pb.CacheReply) error, landed func(context.Context) ([]byte, error)) error {
		if err := say(&pb.CacheReply{Verdict: pb.CacheVerdict_CACHE_LEAD}); err != nil {
			return err
		}
		_, err := landed(ctx)
		return err
	}
	address := serve(t, issued(t, a, "one"), service)
	clients := NewClients(issued(t, a, "two"))
	defer clients.Close()
	call, err := clients.CacheAsk(t.Context(), "one", address, &pb.CacheQuestion{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call.Next(); err != nil {
		t.Fatal(err)
	}
	broke := make(chan error, 1)
	go func() { // ended by the call's end, when the clients are closed
		_, err := call.Next()
		broke <- err
	}()
	select {
	case err := <-broke:
		t.Fatalf("the flight was lost: %v", err)
	case <-time.After(*quiet):
	}
}
