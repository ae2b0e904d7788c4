package double_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// golden is what Qdrant's engine answered: tools/qdrant-golden.
type golden struct {
	Engine string
	Dim    uint64
	Points []struct {
		ID      any
		Vector  []float32
		Payload map[string]any
	}
	Queries []struct {
		Ask struct {
			Vector    []float32
			Limit     uint64
			Offset    *uint64
			Threshold *float32 `json:"score_threshold"`
			Filter    map[string]any
		}
		Answer []struct {
			ID    any
			Score float32
		}
	}
	Filters []struct {
		Filter map[string]any
		IDs    []any `json:"ids"`
		Count  uint64
	}
	Stored []struct {
		ID     any
		Vector []float32
	}
}

// tolerance is for sums of float32 in another order.
const tolerance = 1e-6

func load(t *testing.T) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Points) < 10 || len(g.Queries) < 10 || len(g.Filters) < 30 {
		t.Fatalf("golden answers of %s are missing: %d points, %d queries, %d filters", g.Engine, len(g.Points), len(g.Queries), len(g.Filters))
	}
	return g
}

func (g golden) fill(t *testing.T, c *qdrant.Client) string {
	t.Helper()
	name := create(t, c, g.Dim, nil)
	var list []*qdrant.PointStruct
	for _, p := range g.Points {
		list = append(list, &qdrant.PointStruct{Id: pointID(p.ID), Vectors: qdrant.NewVectorsDense(p.Vector), Payload: qdrant.NewValueMap(whole(p.Payload).(map[string]any))})
	}
	upsert(t, c, name, true, list...)
	return name
}

func TestScoresAreThoseOfQdrantsEngine(t *testing.T) {
	g, c := load(t), target(t)
	name := g.fill(t, c)
	for i, q := range g.Queries {
		got, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense(q.Ask.Vector), Limit: &q.Ask.Limit, Offset: q.Ask.Offset,
			ScoreThreshold: q.Ask.Threshold, Filter: filterOf(q.Ask.Filter)})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(q.Answer) {
			t.Errorf("query %d: %d points, want %d", i, len(got), len(q.Answer))
			continue
		}
		// Points of one score have no order.
		scores := map[string]float32{}
		for j, want := range q.Answer {
			scores[text(want.ID)] = want.Score
			if math.Abs(float64(got[j].Score-want.Score)) > tolerance {
				t.Errorf("query %d, place %d: score %v, want %v", i, j, got[j].Score, want.Score)
			}
		}
		for _, p := range got {
			if want, ok := scores[idText(p.Id)]; !ok || math.Abs(float64(p.Score-want)) > tolerance {
				t.Errorf("query %d: point %v has %v, want %v", i, p.Id, p.Score, want)
			}
		}
	}
}

func TestFiltersAreThoseOfQdrantsEngine(t *testing.T) {
	g, c := load(t), target(t)
	name := g.fill(t, c)
	for _, f := range g.Filters {
		got, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense(g.Points[0].Vector), Limit: qdrant.PtrOf(uint64(100)), Filter: filterOf(f.Filter)})
		if err != nil {
			t.Errorf("%v: %v", f.Filter, err)
			continue
		}
		var ids, want []string
		for _, p := range got {
			ids = append(ids, idText(p.Id))
		}
		for _, id := range f.IDs {
			want = append(want, text(id))
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("%v: points %v, want %v", f.Filter, ids, want)
		}
		if n, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true), Filter: filterOf(f.Filter)}); err != nil || n != f.Count {
			t.Errorf("%v: %d counted, want %d: %v", f.Filter, n, f.Count, err)
		}
	}
}

func TestVectorsAreStoredAsByQdrantsEngine(t *testing.T) {
	g, c := load(t), target(t)
	name := g.fill(t, c)
	for _, s := range g.Stored {
		got, err := c.Get(t.Context(), &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{pointID(s.ID)}, WithVectors: qdrant.NewWithVectors(true)})
		if err != nil || len(got) != 1 {
			t.Fatalf("point %v: %d found: %v", s.ID, len(got), err)
		}
		v := got[0].GetVectors().GetVector().GetDenseVector().GetData()
		if len(v) != len(s.Vector) {
			t.Fatalf("point %v has %d values", s.ID, len(v))
		}
		for i := range v {
			if math.Abs(float64(v[i]-s.Vector[i])) > tolerance {
				t.Errorf("point %v, value %d: %v, want %v", s.ID, i, v[i], s.Vector[i])
			}
		}
	}
}

