package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// The library's names of the two halves of a vote, and ours for the whole.
const (
	keyVoteTerm = "LastVoteTerm"
	keyVoteCand = "LastVoteCand"
	keyVote     = "purser.vote" // term (8 bytes, big endian), then the candidate
)

// errNotFound has the text by which the library knows that a key has no value.
var errNotFound = errors.New("not found")

// voteStore makes a vote one write. The library stores the term of its vote
// and then the candidate; a crash between the two leaves the new term with the
// old candidate, who is then granted a vote of that term without a look at its
// log. voteStore keeps the term in memory until the candidate comes and stores
// both under one key.
//
// The library calls from one goroutine, the term always right before its candidate.
type voteStore struct {
	raft.StableStore
	term    uint64 // waits for its candidate
	waiting bool
}

// SetUint64 implements raft.StableStore.
func (v *voteStore) SetUint64(key []byte, val uint64) error {
	if string(key) != keyVoteTerm {
		return v.StableStore.SetUint64(key, val)
	}
	v.term, v.waiting = val, true
	return nil
}

// Set implements raft.StableStore.
func (v *voteStore) Set(key, val []byte) error {
	if string(key) != keyVoteCand {
		return v.StableStore.Set(key, val)
	}
	if !v.waiting {
		panic("cluster: the library stored a candidate without the term of its vote")
	}
	v.waiting = false
	return v.StableStore.Set([]byte(keyVote), append(binary.BigEndian.AppendUint64(nil, v.term), val...))
}

// GetUint64 implements raft.StableStore.
func (v *voteStore) GetUint64(key []byte) (uint64, error) {
	if string(key) != keyVoteTerm {
		return v.StableStore.GetUint64(key)
	}
	term, _, err := v.vote()
	return term, err
}

// Get implements raft.StableStore.
func (v *voteStore) Get(key []byte) ([]byte, error) {
	if string(key) != keyVoteCand {
		return v.StableStore.Get(key)
	}
	_, candidate, err := v.vote()
	return candidate, err
}

// vote returns the last vote that is on disk.
func (v *voteStore) vote() (uint64, []byte, error) {
	b, err := v.StableStore.Get([]byte(keyVote))
	switch {
	case err != nil:
		return 0, nil, err
	case len(b) == 0:
		return 0, nil, errNotFound
	case len(b) < 8:
		return 0, nil, fmt.Errorf("stored vote has %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), b[8:], nil
}
