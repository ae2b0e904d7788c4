package ledger

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// dictionary is a tree with the map it should equal.
type dictionary struct {
	tree  tree[int, int]
	epoch *epoch
	twin  map[int]int
}

func newDictionary() *dictionary {
	return &dictionary{tree: tree[int, int]{compare: cmp.Compare[int]}, epoch: new(epoch), twin: map[int]int{}}
}

func (d *dictionary) clone() *dictionary {
	c := &dictionary{tree: d.tree, epoch: new(epoch), twin: maps.Clone(d.twin)}
	d.epoch = new(epoch)
	return c
}

func (d *dictionary) put(k, v int) {
	d.tree.put(d.epoch, k, v)
	d.twin[k] = v
}

func (d *dictionary) remove(k int) bool {
	_, had := d.twin[k]
	delete(d.twin, k)
	return d.tree.remove(d.epoch, k) == had
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (d *dictionary) verify(t failer) {
	t.Helper()
	if d.tree.size != len(d.twin) {
		t.Fatalf("size %d, want %d", d.tree.size, len(d.twin))
	}
	keys := slices.Sorted(maps.Keys(d.twin))
	i := 0
	for k, v := range d.tree.all() {
		if i >= len(keys) || k != keys[i] || v != d.twin[k] {
			t.Fatalf("item %d is %d=%d, want key %v", i, k, v, keys[min(i, len(keys)-1)])
		}
		i++
	}
	if i != len(keys) {
		t.Fatalf("%d items, want %d", i, len(keys))
	}
	if d.tree.root != nil {
		verifyNode(t, d.tree.root, true)
	}
}

// verifyNode returns the depth of the subtree, which must be the same everywhere.
func verifyNode(t failer, n *treeNode[int, int], root bool) int {
	t.Helper()
	if len(n.items) > treeItems || len(n.items) == 0 || !root && len(n.items) < treeItems/2-1 {
		t.Fatalf("node with %d items", len(n.items))
	}
	if len(n.children) == 0 {
		return 1
	}
	if len(n.children) != len(n.items)+1 {
		t.Fatalf("node with %d items and %d children", len(n.items), len(n.children))
	}
	depth := verifyNode(t, n.children[0], false)
	for _, c := range n.children[1:] {
		if verifyNode(t, c, false) != depth {
			t.Fatalf("leaves at different depths")
		}
	}
	return depth + 1
}

func TestTreeEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDictionary()
		span := rapid.SampledFrom([]int{10, 300, 5000}).Draw(t, "span")
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			from := rapid.IntRange(0, span).Draw(t, "from")
			count := rapid.IntRange(0, 400).Draw(t, "count")
			step := rapid.SampledFrom([]int{1, -1, 7, 131}).Draw(t, "step")
			remove := rapid.Bool().Draw(t, "remove")
			for i := range count {
				k := ((from+i*step)%span + span) % span
				if remove {
					if !d.remove(k) {
						t.Fatalf("remove(%d) misreports", k)
					}
				} else {
					d.put(k, i)
				}
			}
			d.verify(t)
		}
		for k := range span {
			v, ok := d.tree.get(k)
			if w, had := d.twin[k]; ok != had || v != w {
				t.Fatalf("get(%d) is %d, %t; want %d, %t", k, v, ok, w, had)
			}
		}
	})
}

func TestTreeClonesAreIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		family := []*dictionary{newDictionary()}
		for k := range rapid.IntRange(0, 500).Draw(t, "initial") {
			family[0].put(k*3, k)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			d := rapid.SampledFrom(family).Draw(t, "which")
			k := rapid.IntRange(0, 1500).Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				d.put(k, -k)
			case 2:
				d.remove(k)
			case 3:
				if at := d.tree.edit(d.epoch, k); at != nil {
					*at++
					d.twin[k]++
				}
			case 4:
				if len(family) < 6 {
					family = append(family, d.clone())
				}
			case 5:
				until := k + rapid.IntRange(0, 600).Draw(t, "span")
				for k, at := range d.tree.editFrom(d.epoch, k) {
					if k > until {
						break
					}
					*at++
				}
				for other := range d.twin {
					if other >= k && other <= until {
						d.twin[other]++
					}
				}
			}
		}
		for _, d := range family {
			d.verify(t)
		}
	})
}

func TestTreeFrom(t *testing.T) {
	d := newDictionary()
	for k := range 1000 {
		d.put(2*k, k)
	}
	for _, from := range []int{-1, 0, 1, 63, 64, 127, 128, 129, 999, 1998, 1999, 5000} {
		var got []int
		for k := range d.tree.from(from) {
			if got = append(got, k); len(got) == 3 {
				break
			}
		}
		var want []int
		for k := max(0, (from+1)/2*2); k < 2000 && len(want) < 3; k += 2 {
			want = append(want, k)
		}
		if !slices.Equal(got, want) {
			t.Errorf("from(%d) yields %v, want %v", from, got, want)
		}
	}
	if k, _, ok := d.tree.min(); !ok || k != 0 {
		t.Errorf("min is %d, %t", k, ok)
	}
}

func TestTreeEmpty(t *testing.T) {
	d := newDictionary()
	if _, _, ok := d.tree.min(); ok {
		t.Error("an empty tree has a least item")
	}
	if d.tree.edit(d.epoch, 1) != nil || d.tree.remove(d.epoch, 1) {
		t.Error("an empty tree has items")
	}
	d.verify(t)
}

// TestTreeOfManyLevels grows a tree to three levels and shrinks it to nothing,
// with a clone held along the way.
func TestTreeOfManyLevels(t *testing.T) {
	const many = 30_000
	rng := rand.New(rand.NewPCG(3, 4))
	d := newDictionary()
	for _, k := range rng.Perm(many) {
		d.put(k, k)
	}
	d.verify(t)
	clone := d.clone()
	for i, k := range rng.Perm(many) {
		first, second := d.remove(k), d.remove(k) // the second time it is gone
		if !first || !second {
			t.Fatalf("remove(%d) misreports", k)
		}
		if i%5000 == 0 {
			d.verify(t)
		}
	}
	d.verify(t)
	clone.verify(t)
}
