package double_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/semcache/qdrant/double"
)

var real = flag.String("qdrant", "", "host:port of a real Qdrant server to run the suite against, instead of the double")

// target is where the suite runs: a double of the test's own, or the real server.
// Everything it does is in collections that it removes.
func target(t *testing.T) *qdrant.Client {
	t.Helper()
	addr := *real
	if addr == "" {
		s, err := double.Start(double.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		addr = s.Addr()
	}
	return dial(t, addr, "")
}

func dial(t *testing.T, addr, key string) *qdrant.Client {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c, err := qdrant.NewClient(&qdrant.Config{Host: host, Port: n, APIKey: key, PoolSize: 1, SkipCompatibilityCheck: true, KeepAliveTime: -1,
		GrpcOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}, MinConnectTimeout: time.Second})}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// create makes a collection of the test's name and removes it after the test.
func create(t *testing.T, c *qdrant.Client, dim uint64, change func(*qdrant.CreateCollection)) string {
	t.Helper()
	name := "conformance_" + strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	r := &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dim, Distance: qdrant.Distance_Cosine})}
	if change != nil {
		change(r)
	}
	if err := c.CreateCollection(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.DeleteCollection(ctx, name); err != nil {
			t.Errorf("removing %s: %v", name, err)
		}
	})
	return name
}

func upsert(t *testing.T, c *qdrant.Client, name string, wait bool, list ...*qdrant.PointStruct) *qdrant.UpdateResult {
	t.Helper()
	r, err := c.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Wait: &wait, Points: list})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pt(id uint64, payload map[string]any, v ...float32) *qdrant.PointStruct {
	return &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(v), Payload: qdrant.NewValueMap(payload)}
}

// fails checks code and message, which clients match on.
func fails(t *testing.T, err error, code codes.Code, message string) {
	t.Helper()
	if got := status.Code(err); got != code {
		t.Errorf("code %v, want %v: %v", got, code, err)
	}
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("error %v, want one that has %q", err, message)
	}
}

func TestErrorsHaveQdrantsCodesAndMessages(t *testing.T) {
	c := target(t)
	ctx := t.Context()
	name := create(t, c, 4, nil)
	_, err := c.GetCollectionInfo(ctx, "conformance_missing")
	fails(t, err, codes.NotFound, "Not found: Collection `conformance_missing` doesn't exist!")
	_, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: "conformance_missing", Query: qdrant.NewQueryDense([]float32{1, 0, 0, 0})})
	fails(t, err, codes.NotFound, "Not found: Collection `conformance_missing` doesn't exist!")
	err = c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Cosine})})
	fails(t, err, codes.AlreadyExists, "Wrong input: Collection `"+name+"` already exists!")
	wait := true
	_, err = c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: &wait, Points: []*qdrant.PointStruct{pt(1, nil, 1, 2)}})
	fails(t, err, codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: 4, got 2")
	upsert(t, c, name, true, pt(1, nil, 1, 2, 3, 4))
	_, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense([]float32{1, 0})})
	fails(t, err, codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: 4, got 2")
	_, err = c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: &wait, Points: []*qdrant.PointStruct{{Id: qdrant.NewIDUUID("no uuid"), Vectors: qdrant.NewVectors(1, 2, 3, 4)}}})
	fails(t, err, codes.InvalidArgument, "Unable to parse UUID: no uuid")
}

