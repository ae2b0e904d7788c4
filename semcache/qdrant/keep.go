package qdrant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

const (
	healthTime = 500 * time.Millisecond
	setupTime  = 5 * time.Second // of one call of the set-up
	// probes is how many lookups the set-up tries until one is in time: the first one of
	// a collection may have to load it.
	probes = 3
)

// Versions that the client library's rule and the tests cover: its own minor version,
// and one on either side.
const (
	major    = 1
	minMinor = 16
	maxMinor = 18
)

// keep connects, and looks for the server again whenever it was lost.
func (t *Tier) keep(ctx context.Context) {
	pause := t.pace.first
	for ctx.Err() == nil {
		o := t.prepare(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := pause
		if o == nil {
			began := time.Now()
			t.breaker.reset()
			t.enter(Ready, ReasonNone, nil)
			select {
			case why := <-t.tripped:
				t.enter(Down, why, errors.New("qdrant: lookups or writes failed; the server is tried again"))
			case <-ctx.Done():
				return
			}
			if time.Since(began) >= t.pace.steady {
				pause = t.pace.first
			}
			wait = pause
		} else {
			t.hindered(o)
			if o.lasting {
				wait = t.pace.refused
			}
		}
		pause = min(2*pause, t.pace.longest)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// hindered leaves Connecting only for a refusal: a server that was never there is not down.
func (t *Tier) hindered(o *obstacle) {
	switch {
	case o.lasting:
		t.enter(Refused, o.reason, o)
	case State(t.state.Load()) == Connecting:
		t.enter(Connecting, o.reason, o)
	default:
		t.enter(Down, o.reason, o)
	}
}

// prepare looks at the server, and sets up what is missing. Nodes may do so at once.
func (t *Tier) prepare(ctx context.Context) *obstacle {
	version, err := t.health(ctx)
	if err != nil {
		o := stopped("no answer to a health check from "+t.opt.Config.Address, err)
		if !o.lasting {
			o.text += " (is it the gRPC port, and is semcache.qdrant.tls as the server has it?)"
		}
		return o
	}
	t.mu.Lock()
	t.version = firstOf(version)
	t.mu.Unlock()
	if o := supported(version); o != nil {
		return o
	}
	info, err := t.info(ctx)
	if err != nil && codeOf(err) == codes.NotFound {
		if o := t.create(ctx); o != nil {
			return o
		}
		info, err = t.info(ctx)
	}
	if err != nil {
		return stopped("reading the collection", err)
	}
	if o := t.fits(info); o != nil {
		return o
	}
	if o := t.index(ctx, info); o != nil {
		return o
	}
	for range probes {
		if err = t.probe(ctx); err == nil {
			return nil
		}
	}
	o := stopped("a first lookup", err)
	if codeOf(err) == codes.DeadlineExceeded {
		o.reason = ReasonSlow
	}
	return o
}

// health asks the server whether it is there, and for its version.
func (t *Tier) health(ctx context.Context) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	reply, err := t.client.HealthCheck(ctx)
	return reply.GetVersion(), err
}

// supported says what to do about a version that is not.
func supported(version string) *obstacle {
	var a, b int
	n, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &a, &b)
	if err != nil || n != 2 {
		return lasting(ReasonVersion, "the server does not say which version it is (%q): is it Qdrant's gRPC port?", firstOf(version))
	}
	if a != major || b < minMinor || b > maxMinor {
		return lasting(ReasonVersion, "the server is version %s, and this build works with %d.%d to %d.%d: change the server's version, or remove semcache.qdrant", firstOf(version), major, minMinor, major, maxMinor)
	}
	return nil
}

func (t *Tier) info(ctx context.Context) (*api.CollectionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	return t.client.GetCollectionInfo(ctx, t.collection)
}

// create makes the collection. That another node was first is success.
func (t *Tier) create(ctx context.Context) *obstacle {
	ctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	replicas := uint32(t.opt.Config.Replicas)
	err := t.client.CreateCollection(ctx, &api.CreateCollection{
		CollectionName: t.collection,
		VectorsConfig:  api.NewVectorsConfig(&api.VectorParams{Size: uint64(t.opt.Dim), Distance: api.Distance_Cosine}),
		// No graph over everything: each question is one tenant's.
		HnswConfig: &api.HnswConfigDiff{M: api.PtrOf(uint64(0)), PayloadM: api.PtrOf(uint64(16))},
		QuantizationConfig: api.NewQuantizationScalar(&api.ScalarQuantization{
			Type: api.QuantizationType_Int8, Quantile: api.PtrOf(float32(0.99)), AlwaysRam: api.PtrOf(true),
		}),
		OnDiskPayload:          api.PtrOf(true),
		ReplicationFactor:      &replicas,
		WriteConsistencyFactor: api.PtrOf(uint32(1)), // it is a cache: one replica that has a point is enough
		StrictModeConfig: &api.StrictModeConfig{
			Enabled: api.PtrOf(true), UnindexedFilteringRetrieve: api.PtrOf(false), UnindexedFilteringUpdate: api.PtrOf(false),
		},
	})
	if err != nil && codeOf(err) != codes.AlreadyExists {
		return stopped("making the collection", err)
	}
	if err == nil {
		t.opt.Log.Info("the collection of the shared semantic tier was made", "collection", t.collection, "dimension", t.opt.Dim)
	}
	return nil
}

// fits says what to do about a collection that is not of this embedder.
func (t *Tier) fits(info *api.CollectionInfo) *obstacle {
	v := info.GetConfig().GetParams().GetVectorsConfig().GetParams()
	const remedy = "delete the collection, or set another semcache.qdrant.prefix"
	switch {
	case v == nil:
		return lasting(ReasonSetup, "the collection %s has no unnamed vectors: %s", t.collection, remedy)
	case v.GetSize() != uint64(t.opt.Dim):
		return lasting(ReasonDimension, "the collection %s has vectors of dimension %d, and the embedder's have %d: %s", t.collection, v.GetSize(), t.opt.Dim, remedy)
	case v.GetDistance() != api.Distance_Cosine:
		return lasting(ReasonDistance, "the collection %s has distance %s, and not Cosine: %s", t.collection, v.GetDistance(), remedy)
	}
	return nil
}

// index makes the payload indexes that are missing. To make one again is no error.
func (t *Tier) index(ctx context.Context, info *api.CollectionInfo) *obstacle {
	indexes := []struct {
		field  string
		kind   api.FieldType
		schema api.PayloadSchemaType
		params *api.PayloadIndexParams
	}{
		{fieldTenant, api.FieldType_FieldTypeKeyword, api.PayloadSchemaType_Keyword, api.NewPayloadIndexParamsKeyword(&api.KeywordIndexParams{IsTenant: api.PtrOf(true)})},
		{fieldScope, api.FieldType_FieldTypeKeyword, api.PayloadSchemaType_Keyword, nil},
		{fieldExpires, api.FieldType_FieldTypeInteger, api.PayloadSchemaType_Integer, nil},
	}
	for _, x := range indexes {
		if info.GetPayloadSchema()[x.field].GetDataType() == x.schema {
			continue
		}
		call, cancel := context.WithTimeout(ctx, setupTime)
		_, err := t.client.CreateFieldIndex(call, &api.CreateFieldIndexCollection{
			CollectionName: t.collection, Wait: api.PtrOf(true), FieldName: x.field, FieldType: &x.kind, FieldIndexParams: x.params,
		})
		cancel()
		if err != nil {
			return stopped("making the index of "+x.field, err)
		}
	}
	return nil
}
