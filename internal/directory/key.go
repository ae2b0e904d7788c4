package directory

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"purser/ledger"
)

// Limits of the directory (L9).
const (
	// MaxKeys bounds the table. At about half a kilobyte a key this is some
	// 130 MB, and a snapshot of it is written and read in seconds.
	MaxKeys = 1 << 18
	// MaxKeyID is the longest ID, in bytes; the IDs Purser makes are 20 long.
	MaxKeyID = 64
	// MaxKeyName is the longest name, in bytes: one line of a table.
	MaxKeyName = 128
	// MaxModels is how many models one key may be limited to.
	MaxModels = 64
	// MaxModelName is the longest name of a model, in bytes; no provider comes near.
	MaxModelName = 256
	// MaxRequired is how many dimensions a key may require: all there are.
	MaxRequired = ledger.NumDims + ledger.MaxTags
)

// KeyID names a key: 1 to [MaxKeyID] characters of a-z, 0-9, '.', '_', '-'. It is no secret.
type KeyID string

// Hash is the SHA-256 of a key's secret.
type Hash [32]byte

// Key is a virtual key: what a caller's secret stands for. Keys read from a
// [State] are shared and must not be written.
type Key struct {
	ID   KeyID
	Hash Hash   // changes by rotation alone
	Name string // for people; any text of one line

	// Bound dimensions are those of every request made with the key; a request
	// cannot override them. The key dimension is the ID or not set.
	Bound    ledger.Dimensions
	Required []ledger.DimRef // a request that leaves one of them open is refused

	AllowModels []string // patterns of models it may ask for, as the client names them; none means all
	CacheOff    bool     // its requests neither read nor fill a cache

	Expires ledger.Instant // 0: never

	// What [PutKey] does not carry.
	Description    string
	Owner          Owner
	Scopes         Scopes   // 0: [DefaultScopes]
	AllowEndpoints []string // patterns of routes it may ask; none means all
	AllowProviders []string // patterns of providers, by the catalogue's names; none means all
	AllowUpstreams []string // patterns of upstreams, by their configured names; none means all
	MaxChildren    uint16   // with a slice, at a time; 0: [DefaultChildren]
	// Public is the Ed25519 key that proves the children of the secret; zero: it has
	// none. It is given when the key is made, and by [RotateKey].
	Public [32]byte
	// Suspended keys are refused like expired ones, until somebody resumes them.
	Suspended bool

	// The secret before the last rotation, and what proves its children. It counts
	// until OldUntil; zero: there is none.
	OldHash   Hash
	OldPublic [32]byte
	OldUntil  ledger.Instant

	// Set by the directory; ignored in a command.
	Created  ledger.Instant
	Revoked  ledger.Instant // 0: not revoked
	Version  uint64         // the directory's version when the key last changed, but for LastUsed
	LastUsed ledger.Instant // to the minute; 0: never, as far as nodes have said
}

// Status says whether a key may be used.
type Status uint8

// The statuses.
const (
	Active Status = iota + 1
	Expired
	Revoked
	Replaced // of a secret: it was rotated, and its overlap is over
	Suspended
)

// Status returns what the key is at an instant.
func (k *Key) Status(at ledger.Instant) Status {
	switch {
	case k.Revoked != 0:
		return Revoked
	case k.Expires != 0 && at >= k.Expires:
		return Expired
	case k.Suspended:
		return Suspended
	default:
		return Active
	}
}

// StatusOf is the status of one of the key's secrets.
func (k *Key) StatusOf(h Hash, at ledger.Instant) Status {
	if h != k.Hash && at >= k.OldUntil && k.Revoked == 0 {
		return Replaced
	}
	return k.Status(at)
}

// StatusOfPublic is the same for what proves the children of a secret.
func (k *Key) StatusOfPublic(public [32]byte, at ledger.Instant) Status {
	if public != k.Public && at >= k.OldUntil && k.Revoked == 0 {
		return Replaced
	}
	return k.Status(at)
}