func pointID(id any) *qdrant.PointId {
	if s, ok := id.(string); ok {
		return qdrant.NewIDUUID(s)
	}
	return qdrant.NewIDNum(uint64(id.(float64)))
}

func text(id any) string { return idText(pointID(id)) }

func idText(id *qdrant.PointId) string {
	if u := id.GetUuid(); u != "" {
		return u
	}
	return fmt.Sprint(id.GetNum())
}

// whole makes integers of JSON's numbers that are.
func whole(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = whole(x[k])
		}
	case []any:
		for i := range x {
			x[i] = whole(x[i])
		}
	case float64:
		if x == math.Trunc(x) {
			return int64(x)
		}
	}
	return v
}

// filterOf reads a filter as Qdrant's REST API writes it.
func filterOf(m map[string]any) *qdrant.Filter {
	if m == nil {
		return nil
	}
	f := &qdrant.Filter{Must: conditions(m["must"]), Should: conditions(m["should"]), MustNot: conditions(m["must_not"])}
	if some, ok := m["min_should"].(map[string]any); ok {
		f.MinShould = &qdrant.MinShould{Conditions: conditions(some["conditions"]), MinCount: uint64(some["min_count"].(float64))}
	}
	return f
}

func conditions(v any) []*qdrant.Condition {
	var out []*qdrant.Condition
	list, _ := v.([]any)
	for _, one := range list {
		out = append(out, conditionOf(one.(map[string]any)))
	}
	return out
}

func conditionOf(c map[string]any) *qdrant.Condition {
	key, _ := c["key"].(string)
	field := func(f *qdrant.FieldCondition) *qdrant.Condition {
		f.Key = key
		return &qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: f}}
	}
	switch {
	case c["has_id"] != nil:
		var ids []*qdrant.PointId
		for _, id := range c["has_id"].([]any) {
			ids = append(ids, pointID(id))
		}
		return qdrant.NewHasID(ids...)
	case c["is_empty"] != nil:
		return qdrant.NewIsEmpty(c["is_empty"].(map[string]any)["key"].(string))
	case c["is_null"] != nil:
		return qdrant.NewIsNull(c["is_null"].(map[string]any)["key"].(string))
	case c["range"] != nil:
		r := c["range"].(map[string]any)
		return field(&qdrant.FieldCondition{Range: &qdrant.Range{Lt: number(r["lt"]), Gt: number(r["gt"]), Lte: number(r["lte"]), Gte: number(r["gte"])}})
	case c["values_count"] != nil:
		r := c["values_count"].(map[string]any)
		return field(&qdrant.FieldCondition{ValuesCount: &qdrant.ValuesCount{Lt: natural(r["lt"]), Gt: natural(r["gt"]), Lte: natural(r["lte"]), Gte: natural(r["gte"])}})
	case c["match"] != nil:
		return matchOf(key, c["match"].(map[string]any))
	default:
		return qdrant.NewFilterAsCondition(filterOf(c))
	}
}

func matchOf(key string, m map[string]any) *qdrant.Condition {
	if v, ok := m["value"]; ok {
		if s, ok := v.(string); ok {
			return qdrant.NewMatch(key, s)
		}
		return qdrant.NewMatchInt(key, int64(v.(float64)))
	}
	var words []string
	var numbers []int64
	list, except := m["except"].([]any)
	if !except {
		list = m["any"].([]any)
	}
	for _, v := range list {
		if s, ok := v.(string); ok {
			words = append(words, s)
		} else {
			numbers = append(numbers, int64(v.(float64)))
		}
	}
	switch {
	case except && numbers != nil:
		return qdrant.NewMatchExceptInts(key, numbers...)
	case except:
		return qdrant.NewMatchExcept(key, words...)
	case numbers != nil:
		return qdrant.NewMatchInts(key, numbers...)
	default:
		return qdrant.NewMatchKeywords(key, words...)
	}
}

func number(v any) *float64 {
	if n, ok := v.(float64); ok {
		return &n
	}
	return nil
}

func natural(v any) *uint64 {
	if n, ok := v.(float64); ok {
		return qdrant.PtrOf(uint64(n))
	}
	return nil
}
