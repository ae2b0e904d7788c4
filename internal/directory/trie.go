package directory

import "iter"

// trie is a persistent map from a uniformly distributed 32-byte key to a *T:
// sixteen children a node, one hexadecimal digit a level. Nodes are never
// changed after they are reachable, so that a copy of the root is a snapshot.
// The order of iteration is the order of the keys, whatever the history.
type trie[T any] struct {
	root *node[T]
}

// node is a leaf (entry set, no children) or a branch.
type node[T any] struct {
	key   [32]byte // of the leaf
	entry *T
	child *[16]*node[T]
}

func digit(key *[32]byte, depth int) byte {
	b := key[depth/2]
	if depth%2 == 0 {
		return b >> 4
	}
	return b & 15
}

func (t trie[T]) get(key [32]byte) *T {
	n := t.root
	for depth := 0; n != nil; depth++ {
		if n.child == nil {
			if n.key == key {
				return n.entry
			}
			return nil
		}
		n = n.child[digit(&key, depth)]
	}
	return nil
}

// with returns a trie in which key leads to e.
func (t trie[T]) with(key [32]byte, e *T) trie[T] {
	return trie[T]{root: put(t.root, &node[T]{key: key, entry: e}, 0)}
}

func put[T any](n, leaf *node[T], depth int) *node[T] {
	if n == nil || n.child == nil && n.key == leaf.key {
		return leaf
	}
	var child [16]*node[T]
	if n.child != nil {
		child = *n.child
	} else {
		child[digit(&n.key, depth)] = n
	}
	d := digit(&leaf.key, depth)
	child[d] = put(child[d], leaf, depth+1)
	return &node[T]{child: &child}
}

// without returns a trie in which key leads nowhere.
func (t trie[T]) without(key [32]byte) trie[T] {
	return trie[T]{root: drop(t.root, &key, 0)}
}

// drop removes key from below n; a branch that is left with one leaf becomes
// that leaf, so that a trie that shrank is as shallow as one that never grew.
func drop[T any](n *node[T], key *[32]byte, depth int) *node[T] {
	if n == nil {
		return nil
	}
	if n.child == nil {
		if n.key == *key {
			return nil
		}
		return n
	}
	child := *n.child
	d := digit(key, depth)
	child[d] = drop(child[d], key, depth+1)
	var only *node[T]
	for _, c := range child {
		switch {
		case c == nil:
		case only != nil || c.child != nil:
			return &node[T]{child: &child}
		default:
			only = c
		}
	}
	return only
}

// all yields the entries in order of their trie keys.
func (t trie[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) { walk(t.root, yield) }
}

func walk[T any](n *node[T], yield func(*T) bool) bool {
	if n == nil {
		return true
	}
	if n.child == nil {
		return yield(n.entry)
	}
	for _, c := range n.child {
		if !walk(c, yield) {
			return false
		}
	}
	return true
}
