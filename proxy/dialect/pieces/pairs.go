package pieces

import "bytes"

// Pair is a member: its key without quotes, and its value.
type Pair struct {
	Key, Value []byte
}

// Named is the pair of a key that the program knows.
func Named(key string, value []byte) Pair { return Pair{Key: []byte(key), Value: value} }

// MaxPairs bounds the members kept of one object.
const MaxPairs = 64

// Set puts value under key, keeping the place of a key that is there.
func Set(list []Pair, key, value []byte) ([]Pair, error) {
	for i := range list {
		if bytes.Equal(list[i].Key, key) {
			list[i].Value = value
			return list, nil
		}
	}
	return Add(list, key, value)
}

// Add appends a member whose key is not there.
func Add(list []Pair, key, value []byte) ([]Pair, error) {
	if len(list) == MaxPairs {
		return list, NotFoldable("too many members")
	}
	return append(list, Pair{Key: key, Value: value}), nil
}

// AppendPair appends a member after a comma.
func AppendPair(dst, key, value []byte) []byte {
	dst = append(append(append(dst, `,"`...), key...), `":`...)
	return append(dst, value...)
}

// AppendPairs appends members, each after a comma.
func AppendPairs(dst []byte, list []Pair) []byte {
	for _, p := range list {
		dst = AppendPair(dst, p.Key, p.Value)
	}
	return dst
}
