package double

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// point is never changed once it is visible: an update replaces it.
type point struct {
	key     string
	vector  []float32
	payload map[string]*qdrant.Value
	version uint64
}

// visible are the points in the order of their keys.
func (c *collection) visible() []*point {
	list := slices.Collect(maps.Values(c.points))
	slices.SortFunc(list, func(a, b *point) int { return strings.Compare(a.key, b.key) })
	return list
}

type points struct {
	qdrant.UnimplementedPointsServer
	s *Server
}

// write lets an update happen: at once with wait, which is after all before it, else
// when its time has come. The caller holds the lock.
func (s *Server) write(c *collection, wait bool, apply func(serial uint64)) *qdrant.PointsOperationResponse {
	c.serial++
	serial := c.serial
	c.pending = append(c.pending, update{time.Now(), func() { apply(serial) }})
	status := qdrant.UpdateStatus_Acknowledged
	if wait {
		c.settle(0, time.Time{})
		status = qdrant.UpdateStatus_Completed
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{OperationId: &serial, Status: status}}
}

// Upsert implements qdrant.PointsServer.
func (p points) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	if r.ShardKeySelector != nil || r.UpdateFilter != nil || r.GetUpdateMode() != qdrant.UpdateMode_Upsert {
		return nil, beyond("conditional updates, and no shard keys")
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c, err := p.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	var list []*point
	for _, in := range r.Points {
		key, err := keyOf(in.Id)
		if err != nil {
			return nil, err
		}
		values := in.GetVectors().GetVector().GetDense().GetData() // as clients have written it since 1.13
		if len(values) != int(c.params.Size) {
			return nil, wrongDimension(int(c.params.Size), len(values))
		}
		list = append(list, &point{key: key, vector: unit(values), payload: in.Payload})
	}
	return p.s.write(c, r.GetWait(), func(serial uint64) {
		for _, one := range list {
			one.version = serial
			c.points[one.key] = one
		}
	}), nil
}

// Delete implements qdrant.PointsServer.
func (p points) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c, chosen, err := p.s.choose(r.CollectionName, r.Points)
	if err != nil {
		return nil, err
	}
	return p.s.write(c, r.GetWait(), func(uint64) {
		maps.DeleteFunc(c.points, func(_ string, one *point) bool { return chosen(one) })
	}), nil
}

// SetPayload implements qdrant.PointsServer: fields are added, or replaced.
func (p points) SetPayload(_ context.Context, r *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	if r.Key != nil {
		return nil, beyond("nested payloads to set")
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c, chosen, err := p.s.choose(r.CollectionName, r.PointsSelector)
	if err != nil {
		return nil, err
	}
	return p.s.write(c, r.GetWait(), func(serial uint64) {
		for key, one := range c.points {
			if chosen(one) {
				next := *one
				next.version, next.payload = serial, maps.Clone(one.payload)
				if next.payload == nil {
					next.payload = map[string]*qdrant.Value{}
				}
				maps.Copy(next.payload, r.Payload)
				c.points[key] = &next
			}
		}
	}), nil
}

// choose finds a collection and what a selector chooses of it.
func (s *Server) choose(name string, sel *qdrant.PointsSelector) (*collection, predicate, error) {
	c, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	switch one := sel.GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		pass, err := compileOne(qdrant.NewHasID(one.Points.GetIds()...))
		return c, pass, err
	case *qdrant.PointsSelector_Filter:
		if err := c.allowed(one.Filter, c.strictness().UnindexedFilteringUpdate); err != nil {
			return nil, nil, err
		}
		pass, err := compile(one.Filter)
		return c, pass, err
	default:
		return nil, nil, badInput("PointsSelector is missing")
	}
}

// CreateFieldIndex implements qdrant.PointsServer. An index that is there is
// replaced, and that is no error.
func (p points) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	if r.FieldType == nil {
		return nil, badInput("field_type is missing")
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c, err := p.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	// The kinds of both enumerations stand in one order; that of schemas begins with
	// the unknown one.
	info := &qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType(*r.FieldType + 1), Params: r.FieldIndexParams}
	return p.s.write(c, r.GetWait(), func(uint64) { c.indexes[r.FieldName] = info }), nil
}

// read finds a collection and what a read of it sees.
func (s *Server) read(name string, f *qdrant.Filter) (*collection, []*point, error) {
	c, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	if err := c.allowed(f, c.strictness().UnindexedFilteringRetrieve); err != nil {
		return nil, nil, err
	}
	pass, err := compile(f)
	if err != nil {
		return nil, nil, err
	}
	list := c.visible()
	if s.frozen > 0 {
		s.frozen--
		list = slices.Clone(s.stale[c.create.CollectionName])
	}
	return c, slices.DeleteFunc(list, func(p *point) bool { return !pass(p) }), nil
}

// Get implements qdrant.PointsServer.
func (p points) Get(_ context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	_, list, err := p.s.read(r.CollectionName, &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(r.Ids...)}})
	if err != nil {
		return nil, err
	}
	out := &qdrant.GetResponse{}
	for _, one := range list {
		out.Result = append(out.Result, one.retrieved(r.WithPayload, r.WithVectors))
	}
	return out, nil
}

// Count implements qdrant.PointsServer.
func (p points) Count(_ context.Context, r *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	_, list, err := p.s.read(r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: uint64(len(list))}}, nil
}

// Scroll implements qdrant.PointsServer: points in the order of their ids.
func (p points) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	if r.OrderBy != nil {
		return nil, beyond("orders but that of ids")
	}
	limit := defaultLimit
	if r.Limit != nil {
		limit = int(*r.Limit)
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c, list, err := p.s.read(r.CollectionName, r.Filter)
	if err == nil {
		err = c.limited(uint64(limit))
	}
	if err != nil {
		return nil, err
	}
	if r.Offset != nil {
		from, err := keyOf(r.Offset)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(p *point) bool { return p.key < from })
	}
	out := &qdrant.ScrollResponse{}
	if len(list) > limit {
		out.NextPageOffset = idOf(list[limit].key)
		list = list[:limit]
	}
	for _, one := range list {
		out.Result = append(out.Result, one.retrieved(r.WithPayload, r.WithVectors))
	}
	return out, nil
}

func (p *point) retrieved(payload *qdrant.WithPayloadSelector, vectors *qdrant.WithVectorsSelector) *qdrant.RetrievedPoint {
	return &qdrant.RetrievedPoint{Id: idOf(p.key), Payload: selected(p.payload, payload), Vectors: p.output(vectors)}
}

// selected is the part of a payload that is asked for; by default none.
func selected(payload map[string]*qdrant.Value, sel *qdrant.WithPayloadSelector) map[string]*qdrant.Value {
	out := map[string]*qdrant.Value{}
	for name, v := range payload {
		take := sel.GetEnable()
		if in := sel.GetInclude(); in != nil {
			take = slices.Contains(in.Fields, name)
		} else if ex := sel.GetExclude(); ex != nil {
			take = !slices.Contains(ex.Fields, name)
		}
		if take {
			out[name] = proto.Clone(v).(*qdrant.Value)
		}
	}
	return out
}

func (p *point) output(sel *qdrant.WithVectorsSelector) *qdrant.VectorsOutput {
	if !sel.GetEnable() {
		return nil
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: &qdrant.VectorOutput{
		Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: slices.Clone(p.vector)}},
	}}}
}
