package directory

import (
	"errors"
	"fmt"

	"purser/ledger"
)

// codecVersion begins every command and every record. A change of layout takes
// the next number, and the decoder keeps reading this one.
const codecVersion = 1

// Errors of the decoders. Either stops the node: an entry of the log that cannot
// be understood cannot be skipped (L10).
var (
	// ErrUnknown is an input of a version or kind this build does not know.
	ErrUnknown = errors.New("unknown version or kind")
	// ErrMalformed is an input that no encoder has written.
	ErrMalformed = errors.New("malformed")
)

// AppendCommand appends the stored form of c to b:
//
//	version=1, kind, then
//	PutKey:    the key, without Created, Revoked and Version
//	RevokeKey: id
//	ForgetKey: id
//	PutToken:  hash (32 bytes), expires
//	AdmitNode: the node, hash of the token (32 bytes, zero for none)
//	SetNode:   id, state
//	ForgetNodes: nothing
//	AdmitGateway: as AdmitNode
//	PutObject: kind, id, expect, references (count, then kind and id each), spec
//	DeleteObject: kind, id, expect
//	WriteKey:  expect, the key; then description, owner (kind, id), scopes,
//	           endpoints, providers, upstreams (as models), most children, public (32 bytes)
//	           Its kind says whether the key is suspended
//	RotateKey: id, hash, public (32 bytes each), old until
//	TouchKeys: at, count, then the ids
//	AdmitChildren: id of the parent, count, then id (32 bytes), generation, slice, expires each
//	RaiseAlerts: count, then key, rank, until, type and body of each
//	NoteDeliveries: count, then the alert's seq and the delivery each; count, then
//	           the seqs of the alerts that are closed
//
// A node is id, store (16 bytes), address, region, zone, a delivery is webhook,
// state (a byte), attempts, last, status, fault,
// and a key is id, hash (32 bytes), name, bound, required, models, cacheOff,
// expires; bound is the set fixed dimensions (count, then number and value each)
// and the tags (count, then name and value each); required is a count, then
// number and tag name each; models is a count, then the names.
func AppendCommand(b []byte, c Command) []byte {
	b = append(b, codecVersion, byte(c.Kind()))
	switch c := c.(type) {
	case PutKey:
		return appendKey(b, &c.Key)
	case RevokeKey:
		return appendString(b, string(c.ID))
	case ForgetKey:
		return appendString(b, string(c.ID))
	case PutToken:
		return appendInt(append(b, c.Hash[:]...), int64(c.Expires))
	case AdmitNode:
		return append(appendNode(b, &c.Node), c.Token[:]...)
	case AdmitGateway:
		return append(appendNode(b, &c.Node), c.Token[:]...)
	case SetNode:
		return append(appendString(b, string(c.ID)), byte(c.State))
	case ForgetNodes:
		return b
	case PutObject:
		return appendObject(b, c.Ref, c.Expect, c.Refs, c.Spec)
	case DeleteObject:
		return appendUint(appendRef(b, c.Ref), c.Expect)
	case WriteKey:
		return appendWhole(appendUint(b, c.Expect), &c.Key)
	case RotateKey:
		b = append(append(appendString(b, string(c.ID)), c.Hash[:]...), c.Public[:]...)
		return appendInt(b, int64(c.OldUntil))
	case TouchKeys:
		return appendTouch(b, &c)
	case AdmitChildren:
		return appendAdmit(b, &c)
	case RaiseAlerts:
		return appendRaises(b, &c)
	case NoteDeliveries:
		return appendNotes(b, &c)
	default:
		panic(fmt.Sprintf("directory: command of kind %d has no stored form", c.Kind()))
	}
}

