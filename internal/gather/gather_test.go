package gather

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/copies"
	"purser/internal/record"
	"purser/ledger"
)

// of gives records of these instants, one at a time in the same place, and then err.
func of(pulled *int, err error, instants ...int) Sequence {
	return func(yield func(*record.Record, error) bool) {
		var r record.Record
		for _, at := range instants {
			r = record.Record{ID: record.FirstID(ledger.Instant(at)).String()}
			*pulled++
			if !yield(&r, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func instants(t *testing.T, s Sequence) (list []int, fault error) {
	for r, err := range s {
		if err != nil {
			return list, err
		}
		id, ok := record.ParseID(r.ID)
		if !ok {
			t.Fatal(r.ID)
		}
		list = append(list, int(id.At()))
	}
	return list, nil
}

func TestMergeIsTheSortedUnion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		newest := rapid.Bool().Draw(rt, "newest")
		limit := rapid.IntRange(0, 20).Draw(rt, "limit")
		var sources []Sequence
		var all []int
		pulled := 0
		order := func(list []int) {
			slices.Sort(list)
			if newest {
				slices.Reverse(list)
			}
		}
		for range rapid.IntRange(2, 5).Draw(rt, "sources") {
			list := rapid.SliceOfN(rapid.IntRange(1, 50), 0, 10).Draw(rt, "instants")
			order(list)
			all = append(all, list...)
			sources = append(sources, of(&pulled, nil, list...))
		}
		order(all)
		if limit > 0 {
			all = all[:min(limit, len(all))]
		}
		got, err := instants(t, Merge(newest, limit, sources...))
		if err != nil || !slices.Equal(got, all) {
			rt.Fatalf("%v, %v, want %v", got, err, all)
		}
	})
}

func TestMergePullsNoFurtherThanItIsPulled(t *testing.T) {
	a, b := 0, 0
	for range Merge(false, 0, of(&a, nil, 1, 2, 3, 4), of(&b, nil, 10, 11)) {
		break
	}
	if a != 1 || b != 1 {
		t.Errorf("%d and %d were pulled for one", a, b)
	}
}

func TestMergeEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	got, err := instants(t, Merge(false, 0, of(&n, broken, 1, 2), of(&n, nil, 1, 3)))
	if !errors.Is(err, broken) || fmt.Sprint(got) != "[1 1 2]" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = instants(t, Merge(false, 0, of(&n, broken), of(&n, nil, 1))); !errors.Is(err, broken) || len(got) > 0 {
		t.Errorf("at once: %v, %v", got, err)
	}
}

func TestTheMostWholeCopiesAnswer(t *testing.T) {
	held := map[string][]copies.Held{
		"b": {{Origin: "a", Upto: 90}, {Origin: "x", Complete: true}},
		"c": {{Origin: "a", Complete: true, Upto: 50}},
		"d": {{Origin: "a", Complete: true, Upto: 60}},
		"e": {{Origin: "a", Complete: true, Upto: 60}},
		"a": {{Origin: "a", Sealed: true}},
	}
	var order []string
	for _, k := range Keepers("a", 4, held) {
		order = append(order, k.Node)
	}
	if fmt.Sprint(order) != "[d e c b]" {
		t.Errorf("they answer in the order %v", order)
	}
	held["b"][0].Sealed, held["b"][0].Incarnation = true, 4
	if k := Keepers("a", 4, held); k[0].Node != "b" || !k[0].Held.Sealed {
		t.Errorf("sealed copies come after %s", k[0].Node)
	}
	if k := Keepers("y", 0, held); k != nil {
		t.Errorf("of a node that nobody has copies of: %v", k)
	}
}

// A node that has stopped in order, and was back since, may have written what the copies
// lack that were sealed then: they are not the whole, and not preferred.
func TestASealEndsWhenTheOriginIsBack(t *testing.T) {
	sealed := copies.Held{Origin: "a", Complete: true, Sealed: true, Upto: 50, Incarnation: 4}
	held := map[string][]copies.Held{
		"b": {sealed},
		"c": {{Origin: "a", Complete: true, Upto: 60}}, // its peer is another one since
	}
	if k := Keepers("a", 4, held); k[0].Node != "c" || k[0].Held.Sealed || k[1].Held.Sealed {
		t.Errorf("when its new peer is heard of: %+v", k)
	}
	delete(held, "c")
	if k := Keepers("a", 5, held); k[0].Held.Sealed {
		t.Errorf("when it was registered again: %+v", k)
	}
	if k := Keepers("a", 4, held); !k[0].Held.Sealed {
		t.Errorf("when it was not: %+v", k)
	}
	if held["b"][0] != sealed {
		t.Errorf("what b has is %+v", held["b"][0])
	}
}

func TestForgottenOriginsAreThoseThatOnlyCopiesTellOf(t *testing.T) {
	held := map[string][]copies.Held{
		"a": {{Origin: "b"}, {Origin: "z"}, {Origin: "gone"}},
		"b": {{Origin: "a"}, {Origin: "gone"}},
	}
	if got := Forgotten(map[string]bool{"a": true, "b": true}, held); !slices.Equal(got, []string{"gone", "z"}) {
		t.Errorf("%v", got)
	}
	if got := Forgotten(map[string]bool{"a": true, "b": true, "z": true, "gone": true}, held); len(got) != 0 {
		t.Errorf("%v, all of which are known", got)
	}
}
