package learned

import (
	"math"
	"testing"
)

// TestOutcomesOfRequestsChangeWhatIsThought: by how many there are, once, and of their
// cluster alone; a candidate that is new gets a place.
func TestOutcomesOfRequestsChangeWhatIsThought(t *testing.T) {
	r, err := Train(kinds(2, 100), Options{Embedder: "e", Clusters: 2, Alpha: 1, Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	draw := random{3}
	v := on(0, 16, &draw) // what the small one cannot answer
	s, err := r.Score(v, two)
	if err != nil || s.Scores[0] <= s.Scores[1] {
		t.Fatalf("%+v %v", s, err)
	}
	at, other := int64(s.Cluster), 3-int64(s.Cluster)
	before := r.Clusters[other-1].Quality[1]
	heard := []Heard{
		{at, "small", Tally{400, 390}}, {at, "large", Tally{400, 100}},
		{other, "medium", Tally{50, 45}}, {at, "none", Tally{}},
	}
	if err := r.Update(heard, 77); err != nil {
		t.Fatal(err)
	}
	if s, err = r.Score(v, two); err != nil || s.Scores[0] >= s.Scores[1] {
		t.Errorf("after 400 outcomes that say the contrary: %+v %v", s, err)
	}
	if r.Clusters[other-1].Quality[1] != before {
		t.Error("outcomes of one cluster changed another")
	}
	if r.Until != 77 || len(r.Candidates) != 3 || r.Candidates[2].Seen != 50 || math.Abs(r.Candidates[2].Quality-0.9) > 1e-9 || r.Clusters[at-1].Quality[2] != Unknown || math.Abs(r.Clusters[other-1].Quality[2]-0.9) > 1e-9 {
		t.Errorf("%+v", r.Candidates)
	}
	for name, bad := range map[string]Heard{"above one": {1, "small", Tally{1, 2}}, "negative": {1, "small", Tally{-1, 0}}} {
		if err := r.Update([]Heard{bad}, 99); err == nil || r.Until != 77 {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// TestOutcomesOfARouterOfBeforeDoNotStopLearning: a request that was on its way when
// clusters were made anew has the number of one there is not. It is left out; others count.
func TestOutcomesOfARouterOfBeforeDoNotStopLearning(t *testing.T) {
	r, err := Train(kinds(2, 100), Options{Embedder: "e", Clusters: 2, Alpha: 1, Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	seen := r.Clusters[0].Seen[1]
	if err := r.Update([]Heard{{3, r.Candidates[1].ID, Tally{5, 5}}, {0, r.Candidates[1].ID, Tally{5, 5}}, {1, r.Candidates[1].ID, Tally{7, 7}}}, 77); err != nil {
		t.Fatal(err)
	}
	if r.Until != 77 || r.Clusters[0].Seen[1] != seen+7 {
		t.Errorf("%+v until %d", r.Clusters[0], r.Until)
	}
}

// TestAPromptWithoutAVectorGoesByWhatIsKnownOverAll.
func TestAPromptWithoutAVectorGoesByWhatIsKnownOverAll(t *testing.T) {
	r, err := Train(kinds(4, 100), Options{Embedder: "e", Alpha: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Score(nil, two)
	if err != nil || s.Cluster != 0 || s.Scores[0] <= s.Scores[1] || s.Scores[0] != int64(1e6*r.Candidates[0].Quality+0.5) {
		t.Errorf("%+v %v", s, err)
	}
}