// DecodeCommand reads one command and copies what it keeps of b. An error is
// [ErrUnknown] or [ErrMalformed].
func DecodeCommand(b []byte) (Command, error) {
	r := reader{b: b}
	version, kind := r.byte(), Kind(r.byte())
	if r.bad {
		return nil, fmt.Errorf("directory command: %w", ErrMalformed)
	}
	if version != codecVersion {
		return nil, fmt.Errorf("directory command of version %d: %w", version, ErrUnknown)
	}
	var c Command
	switch kind {
	case KindPutKey:
		c = PutKey{Key: r.key()}
	case KindRevokeKey:
		c = RevokeKey{ID: KeyID(r.string())}
	case KindForgetKey:
		c = ForgetKey{ID: KeyID(r.string())}
	case KindPutToken:
		c = PutToken{Hash: r.hash(), Expires: ledger.Instant(r.int())}
	case KindAdmitNode:
		c = AdmitNode{Node: r.node(), Token: r.hash()}
	case KindAdmitGateway:
		c = AdmitGateway{Node: r.node(), Token: r.hash()}
	case KindSetNode:
		c = SetNode{ID: ledger.NodeID(r.string()), State: NodeState(r.byte())}
	case KindForgetNodes:
		c = ForgetNodes{}
	case KindPutObject:
		put := PutObject{Ref: r.ref(), Expect: r.uint()}
		put.Refs, put.Spec = r.refs(), r.bytes()
		c = put
	case KindDeleteObject:
		c = DeleteObject{Ref: r.ref(), Expect: r.uint()}
	case KindWriteKey, KindWriteSuspended:
		w := WriteKey{Expect: r.uint(), Key: r.whole()}
		w.Key.Suspended = Kind(kind) == KindWriteSuspended
		c = w
	case KindRotateKey:
		c = RotateKey{ID: KeyID(r.string()), Hash: r.hash(), Public: [32]byte(r.hash()), OldUntil: ledger.Instant(r.int())}
	case KindTouchKeys:
		c = r.touch()
	case KindAdmitChild:
		c = r.admit()
	case KindRaiseAlerts:
		c = r.raises()
	case KindNoteDeliveries:
		c = r.notes()
	default:
		return nil, fmt.Errorf("directory command of kind %d: %w", kind, ErrUnknown)
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("directory command of kind %d: %w", kind, ErrMalformed)
	}
	return c, nil
}

// AppendOutcome appends the stored form of an outcome: version=1, code, directory version.
func AppendOutcome(b []byte, o Outcome) []byte {
	return appendUint(append(b, codecVersion, byte(o.Code)), o.Version)
}

// DecodeOutcome reads one outcome.
func DecodeOutcome(b []byte) (Outcome, error) {
	r := reader{b: b}
	version, code := r.byte(), Code(r.byte())
	o := Outcome{Code: code, Version: r.uint()}
	switch {
	case r.bad || len(r.b) != 0 || code == 0:
		return Outcome{}, fmt.Errorf("directory outcome: %w", ErrMalformed)
	case version != codecVersion:
		return Outcome{}, fmt.Errorf("directory outcome of version %d: %w", version, ErrUnknown)
	}
	return o, nil
}

func appendKey(b []byte, k *Key) []byte {
	b = appendString(b, string(k.ID))
	b = append(b, k.Hash[:]...)
	b = appendString(b, k.Name)
	b = appendDims(b, &k.Bound)
	b = appendUint(b, uint64(len(k.Required)))
	for _, ref := range k.Required {
		b = appendString(append(b, byte(ref.Dim)), ref.Tag)
	}
	b = appendUint(b, uint64(len(k.AllowModels)))
	for _, m := range k.AllowModels {
		b = appendString(b, m)
	}
	b = appendBool(b, k.CacheOff)
	return appendInt(b, int64(k.Expires))
}

func (r *reader) key() Key {
	k := Key{ID: KeyID(r.string())}
	copy(k.Hash[:], r.take(len(k.Hash)))
	k.Name = r.string()
	k.Bound = r.dims()
	for range r.count() {
		k.Required = append(k.Required, ledger.DimRef{Dim: ledger.Dim(r.byte()), Tag: r.string()})
	}
	for range r.count() {
		k.AllowModels = append(k.AllowModels, r.string())
	}
	k.CacheOff = r.bool()
	k.Expires = ledger.Instant(r.int())
	return k
}

func appendDims(b []byte, d *ledger.Dimensions) []byte {
	set := 0
	for _, v := range d.Values {
		if v != "" {
			set++
		}
	}
	b = appendUint(b, uint64(set))
	for i, v := range d.Values {
		if v != "" {
			b = appendString(append(b, byte(i)), v)
		}
	}
	b = appendUint(b, uint64(len(d.Tags)))
	for _, t := range d.Tags {
		b = appendString(appendString(b, t.Name), t.Value)
	}
	return b
}

func (r *reader) dims() ledger.Dimensions {
	var d ledger.Dimensions
	for range r.count() {
		i, v := r.byte(), r.string()
		if int(i) >= ledger.NumDims || v == "" || d.Values[i] != "" {
			r.bad = true
			break
		}
		d.Values[i] = v
	}
	for range r.count() {
		d.Tags = append(d.Tags, ledger.Tag{Name: r.string(), Value: r.string()})
	}
	return d
}