func TestCollectionsAreWhatTheyWereMadeAs(t *testing.T) {
	c := target(t)
	ctx := t.Context()
	name := create(t, c, 4, func(r *qdrant.CreateCollection) {
		r.HnswConfig = &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(0)), PayloadM: qdrant.PtrOf(uint64(16))}
		r.OnDiskPayload = qdrant.PtrOf(true)
	})
	if ok, err := c.CollectionExists(ctx, name); !ok || err != nil {
		t.Errorf("it does not exist: %v", err)
	}
	if ok, err := c.CollectionExists(ctx, "conformance_missing"); ok || err != nil {
		t.Errorf("what is missing exists: %v", err)
	}
	if list, err := c.ListCollections(ctx); err != nil || !slices.Contains(list, name) {
		t.Errorf("%v has no %s: %v", list, name, err)
	}
	for range 2 { // an index that is there is made again
		if _, err := c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: name, Wait: qdrant.PtrOf(true), FieldName: "tenant",
			FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(), FieldIndexParams: qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{IsTenant: qdrant.PtrOf(true)})}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := c.GetCollectionInfo(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	p := info.GetConfig().GetParams()
	if v := p.GetVectorsConfig().GetParams(); v.GetSize() != 4 || v.GetDistance() != qdrant.Distance_Cosine || !p.GetOnDiskPayload() {
		t.Errorf("parameters %v", p)
	}
	if h := info.GetConfig().GetHnswConfig(); h.GetM() != 0 || h.GetPayloadM() != 16 {
		t.Errorf("graph %v", h)
	}
	if s := info.GetPayloadSchema()["tenant"]; s.GetDataType() != qdrant.PayloadSchemaType_Keyword || !s.GetParams().GetKeywordIndexParams().GetIsTenant() {
		t.Errorf("index %v", s)
	}
	if err := c.CreateAlias(ctx, name+"_alias", name); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetCollectionInfo(ctx, name+"_alias"); err != nil {
		t.Errorf("the alias does not lead to it: %v", err)
	}
}

func TestUpdatesAreAcknowledgedOrCompleted(t *testing.T) {
	c := target(t)
	name := create(t, c, 2, nil)
	if r := upsert(t, c, name, false, pt(1, nil, 1, 0)); r.Status != qdrant.UpdateStatus_Acknowledged {
		t.Errorf("nobody waited, and it is %v", r.Status)
	}
	if r := upsert(t, c, name, true, pt(2, nil, 0, 1)); r.Status != qdrant.UpdateStatus_Completed {
		t.Errorf("it was waited for, and is %v", r.Status)
	}
	// What is waited for comes after all that was acknowledged before.
	if n, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)}); err != nil || n != 2 {
		t.Errorf("%d points, want 2: %v", n, err)
	}
}

func TestPointsAreReplacedChangedAndDeleted(t *testing.T) {
	c := target(t)
	ctx := t.Context()
	name := create(t, c, 2, nil)
	const id = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
	upsert(t, c, name, true, pt(1, map[string]any{"a": "x", "n": int64(5)}, 1, 0), pt(2, map[string]any{"a": "y"}, 0, 1),
		&qdrant.PointStruct{Id: qdrant.NewIDUUID(strings.ReplaceAll(id, "-", "")), Vectors: qdrant.NewVectors(1, 1)})
	upsert(t, c, name, true, pt(1, map[string]any{"b": "z"}, 1, 0)) // replaces: a and n are gone
	if _, err := c.SetPayload(ctx, &qdrant.SetPayloadPoints{CollectionName: name, Wait: qdrant.PtrOf(true), Payload: qdrant.NewValueMap(map[string]any{"c": "w"}), PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(1))}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, WithPayload: qdrant.NewWithPayload(true)})
	if err != nil || len(got) != 1 || len(got[0].Payload) != 2 || got[0].Payload["b"].GetStringValue() != "z" || got[0].Payload["c"].GetStringValue() != "w" {
		t.Errorf("the point is %v: %v", got, err)
	}
	page, next, err := c.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(2))})
	if err != nil || len(page) != 2 || next.GetUuid() != id {
		t.Errorf("a page of %d, then %v: %v", len(page), next, err)
	}
	page, next, err = c.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(2)), Offset: next})
	if err != nil || len(page) != 1 || next != nil || page[0].GetId().GetUuid() != id {
		t.Errorf("the last page is %v, then %v: %v", page, next, err)
	}
	for _, sel := range []*qdrant.PointsSelector{qdrant.NewPointsSelector(qdrant.NewIDNum(1)), qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("a", "y")}})} {
		if _, err := c.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: sel, Ordering: &qdrant.WriteOrdering{Type: qdrant.WriteOrderingType_Strong}}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)}); err != nil || n != 1 {
		t.Errorf("%d points, want 1: %v", n, err)
	}
}

