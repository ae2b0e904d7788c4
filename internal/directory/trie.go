package directory

import "iter"

// trie is a persistent map from a uniformly distributed 32-byte key to a *Key:
// sixteen children a node, one hexadecimal digit a level. Nodes are never
// changed after they are reachable, so that a copy of the root is a snapshot.
// The order of iteration is the order of the keys, whatever the history.
type trie struct {
	root *node
}

// node is a leaf (entry set, no children) or a branch.
type node struct {
	key   [32]byte // of the leaf
	entry *Key
	child *[16]*node
}

func digit(key *[32]byte, depth int) byte {
	b := key[depth/2]
	if depth%2 == 0 {
		return b >> 4
	}
	return b & 15
}

func (t trie) get(key [32]byte) *Key {
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
func (t trie) with(key [32]byte, e *Key) trie {
	return trie{root: put(t.root, &node{key: key, entry: e}, 0)}
}

func put(n, leaf *node, depth int) *node {
	if n == nil || n.child == nil && n.key == leaf.key {
		return leaf
	}
	var child [16]*node
	if n.child != nil {
		child = *n.child
	} else {
		child[digit(&n.key, depth)] = n
	}
	d := digit(&leaf.key, depth)
	child[d] = put(child[d], leaf, depth+1)
	return &node{child: &child}
}

// without returns a trie in which key leads nowhere.
func (t trie) without(key [32]byte) trie {
	return trie{root: drop(t.root, &key, 0)}
}

// drop removes key from below n; a branch that is left with one leaf becomes
// that leaf, so that a trie that shrank is as shallow as one that never grew.
func drop(n *node, key *[32]byte, depth int) *node {
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
	var only *node
	for _, c := range child {
		switch {
		case c == nil:
		case only != nil || c.child != nil:
			return &node{child: &child}
		default:
			only = c
		}
	}
	return only
}

// all yields the entries in order of their trie keys.
func (t trie) all() iter.Seq[*Key] {
	return func(yield func(*Key) bool) { walk(t.root, yield) }
}

func walk(n *node, yield func(*Key) bool) bool {
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
