package double_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/semcache/qdrant/double"
)

// Faults are the double's own: these tests do not run against a real server.

func started(t *testing.T, o double.Options) (*double.Server, *qdrant.Client) {
	t.Helper()
	if *real != "" {
		t.Skip("faults are of the double")
	}
	s, err := double.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, dial(t, s.Addr(), "")
}

func counted(t *testing.T, c *qdrant.Client, name string) uint64 {
	t.Helper()
	n, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUnwaitedUpdatesAreSeenLater(t *testing.T) {
	s, c := started(t, double.Options{Lag: -1})
	name := create(t, c, 2, nil)
	upsert(t, c, name, false, pt(1, nil, 1, 0))
	if n := counted(t, c, name); n != 0 {
		t.Errorf("%d points before anything settled", n)
	}
	s.Settle()
	if n := counted(t, c, name); n != 1 {
		t.Errorf("%d points after all settled", n)
	}
}

func TestAStaleReplicaAnswersWhatItKnew(t *testing.T) {
	s, c := started(t, double.Options{})
	name := create(t, c, 2, nil)
	upsert(t, c, name, true, pt(1, nil, 1, 0))
	s.Freeze(1)
	upsert(t, c, name, true, pt(2, nil, 0, 1))
	if n := counted(t, c, name); n != 1 {
		t.Errorf("the stale read counts %d", n)
	}
	if n := counted(t, c, name); n != 2 {
		t.Errorf("the next read counts %d", n)
	}
}

func TestFaultsStrikeAsOftenAsTheyShould(t *testing.T) {
	s, c := started(t, double.Options{})
	name := create(t, c, 2, nil)
	s.Inject(double.Fault{Method: "Upsert", Calls: 1, Code: codes.Unavailable})
	s.Inject(double.Fault{Method: "Upsert", Calls: 1, Reset: true, Applied: true})
	s.Inject(double.Fault{Method: "Upsert", Calls: 1, Code: codes.ResourceExhausted, RetryAfter: 7})
	put := func(id uint64) error {
		_, err := c.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{pt(id, nil, 1, 0)}})
		return err
	}
	if err := put(1); status.Code(errors.Unwrap(err)) != codes.Unavailable || counted(t, c, name) != 0 {
		t.Errorf("first: %v", err)
	}
	if err := put(2); err == nil {
		t.Error("the acknowledgement was not lost")
	}
	if n := counted(t, c, name); n != 1 {
		t.Errorf("%d points: what was not acknowledged was to be applied", n)
	}
	var limited *qdrant.QdrantResourceExhaustedError
	if err := put(3); !errors.As(err, &limited) || limited.RetryAfterS != 7 {
		t.Errorf("third: %v", err)
	}
	if err := put(4); err != nil {
		t.Errorf("fourth: %v", err)
	}
	if n := s.Calls("Upsert"); n != 4 {
		t.Errorf("%d calls were counted", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s.Inject(double.Fault{Method: "Count", Delay: time.Hour})
	if _, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: name}); status.Code(errors.Unwrap(err)) != codes.DeadlineExceeded {
		t.Errorf("a slow answer: %v", err)
	}
	s.Clear()
	if n := counted(t, c, name); n != 2 {
		t.Errorf("%d points at the end", n)
	}
}

func TestTheServerComesBackAsItWasOrEmpty(t *testing.T) {
	s, c := started(t, double.Options{})
	name := create(t, c, 2, nil)
	upsert(t, c, name, true, pt(1, nil, 1, 0))
	s.Halt()
	if _, err := c.HealthCheck(t.Context()); err == nil {
		t.Error("a halted server answers")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	// The first client redials when it likes; what removes the collection is that one.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := c.HealthCheck(t.Context()); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	again := dial(t, s.Addr(), "")
	if n := counted(t, again, name); n != 1 {
		t.Errorf("%d points after it came back", n)
	}
	s.Lose()
	_, err := again.GetCollectionInfo(t.Context(), name)
	fails(t, err, codes.NotFound, "doesn't exist!")
	// It is made again, so that there is one to remove.
	if err := again.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Cosine})}); err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreWanted(t *testing.T) {
	s, bare := started(t, double.Options{APIKey: "secret"})
	_, err := bare.HealthCheck(t.Context())
	fails(t, err, codes.Unauthenticated, "Must provide an API key or an Authorization bearer token")
	_, err = dial(t, s.Addr(), "wrong").HealthCheck(t.Context())
	fails(t, err, codes.Unauthenticated, "Invalid API key or JWT")
	if _, err := dial(t, s.Addr(), "secret").HealthCheck(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatTheDoubleHasNotIsUnimplemented(t *testing.T) {
	_, c := started(t, double.Options{})
	name := create(t, c, 2, nil)
	_, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF)})
	fails(t, err, codes.Unimplemented, "the double has no")
	_, err = c.Facet(t.Context(), &qdrant.FacetCounts{CollectionName: name, Key: "a"})
	fails(t, err, codes.Unimplemented, "")
	_, err = c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchText("a", "b")}}})
	fails(t, err, codes.Unimplemented, "the double has no")
}
