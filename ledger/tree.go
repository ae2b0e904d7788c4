package ledger

import (
	"iter"
	"slices"
)

// epoch is the identity of whoever may change a tree node, account, lease or
// node record in place: it is owned by the one State whose epoch it carries. A
// Clone gives both states new epochs, so that everything they share is owned by
// neither and is copied before it is changed. It has a size, so that two epochs
// have two addresses.
type epoch struct{ _ byte }

// treeItems is the most items of one tree node. 64 keeps a million accounts at
// depth four, and the copy of a node at one to five kilobytes.
const treeItems = 64

// tree is an ordered map: a B-tree whose nodes are copied on write. A copy of
// the tree value is a snapshot of it, provided that the epoch given to each
// change is not the one that made the nodes.
type tree[K, V any] struct {
	root    *treeNode[K, V]
	size    int
	compare func(a, b K) int
}

type treeNode[K, V any] struct {
	owner    *epoch
	items    []treeItem[K, V]
	children []*treeNode[K, V] // none in a leaf, else one more than items
}

type treeItem[K, V any] struct {
	key   K
	value V
}

// get returns the value of k.
func (t *tree[K, V]) get(k K) (v V, ok bool) {
	for n := t.root; n != nil; {
		i, found := n.search(k, t.compare)
		if found {
			return n.items[i].value, true
		}
		if len(n.children) == 0 {
			break
		}
		n = n.children[i]
	}
	return v, false
}

// edit returns the place of k's value, owned by e, or nil when there is none.
// It is good until the next change of the tree.
func (t *tree[K, V]) edit(e *epoch, k K) *V {
	if t.root == nil {
		return nil
	}
	t.root = t.root.owned(e)
	for n := t.root; ; {
		i, found := n.search(k, t.compare)
		if found {
			return &n.items[i].value
		}
		if len(n.children) == 0 {
			return nil
		}
		n.children[i] = n.children[i].owned(e)
		n = n.children[i]
	}
}

// put sets the value of k.
func (t *tree[K, V]) put(e *epoch, k K, v V) {
	if t.root == nil {
		t.root = &treeNode[K, V]{owner: e}
	}
	t.root = t.root.owned(e)
	if len(t.root.items) == treeItems {
		root := &treeNode[K, V]{owner: e, children: []*treeNode[K, V]{t.root}}
		root.split(e, 0)
		t.root = root
	}
	n := t.root
	for {
		i, found := n.search(k, t.compare)
		if found {
			n.items[i].value = v
			return
		}
		if len(n.children) == 0 {
			n.items = slices.Insert(n.items, i, treeItem[K, V]{k, v})
			t.size++
			return
		}
		n.children[i] = n.children[i].owned(e)
		if len(n.children[i].items) == treeItems {
			n.split(e, i)
			continue // the middle item came up: search again
		}
		n = n.children[i]
	}
}

// remove deletes k and reports whether it was there.
func (t *tree[K, V]) remove(e *epoch, k K) bool {
	if t.root == nil {
		return false
	}
	t.root = t.root.owned(e)
	found := t.root.remove(e, k, t.compare)
	if found {
		t.size--
	}
	if len(t.root.items) == 0 {
		if len(t.root.children) == 0 {
			t.root = nil
		} else {
			t.root = t.root.children[0]
		}
	}
	return found
}

// all yields every item in order. The tree must not change meanwhile.
func (t *tree[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if t.root != nil {
			t.root.ascend(nil, t.compare, yield)
		}
	}
}

// from yields the items from k on, in order. The tree must not change meanwhile.
func (t *tree[K, V]) from(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if t.root != nil {
			t.root.ascend(&k, t.compare, yield)
		}
	}
}

// editFrom yields the places of the values from k on, in order, owned by e. It
// is much faster than an edit of each; the keys must stay as they are meanwhile.
func (t *tree[K, V]) editFrom(e *epoch, k K) iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		if t.root != nil {
			t.root = t.root.owned(e)
			t.root.editFrom(e, &k, t.compare, yield)
		}
	}
}

// min returns the first item.
func (t *tree[K, V]) min() (k K, v V, ok bool) {
	if t.root == nil {
		return k, v, false
	}
	n := t.root
	for len(n.children) > 0 {
		n = n.children[0]
	}
	return n.items[0].key, n.items[0].value, true
}

