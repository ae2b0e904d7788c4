package double

import (
	"cmp"
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// defaultLimit is of queries and scrolls that name none.
const defaultLimit = 10

// Query implements qdrant.PointsServer, for the nearest neighbours of a dense vector.
func (p points) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	found, err := p.s.nearest(r)
	if err != nil {
		return nil, err
	}
	return &qdrant.QueryResponse{Result: found}, nil
}

// QueryBatch implements qdrant.PointsServer: one that fails fails all.
func (p points) QueryBatch(_ context.Context, r *qdrant.QueryBatchPoints) (*qdrant.QueryBatchResponse, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	out := &qdrant.QueryBatchResponse{}
	for _, one := range r.QueryPoints {
		found, err := p.s.nearest(one)
		if err != nil {
			return nil, err
		}
		out.Result = append(out.Result, &qdrant.BatchResult{Result: found})
	}
	return out, nil
}

func (s *Server) nearest(r *qdrant.QueryPoints) ([]*qdrant.ScoredPoint, error) {
	dense := r.GetQuery().GetNearest().GetDense()
	if dense == nil || len(r.Prefetch) > 0 || r.LookupFrom != nil || r.ShardKeySelector != nil || r.GetUsing() != "" {
		return nil, beyond("queries but for the nearest to a dense vector")
	}
	c, list, err := s.read(r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	limit := uint64(defaultLimit)
	if r.Limit != nil {
		limit = *r.Limit
	}
	if err := c.limited(limit); err != nil {
		return nil, err
	}
	if len(dense.Data) != int(c.params.Size) {
		return nil, wrongDimension(int(c.params.Size), len(dense.Data))
	}
	asked := unit(dense.Data)
	var found []*qdrant.ScoredPoint
	for _, one := range list {
		score := dot(asked, one.vector)
		// The threshold itself is not enough.
		if r.ScoreThreshold != nil && !(score > *r.ScoreThreshold) {
			continue
		}
		found = append(found, &qdrant.ScoredPoint{Id: idOf(one.key), Score: score, Version: one.version, Payload: selected(one.payload, r.WithPayload), Vectors: one.output(r.WithVectors)})
	}
	slices.SortStableFunc(found, func(a, b *qdrant.ScoredPoint) int { return cmp.Compare(b.Score, a.Score) })
	if from := int(min(r.GetOffset(), uint64(len(found)))); from > 0 {
		found = found[from:]
	}
	return found[:min(limit, uint64(len(found)))], nil
}
