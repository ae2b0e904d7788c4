package double

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// collection is guarded by the server's lock.
type collection struct {
	create  *qdrant.CreateCollection
	params  *qdrant.VectorParams
	indexes map[string]*qdrant.PayloadSchemaInfo
	points  map[string]*point
	pending []update
	serial  uint64 // of the last update
}

// update is one that was acknowledged and is not visible yet.
type update struct {
	at    time.Time
	apply func()
}

// settle applies the pending updates that are older than lag at an instant, in their
// order; the zero instant is all of them.
func (c *collection) settle(lag time.Duration, now time.Time) {
	n := 0
	for n < len(c.pending) && (now.IsZero() || lag >= 0 && now.Sub(c.pending[n].at) >= lag) {
		c.pending[n].apply()
		n++
	}
	c.pending = c.pending[n:]
}

// find returns a collection or the error that Qdrant has. The caller holds the lock.
func (s *Server) find(name string) (*collection, error) {
	if to, ok := s.aliases[name]; ok {
		name = to
	}
	c, ok := s.collections[name]
	if !ok {
		return nil, noCollection(name)
	}
	c.settle(s.opt.Lag, time.Now())
	return c, nil
}

type collections struct {
	qdrant.UnimplementedCollectionsServer
	s *Server
}

// Create implements qdrant.CollectionsServer.
func (c collections) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	p := r.GetVectorsConfig().GetParams()
	switch {
	case p == nil || p.MultivectorConfig != nil || r.SparseVectorsConfig != nil || r.ShardingMethod != nil:
		return nil, beyond("collections but those of one dense vector")
	case p.Distance != qdrant.Distance_Cosine:
		return nil, beyond("distance but cosine")
	case p.Size == 0:
		return nil, badInput("vectors_config.params.size: value 0 invalid, must be from 1.0 to 65536.0")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.collections[r.CollectionName] != nil {
		return nil, collectionExists(r.CollectionName)
	}
	c.s.collections[r.CollectionName] = &collection{create: proto.Clone(r).(*qdrant.CreateCollection), params: p, indexes: map[string]*qdrant.PayloadSchemaInfo{}, points: map[string]*point{}}
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

// Get implements qdrant.CollectionsServer.
func (c collections) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	it, err := c.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	schema := map[string]*qdrant.PayloadSchemaInfo{}
	for name, info := range it.indexes {
		schema[name] = proto.Clone(info).(*qdrant.PayloadSchemaInfo)
	}
	n := uint64(len(it.points))
	return &qdrant.GetCollectionInfoResponse{Result: &qdrant.CollectionInfo{
		Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true}, SegmentsCount: 1,
		PointsCount: &n, IndexedVectorsCount: new(uint64), PayloadSchema: schema,
		Config: &qdrant.CollectionConfig{
			Params: &qdrant.CollectionParams{
				ShardNumber: max(1, it.create.GetShardNumber()), OnDiskPayload: it.create.GetOnDiskPayload(), VectorsConfig: it.create.VectorsConfig,
				ReplicationFactor: it.create.ReplicationFactor, WriteConsistencyFactor: it.create.WriteConsistencyFactor,
			},
			HnswConfig: it.create.HnswConfig, OptimizerConfig: it.create.OptimizersConfig, QuantizationConfig: it.create.QuantizationConfig, StrictModeConfig: it.create.StrictModeConfig,
		},
	}}, nil
}

// List implements qdrant.CollectionsServer.
func (c collections) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	out := &qdrant.ListCollectionsResponse{}
	for _, name := range slices.Sorted(maps.Keys(c.s.collections)) {
		out.Collections = append(out.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return out, nil
}

// CollectionExists implements qdrant.CollectionsServer.
func (c collections) CollectionExists(_ context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_, err := c.s.find(r.CollectionName)
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: err == nil}}, nil
}

// Delete implements qdrant.CollectionsServer. What is not there is not deleted, and
// that is no error.
func (c collections) Delete(_ context.Context, r *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_, ok := c.s.collections[r.CollectionName]
	delete(c.s.collections, r.CollectionName)
	maps.DeleteFunc(c.s.aliases, func(_, to string) bool { return to == r.CollectionName })
	return &qdrant.CollectionOperationResponse{Result: ok}, nil
}

// UpdateAliases implements qdrant.CollectionsServer.
func (c collections) UpdateAliases(_ context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, a := range r.Actions {
		switch one := a.GetAction().(type) {
		case *qdrant.AliasOperations_CreateAlias:
			if c.s.collections[one.CreateAlias.CollectionName] == nil {
				return nil, noCollection(one.CreateAlias.CollectionName)
			}
			c.s.aliases[one.CreateAlias.AliasName] = one.CreateAlias.CollectionName
		case *qdrant.AliasOperations_DeleteAlias:
			delete(c.s.aliases, one.DeleteAlias.AliasName)
		default:
			return nil, beyond("such operations on aliases")
		}
	}
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}