func TestQueriesAnswerWithWhatIsAskedFor(t *testing.T) {
	c := target(t)
	ctx := t.Context()
	name := create(t, c, 2, nil)
	var list []*qdrant.PointStruct
	for i := range uint64(12) {
		list = append(list, pt(i+1, map[string]any{"a": "x", "b": "y"}, 1, float32(i)/10))
	}
	upsert(t, c, name, true, list...)
	ask := func(change func(*qdrant.QueryPoints)) []*qdrant.ScoredPoint {
		t.Helper()
		r := &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense([]float32{1, 0})}
		change(r)
		got, err := c.Query(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ask(func(*qdrant.QueryPoints) {}); len(got) != 10 || len(got[0].Payload) != 0 || got[0].Vectors != nil {
		t.Errorf("%d points, want 10 without payloads and vectors: %v", len(got), got[0])
	}
	if got := ask(func(r *qdrant.QueryPoints) { r.WithPayload = qdrant.NewWithPayloadInclude("b") }); len(got[0].Payload) != 1 || got[0].Payload["b"].GetStringValue() != "y" {
		t.Errorf("payload %v, want b alone", got[0].Payload)
	}
	if got := ask(func(r *qdrant.QueryPoints) { r.WithVectors = qdrant.NewWithVectors(true) }); len(got[0].GetVectors().GetVector().GetDenseVector().GetData()) != 2 {
		t.Errorf("vectors %v", got[0].Vectors)
	}
	both, err := c.QueryBatch(ctx, &qdrant.QueryBatchPoints{CollectionName: name, QueryPoints: []*qdrant.QueryPoints{
		{CollectionName: name, Query: qdrant.NewQueryDense([]float32{1, 0}), Limit: qdrant.PtrOf(uint64(1))},
		{CollectionName: name, Query: qdrant.NewQueryDense([]float32{1, 1.1}), Limit: qdrant.PtrOf(uint64(1))},
	}})
	if err != nil || len(both) != 2 || both[0].Result[0].GetId().GetNum() != 1 || both[1].Result[0].GetId().GetNum() != 12 {
		t.Errorf("a batch answers %v: %v", both, err)
	}
}

func TestStrictModeRefusesUnindexedFilters(t *testing.T) {
	c := target(t)
	ctx := t.Context()
	name := create(t, c, 2, func(r *qdrant.CreateCollection) {
		r.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: qdrant.PtrOf(true), UnindexedFilteringRetrieve: qdrant.PtrOf(false), UnindexedFilteringUpdate: qdrant.PtrOf(false), MaxQueryLimit: qdrant.PtrOf(uint32(20))}
	})
	upsert(t, c, name, true, pt(1, map[string]any{"tenant": "a", "exp": int64(5)}, 1, 0))
	ask := func(limit uint64, conditions ...*qdrant.Condition) error {
		_, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense([]float32{1, 0}), Limit: &limit, Filter: &qdrant.Filter{Must: conditions}})
		return err
	}
	const help = ". Help: Create an index for this key or use a different filter."
	fails(t, ask(5, qdrant.NewMatch("tenant", "a")), codes.InvalidArgument, `Bad request: Index required but not found for "tenant" of one of the following types: [keyword]`+help)
	fails(t, ask(5, qdrant.NewRange("exp", &qdrant.Range{Gt: qdrant.PtrOf(1.0)})), codes.InvalidArgument, `Bad request: Index required but not found for "exp" of one of the following types: [float, integer]`+help)
	fails(t, ask(21), codes.InvalidArgument, `Bad request: Limit exceeded 21 > 20 for "limit". Help: Reduce the "limit" parameter to or below 20.`)
	_, err := c.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("tenant", "a")}})})
	fails(t, err, codes.InvalidArgument, `Index required but not found for "tenant"`)
	for field, kind := range map[string]qdrant.FieldType{"tenant": qdrant.FieldType_FieldTypeKeyword, "exp": qdrant.FieldType_FieldTypeInteger} {
		if _, err := c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: name, Wait: qdrant.PtrOf(true), FieldName: field, FieldType: &kind}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(20, qdrant.NewMatch("tenant", "a"), qdrant.NewRange("exp", &qdrant.Range{Gt: qdrant.PtrOf(1.0)})); err != nil {
		t.Errorf("both are indexed, and it answers %v", err)
	}
}

func TestHealthTellsTheVersion(t *testing.T) {
	h, err := target(t).HealthCheck(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if n, err := fmt.Sscanf(h.Version, "%d.%d", &major, &minor); n != 2 {
		t.Errorf("version %q: %v", h.Version, err)
	}
	t.Logf("%s %s", h.Title, h.Version)
}
