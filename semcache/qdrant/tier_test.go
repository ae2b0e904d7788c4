package qdrant

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	api "github.com/qdrant/go-client/qdrant"

	"purser/ledger"
	"purser/semcache/semantic"
)

func TestWhatOneNodeStoresAnotherFinds(t *testing.T) {
	w := anyWorld(t)
	a, b := w.readyNode(), w.readyNode()
	w.store(a, point("acme", "s", "near", 10), point("acme", "s", "nearer", 5), point("acme", "s", "far", 80))
	w.finds(b, query("acme", "s", 0), "nearer near")
	found, err := b.Nearest(t.Context(), query("acme", "s", 0))
	if err != nil {
		t.Fatal(err)
	}
	if n := found[0]; n.ID != entry("nearer") || n.Expires != noon+ledger.Hour || n.Similarity < 0.99 || n.Similarity > 1 {
		t.Errorf("neighbour %+v", n)
	}
}

func TestNothingCrossesATenantOrAScope(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "mine", 0), point("other", "s", "theirs", 0), point("acme", "other", "elsewhere", 0))
	w.finds(tier, query("acme", "s", 0), "mine")
	w.finds(tier, query("other", "s", 0), "theirs")
	w.finds(tier, query("nobody", "s", 0), "")
	w.finds(tier, query("acme", "nothing", 0), "")
}

func TestOnlyWhatIsValidAndAboveTheFloorIsFound(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	soon := point("acme", "s", "soon", 5)
	soon.Expires = noon + 2*ledger.Second + 1
	w.store(tier, soon, point("acme", "s", "same", 0))
	q := query("acme", "s", 0)
	w.finds(tier, q, "same soon")
	q.Floor = 1 // which the same vector has, and does not exceed
	w.finds(tier, q, "")
	q = query("acme", "s", 0)
	q.Now = noon + 2*ledger.Second
	w.finds(tier, q, "same")
	q.Now, q.K = noon, 1
	w.finds(tier, q, "same")
}

func TestASecondWriteReplacesTheFirst(t *testing.T) {
	w := anyWorld(t)
	a, b := w.readyNode(), w.readyNode()
	again := point("acme", "s", "one", 0)
	again.Payload = []byte("changed")
	w.store(a, point("acme", "s", "one", 0))
	w.finds(a, query("acme", "s", 0), "one")
	w.store(b, again)
	w.finds(a, query("acme", "s", 0), "changed")
}

func TestNodesSetTheCollectionUpAtOnce(t *testing.T) {
	w := anyWorld(t)
	w.config.Replicas = 1
	var nodes []*Tier
	for range 6 {
		nodes = append(nodes, w.node(nil))
	}
	for _, n := range nodes {
		w.until("every node is ready", n.ready)
	}
	info := collectionOf(t, nodes[0])
	c := info.GetConfig()
	if v := c.GetParams().GetVectorsConfig().GetParams(); v.GetSize() != dim || v.GetDistance() != api.Distance_Cosine {
		t.Errorf("vectors %v", v)
	}
	if h := c.GetHnswConfig(); h.GetM() != 0 || h.GetPayloadM() != 16 {
		t.Errorf("graph %v", h)
	}
	if q := c.GetQuantizationConfig().GetScalar(); q.GetType() != api.QuantizationType_Int8 || !q.GetAlwaysRam() {
		t.Errorf("quantisation %v", q)
	}
	if !c.GetParams().GetOnDiskPayload() || c.GetParams().GetReplicationFactor() != 1 {
		t.Errorf("parameters %v", c.GetParams())
	}
	if s := c.GetStrictModeConfig(); !s.GetEnabled() || s.GetUnindexedFilteringRetrieve() || s.GetUnindexedFilteringUpdate() {
		t.Errorf("strict mode %v", s)
	}
	schema := info.GetPayloadSchema()
	if x := schema[fieldTenant]; x.GetDataType() != api.PayloadSchemaType_Keyword || !x.GetParams().GetKeywordIndexParams().GetIsTenant() {
		t.Errorf("index of the tenant %v", x)
	}
	if schema[fieldScope].GetDataType() != api.PayloadSchemaType_Keyword || schema[fieldExpires].GetDataType() != api.PayloadSchemaType_Integer {
		t.Errorf("indexes %v", schema)
	}
}

func TestForgettingReachesEveryNode(t *testing.T) {
	w := anyWorld(t)
	a, b := w.readyNode(), w.readyNode()
	w.store(a, point("acme", "s", "one", 0), point("acme", "s", "two", 5), point("acme", "z", "three", 0), point("other", "s", "four", 0), point("other", "z", "five", 0))
	w.finds(b, query("acme", "s", 0), "one two")
	for _, step := range []struct {
		which                        semantic.Which
		acmeS, acmeZ, otherS, otherZ string
	}{
		{semantic.Which{Tenant: "acme", Scope: scope("s"), ID: entry("one")}, "two", "three", "four", "five"},
		{semantic.Which{Tenant: "acme", Scope: scope("s")}, "", "three", "four", "five"},
		{semantic.Which{Tenant: "other", Scope: scope("z")}, "", "three", "four", ""},
		{semantic.Which{Tenant: "acme"}, "", "", "four", ""},
		{semantic.Which{}, "", "", "", ""},
	} {
		if err := a.Forget(t.Context(), step.which); err != nil {
			t.Fatal(err)
		}
		// It was waited for: no other node finds it from now on.
		for name, want := range map[[2]string]string{{"acme", "s"}: step.acmeS, {"acme", "z"}: step.acmeZ, {"other", "s"}: step.otherS, {"other", "z"}: step.otherZ} {
			if got := w.names(b, query(name[0], name[1], 0)); got != want {
				t.Errorf("after %+v: %v finds %q, want %q", step.which, name, got, want)
			}
		}
	}
	if err := a.Forget(t.Context(), semantic.Which{Tenant: "acme", ID: entry("one")}); err == nil {
		t.Error("an entry without a scope was forgotten")
	}
}