func (n *treeNode[K, V]) search(k K, compare func(a, b K) int) (int, bool) {
	low, high := 0, len(n.items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := compare(n.items[mid].key, k); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// owned returns n, or a copy of it when e does not own it.
func (n *treeNode[K, V]) owned(e *epoch) *treeNode[K, V] {
	if n.owner == e {
		return n
	}
	c := &treeNode[K, V]{owner: e, items: make([]treeItem[K, V], len(n.items), treeItems)}
	copy(c.items, n.items)
	if len(n.children) > 0 {
		c.children = make([]*treeNode[K, V], len(n.children), treeItems+1)
		copy(c.children, n.children)
	}
	return c
}

// split divides the full child i, which e owns, and takes its middle item.
func (n *treeNode[K, V]) split(e *epoch, i int) {
	const mid = treeItems / 2
	left := n.children[i]
	right := &treeNode[K, V]{owner: e, items: make([]treeItem[K, V], treeItems-mid-1, treeItems)}
	copy(right.items, left.items[mid+1:])
	if len(left.children) > 0 {
		right.children = make([]*treeNode[K, V], treeItems-mid, treeItems+1)
		copy(right.children, left.children[mid+1:])
		clear(left.children[mid+1:])
		left.children = left.children[:mid+1]
	}
	up := left.items[mid]
	clear(left.items[mid:])
	left.items = left.items[:mid]
	n.items = slices.Insert(n.items, i, up)
	n.children = slices.Insert(n.children, i+1, right)
}

// remove deletes k below n, which e owns and which has an item to spare unless
// it is the root.
func (n *treeNode[K, V]) remove(e *epoch, k K, compare func(a, b K) int) bool {
	i, found := n.search(k, compare)
	if len(n.children) == 0 {
		if found {
			n.items = slices.Delete(n.items, i, i+1)
		}
		return found
	}
	if found {
		// The item before it, the last one of the left child's leaves, takes its place.
		i = n.fatten(e, i)
		if j, still := n.search(k, compare); still {
			n.items[j] = n.children[j].removeLast(e)
			return true
		}
		// It sank into a child while that was being filled.
		return n.children[i].remove(e, k, compare)
	}
	i = n.fatten(e, i)
	return n.children[i].remove(e, k, compare)
}

// removeLast deletes and returns the last item below n, which e owns and which
// has an item to spare.
func (n *treeNode[K, V]) removeLast(e *epoch) treeItem[K, V] {
	if len(n.children) == 0 {
		last := n.items[len(n.items)-1]
		n.items = slices.Delete(n.items, len(n.items)-1, len(n.items))
		return last
	}
	i := n.fatten(e, len(n.children)-1)
	return n.children[i].removeLast(e)
}

// fatten makes child i owned and gives it an item to spare, from a sibling or
// by merging with one. It returns where the child is now.
func (n *treeNode[K, V]) fatten(e *epoch, i int) int {
	const low = treeItems/2 - 1
	n.children[i] = n.children[i].owned(e)
	child := n.children[i]
	if len(child.items) > low {
		return i
	}
	if i > 0 && len(n.children[i-1].items) > low {
		n.children[i-1] = n.children[i-1].owned(e)
		left := n.children[i-1]
		last := len(left.items) - 1
		child.items = slices.Insert(child.items, 0, n.items[i-1])
		n.items[i-1] = left.items[last]
		left.items = slices.Delete(left.items, last, last+1)
		if len(left.children) > 0 {
			child.children = slices.Insert(child.children, 0, left.children[last+1])
			left.children = slices.Delete(left.children, last+1, last+2)
		}
		return i
	}
	if i < len(n.items) && len(n.children[i+1].items) > low {
		n.children[i+1] = n.children[i+1].owned(e)
		right := n.children[i+1]
		child.items = append(child.items, n.items[i])
		n.items[i] = right.items[0]
		right.items = slices.Delete(right.items, 0, 1)
		if len(right.children) > 0 {
			child.children = append(child.children, right.children[0])
			right.children = slices.Delete(right.children, 0, 1)
		}
		return i
	}
	if i == len(n.items) {
		i--
	}
	n.children[i] = n.children[i].owned(e)
	left, right := n.children[i], n.children[i+1]
	left.items = append(append(left.items, n.items[i]), right.items...)
	left.children = append(left.children, right.children...)
	n.items = slices.Delete(n.items, i, i+1)
	n.children = slices.Delete(n.children, i+1, i+2)
	return i
}

// ascend yields the items below n from the first one not less than *from on.
func (n *treeNode[K, V]) ascend(from *K, compare func(a, b K) int, yield func(K, V) bool) bool {
	i := 0
	if from != nil {
		i, _ = n.search(*from, compare)
	}
	for ; i <= len(n.items); i++ {
		if len(n.children) > 0 && !n.children[i].ascend(from, compare, yield) {
			return false
		}
		from = nil
		if i < len(n.items) && !yield(n.items[i].key, n.items[i].value) {
			return false
		}
	}
	return true
}

// editFrom is ascend for changing; e owns n.
func (n *treeNode[K, V]) editFrom(e *epoch, from *K, compare func(a, b K) int, yield func(K, *V) bool) bool {
	i := 0
	if from != nil {
		i, _ = n.search(*from, compare)
	}
	for ; i <= len(n.items); i++ {
		if len(n.children) > 0 {
			n.children[i] = n.children[i].owned(e)
			if !n.children[i].editFrom(e, from, compare, yield) {
				return false
			}
		}
		from = nil
		if i < len(n.items) && !yield(n.items[i].key, &n.items[i].value) {
			return false
		}
	}
	return true
}
