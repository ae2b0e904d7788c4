package main

import (
	"slices"
	"testing"
)

// TestLearnedRoutingKeepsQualityAtLowerCost is the shape of the paper's result
// (arXiv 2508.12631): about the quality of the best model alone, at clearly lower cost;
// with alpha 1 better than each model alone; and chance is worse than either.
func TestLearnedRoutingKeepsQualityAtLowerCost(t *testing.T) {
	w, err := newWorld(1500, 1500, 3)
	if err != nil {
		t.Fatal(err)
	}
	rows, tuned, err := figures(w, 3, 0.99)
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) row {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			t.Fatalf("there is no row %s", name)
		}
		return rows[i]
	}
	learned, large, random := of("learned, tuned"), of("always large"), of("random")
	if share := float64(learned.cost) / float64(large.cost); learned.quality < large.quality-0.02 || share > 0.6 {
		t.Errorf("tuned to %v, the quality is %.4f beside %.4f, at %.0f %% of the cost", tuned, learned.quality, large.quality, 100*share)
	}
	if learned.regret > 0.03 || learned.regret >= random.regret/4 || of("always small").regret <= learned.regret {
		t.Errorf("regret %.4f, of chance %.4f", learned.regret, random.regret)
	}
	for i, r := range rows[:9] { // alpha rises: so do quality and cost
		if next := rows[i+1]; next.cost < r.cost || next.regret > r.regret+0.01 {
			t.Errorf("alpha %v to %v: %+v, %+v", r.alpha, next.alpha, r, next)
		}
	}
}