// TestNothingStoredBeforeComesAfterForgetting: whatever the queue was doing.
func TestNothingStoredBeforeComesAfterForgetting(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	for range 20 {
		var writers sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d"} {
			writers.Go(func() {
				for range 25 {
					tier.Store(point("acme", "s", name, 0))
				}
			})
		}
		writers.Wait()
		if err := tier.Forget(t.Context(), semantic.Which{Tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if n := tier.queue.length(); n != 0 {
			t.Fatalf("%d points are still queued", n)
		}
		if got := w.names(tier, query("acme", "s", 0)); got != "" {
			t.Fatalf("found %q after it was forgotten", got)
		}
	}
}

func TestOneNodeDeletesWhatHasExpired(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	old := point("acme", "s", "old", 0)
	old.Expires = noon + ledger.Minute
	w.store(tier, old, point("acme", "s", "young", 0))
	w.clock.Store(int64(noon + 2*ledger.Minute))
	idle := w.readyNode()
	leader := w.node(func(o *Options) { o.Leads = func() bool { return true } })
	total := func() uint64 {
		n, err := tier.client.Count(t.Context(), &api.CountPoints{CollectionName: tier.collection, Exact: ptr(true)})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.until("the expired point is gone", func() bool { return total() == 1 })
	w.until("the leader has counted it", func() bool { return leader.Status().Counts.Sweeps > 0 })
	if idle.Status().Counts.Sweeps != 0 || tier.Status().Counts.Sweeps != 0 {
		t.Error("another node swept than the one that leads")
	}
	q := query("acme", "s", 0)
	q.Now = noon + 2*ledger.Minute
	w.finds(tier, q, "young")
}

func TestEmbeddersHaveCollectionsOfTheirOwn(t *testing.T) {
	w := anyWorld(t)
	a := w.readyNode()
	w.store(a, point("acme", "s", "one", 0))
	b := w.node(func(o *Options) { o.Embedder, o.Dim = "ollama/nomic-embed-text:v1.5", dim })
	w.until("the second embedder's is ready", b.ready)
	if a.collection == b.collection {
		t.Fatal("two embedders share a collection")
	}
	if got := w.names(b, query("acme", "s", 0)); got != "" {
		t.Errorf("found %q among another embedder's vectors", got)
	}
	if err := b.client.DeleteCollection(t.Context(), b.collection); err != nil {
		t.Error(err)
	}
}

func TestBadQueriesAndPointsAreRefusedHere(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	for _, change := range []func(*semantic.Query){
		func(q *semantic.Query) { q.Vector = q.Vector[1:] },
		func(q *semantic.Query) { q.K = 0 },
		func(q *semantic.Query) { q.K = mostNeighbours + 1 },
	} {
		q := query("acme", "s", 0)
		change(&q)
		if _, err := tier.Nearest(t.Context(), q); err == nil || errors.Is(err, ErrOff) {
			t.Errorf("%d values, k %d: %v", len(q.Vector), q.K, err)
		}
	}
	short, large := point("acme", "s", "a", 0), point("acme", "s", "b", 0)
	short.Vector, large.Payload = short.Vector[1:], make([]byte, semantic.MaxPayload+1)
	tier.Store(short)
	tier.Store(large)
	largest := point("acme", "s", "c", 0)
	largest.Payload = make([]byte, semantic.MaxPayload)
	w.store(tier, largest)
	if c := tier.Status().Counts; c.Rejected != 2 || c.Written != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestLookupsAreCounted(t *testing.T) {
	w := anyWorld(t)
	tier := w.readyNode()
	w.store(tier, point("acme", "s", "one", 0))
	w.finds(tier, query("acme", "s", 0), "one")
	before := tier.Status().Counts
	w.names(tier, query("acme", "s", 0))
	w.names(tier, query("acme", "nothing", 0))
	c := tier.Status().Counts
	if c.Found-before.Found != 1 || c.Empty-before.Empty != 1 || c.LookupNanos <= before.LookupNanos {
		t.Errorf("counts %+v, before %+v", c, before)
	}
	if s := tier.Status(); s.State != Ready || s.Reason != ReasonNone || s.Detail != "" || s.Version == "" {
		t.Errorf("status %+v", s)
	}
}

// BenchmarkNearest is the client's share: the double has ten points to look at.
func BenchmarkNearest(b *testing.B) {
	w := anyWorld(b)
	tier := w.readyNode()
	for i := range 10 {
		w.store(tier, point("acme", "s", fmt.Sprint(i), float64(i)))
	}
	q := query("acme", "s", 0)
	for b.Loop() {
		if found, err := tier.Nearest(b.Context(), q); err != nil || len(found) != q.K {
			b.Fatal(len(found), err)
		}
	}
}