// Validate says what is wrong with the parts of a key that its owner chooses.
func (k *Key) Validate() error {
	if err := k.ID.validate(); err != nil {
		return err
	}
	if k.Hash == (Hash{}) {
		return errors.New("key has no hash of a secret")
	}
	if err := validText(k.Name, MaxKeyName); err != nil {
		return fmt.Errorf("name of key %s: %w", k.ID, err)
	}
	if k.Expires < 0 {
		return fmt.Errorf("key %s expires before 1970", k.ID)
	}
	if err := validDims(&k.Bound); err != nil {
		return fmt.Errorf("bound dimensions of key %s: %w", k.ID, err)
	}
	if own := k.Bound.Values[ledger.DimKey]; own != "" && own != string(k.ID) {
		return fmt.Errorf("key %s is bound to another key's dimension", k.ID)
	}
	if err := validRefs(k.Required); err != nil {
		return fmt.Errorf("required dimensions of key %s: %w", k.ID, err)
	}
	if len(k.AllowModels) > MaxModels {
		return fmt.Errorf("key %s allows %d models, the most is %d", k.ID, len(k.AllowModels), MaxModels)
	}
	for i, m := range k.AllowModels {
		if m == "" {
			return fmt.Errorf("model %d of key %s is empty", i, k.ID)
		}
		if err := validText(m, MaxModelName); err != nil {
			return fmt.Errorf("model %d of key %s: %w", i, k.ID, err)
		}
	}
	return k.validateRights()
}

func (id KeyID) validate() error {
	if len(id) == 0 || len(id) > MaxKeyID {
		return fmt.Errorf("key id has %d bytes, allowed are 1 to %d", len(id), MaxKeyID)
	}
	for _, c := range []byte(id) {
		if !nameByte(c) {
			return fmt.Errorf("key id has a character other than a-z, 0-9, '.', '_', '-'")
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// validText accepts one line of UTF-8 that cannot break a table or a header.
func validText(s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%d bytes, the most is %d", len(s), most)
	}
	if !utf8.ValidString(s) {
		return errors.New("not UTF-8")
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return errors.New("holds a control character")
		}
	}
	return nil
}

func validDims(d *ledger.Dimensions) error {
	for i, v := range d.Values {
		if err := validText(v, ledger.MaxDimValue); err != nil {
			return fmt.Errorf("dimension %d: %w", i, err)
		}
	}
	if len(d.Tags) > ledger.MaxTags {
		return fmt.Errorf("%d tags, the most is %d", len(d.Tags), ledger.MaxTags)
	}
	for i, t := range d.Tags {
		if err := validTagName(t.Name); err != nil {
			return fmt.Errorf("tag %d: %w", i, err)
		}
		if i > 0 && d.Tags[i-1].Name >= t.Name {
			return errors.New("tags are not in order of name, each once")
		}
		if t.Value == "" {
			return fmt.Errorf("tag %d has no value", i)
		}
		if err := validText(t.Value, ledger.MaxDimValue); err != nil {
			return fmt.Errorf("tag %d: %w", i, err)
		}
	}
	return nil
}

func validRefs(refs []ledger.DimRef) error {
	if len(refs) > MaxRequired {
		return fmt.Errorf("%d of them, the most is %d", len(refs), MaxRequired)
	}
	for i, r := range refs {
		switch {
		case r.Dim > ledger.DimTag:
			return fmt.Errorf("dimension %d does not exist", r.Dim)
		case r.Dim != ledger.DimTag && r.Tag != "":
			return fmt.Errorf("dimension %d carries the name of a tag", r.Dim)
		case r.Dim == ledger.DimTag:
			if err := validTagName(r.Tag); err != nil {
				return err
			}
		}
		for _, other := range refs[:i] {
			if r == other {
				return errors.New("one is named twice")
			}
		}
	}
	return nil
}

func validTagName(name string) error {
	if name == "" {
		return errors.New("tag has no name")
	}
	return validText(name, ledger.MaxTagName)
}
