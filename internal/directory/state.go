package directory

import (
	"crypto/sha256"
	"iter"
	"reflect"
	"slices"

	"purser/ledger"
)

// State is the directory at one point of the log. The zero State is not usable; see [New].
type State struct {
	now      ledger.Instant
	version  uint64    // grows by one with each command that changed something
	count    int       // of keys in byID, and of keys in byHash
	byID     trie[Key] // by SHA-256 of the ID
	byHash   trie[Key] // by the hash of the secret, and of the one before it
	byPublic trie[Key] // by what proves the children of either
	nodes    []*Node   // by ID; neither slice is ever written, it is replaced
	tokens   []*Token  // by hash
	objects  objects

	families trie[family] // by SHA-256 of the parent's ID
	admitted int          // of children in them

	alertSeq uint64       // of the last alert that was raised
	marks    []*AlertMark // by key; like nodes, neither slice is ever written
	alerts   []*Alert     // by Seq
}

// New returns an empty directory.
func New() *State { return &State{} }

// Clone returns a copy, in constant time, that may be read while s is changed.
func (s *State) Clone() *State {
	c := *s
	return &c
}

// Now is the time of the directory: the latest instant a command was stamped with.
func (s *State) Now() ledger.Instant { return s.now }

// Version counts the commands that changed something.
func (s *State) Version() uint64 { return s.version }

// Governed reports whether the log, or the snapshot that this state is from, has
// commands that came with objects and alerts: every replica that has them reads them.
func (s *State) Governed() bool {
	return s.objects.count > 0 || s.alertSeq > 0 || len(s.marks) > 0
}

// Len is how many keys there are, revoked ones included.
func (s *State) Len() int { return s.count }

// Find returns the key of the secret with this hash, or of the secret before it. It
// does not allocate.
func (s *State) Find(h Hash) (*Key, bool) {
	k := s.byHash.get(h)
	return k, k != nil
}

// Key returns the key of this ID.
func (s *State) Key(id KeyID) (*Key, bool) {
	k := s.byID.get(idDigest(id))
	return k, k != nil
}

// Keys yields every key, in an order that depends on their IDs alone (it is not alphabetical).
func (s *State) Keys() iter.Seq[*Key] { return s.byID.all() }

// Apply carries out one command at the instant it was stamped with, and returns
// what it did. It is the only mutator. Time never runs back: an earlier stamp
// counts as the latest one seen.
func (s *State) Apply(now ledger.Instant, c Command) Outcome {
	s.now = max(s.now, now)
	var code Code
	switch c := c.(type) {
	case PutKey:
		code = s.putKey(&c.Key)
	case RevokeKey:
		code = s.revokeKey(c.ID)
	case ForgetKey:
		code = s.forgetKey(c.ID)
	case PutToken:
		code = s.putToken(&c)
	case AdmitNode:
		code = s.admit(c.Node, c.Token, Member)
	case AdmitGateway:
		code = s.admit(c.Node, c.Token, Gateway)
	case SetNode:
		code = s.setNode(&c)
	case ForgetNodes:
		code = s.forgetNodes()
	case PutObject:
		code = s.putObject(&c)
	case DeleteObject:
		code = s.deleteObject(&c)
	case WriteKey:
		code = s.writeKey(&c)
	case RotateKey:
		code = s.rotateKey(&c)
	case TouchKeys:
		code = s.touchKeys(&c)
	case AdmitChildren:
		code = s.admitChildren(&c)
	case RaiseAlerts:
		code = s.raiseAlerts(&c)
	case NoteDeliveries:
		code = s.noteDeliveries(&c)
	default:
		code = InvalidCommand
	}
	return Outcome{Code: code, Version: s.version}
}

func (s *State) putKey(in *Key) Code {
	if in.Validate() != nil {
		return InvalidCommand
	}
	k := in.clone()
	old, exists := s.Key(k.ID)
	if !exists {
		old = &Key{Created: s.now}
	}
	k.keep(old)
	if code := s.mayPut(k); code != Applied {
		return code
	}
	if exists && reflect.DeepEqual(old, k) {
		return Unchanged
	}
	return s.put(k, exists)
}

func (s *State) revokeKey(id KeyID) Code {
	old, ok := s.Key(id)
	switch {
	case !ok:
		return UnknownKey
	case old.Revoked != 0:
		return Unchanged
	}
	k := *old // shares its slices with old; neither is ever written
	k.Revoked = max(s.now, 1)
	s.adopt(id, nil)
	s.store(&k)
	return Applied
}

func (s *State) forgetKey(id KeyID) Code {
	k, ok := s.Key(id)
	switch {
	case !ok:
		return UnknownKey
	case k.Status(s.now) == Active, k.Status(s.now) == Suspended:
		return KeyActive
	}
	s.version++
	s.count--
	s.byID = s.byID.without(idDigest(k.ID))
	s.unlist(k)
	s.adopt(id, nil)
	return Applied
}

// store puts a key under both of its names as the next version.
func (s *State) store(k *Key) {
	s.version++
	k.Version = s.version
	s.insert(k)
}

func (s *State) insert(k *Key) {
	s.byID = s.byID.with(idDigest(k.ID), k)
	s.byHash = s.byHash.with(k.Hash, k)
	if k.OldHash != (Hash{}) {
		s.byHash = s.byHash.with(k.OldHash, k)
	}
	for _, p := range [][32]byte{k.Public, k.OldPublic} {
		if p != [32]byte{} {
			s.byPublic = s.byPublic.with(p, k)
		}
	}
}

func idDigest(id KeyID) [32]byte { return sha256.Sum256([]byte(id)) }

// clone copies a key with its slices, and makes empty slices nil, so that equal
// keys are equal in memory and in their stored form.
func (k *Key) clone() *Key {
	c := *k
	c.Bound.Tags = compact(k.Bound.Tags)
	c.Required = compact(k.Required)
	c.AllowModels = compact(k.AllowModels)
	c.AllowEndpoints, c.AllowProviders, c.AllowUpstreams = compact(k.AllowEndpoints), compact(k.AllowProviders), compact(k.AllowUpstreams)
	return &c
}

func compact[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}
