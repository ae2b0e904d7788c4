package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Binding is what a secret is sealed for. It opens for nothing else.
type Binding struct {
	ID       string // of the credential
	Provider string
}

// Vault seals and opens with the master keys that a node knows.
type Vault struct {
	masters *Masters
}

// New returns a Vault.
func New(m *Masters) *Vault { return &Vault{masters: m} }

// Masters are the master keys that it works with.
func (v *Vault) Masters() *Masters { return v.masters }

// What an encryption is for is part of what it is bound to.
const (
	forSecret  = "secret"
	forDataKey = "data key"
)

// bind is the additional authenticated data of an encryption.
func (b Binding) bind(purpose string, generation uint64) []byte {
	out := append([]byte("purser vault"), sealedVersion)
	for _, part := range [...]string{purpose, b.ID, b.Provider} {
		out = appendBytes(out, part)
	}
	return binary.BigEndian.AppendUint64(out, generation)
}

// opened is what a sealed form holds, and what it takes to write another.
type opened struct {
	mark   []byte // key of the fingerprint
	secret []byte
}

func (o *opened) wipe() { clear(o.mark); clear(o.secret) }

// Seal encrypts a secret under a data key of its own, and gives its fingerprint.
// was is what the credential had before, a zero value for none: its generation is
// counted on from, and its fingerprint key is kept if it can be opened.
func (v *Vault) Seal(ctx context.Context, b Binding, secret []byte, was Sealed) (Sealed, string, error) {
	if len(secret) == 0 || len(secret) > MaxSecret {
		return Sealed{}, "", fmt.Errorf("vault: a secret of %d bytes, allowed are 1 to %d", len(secret), MaxSecret)
	}
	mark := make([]byte, keySize)
	_, _ = rand.Read(mark) // never fails since Go 1.24
	if !was.IsZero() {
		if o, err := v.open(ctx, b, was); err == nil {
			copy(mark, o.mark)
			o.wipe()
		} // else its master key is lost, which is why it is put again
	}
	defer clear(mark)
	out, err := v.encrypt(ctx, b, &opened{mark, secret}, was.Generation+1)
	return out, fingerprint(mark, secret), err
}

func (v *Vault) encrypt(ctx context.Context, b Binding, o *opened, generation uint64) (Sealed, error) {
	master, err := v.masters.Current()
	if err != nil {
		return Sealed{}, err
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	defer clear(key)
	out := Sealed{Master: master.KeyID(), Generation: generation}
	if out.wrapped, err = wrap(ctx, master, key, b.bind(forDataKey, generation)); err != nil {
		return Sealed{}, err
	}
	plain := append(append(make([]byte, 0, keySize+len(o.secret)), o.mark...), o.secret...)
	defer clear(plain)
	_, _ = rand.Read(out.nonce[:])
	out.text = gcm(key).Seal(nil, out.nonce[:], plain, b.bind(forSecret, generation))
	return out, nil
}

// Open decrypts a secret. The caller owns it, and should overwrite it.
func (v *Vault) Open(ctx context.Context, b Binding, s Sealed) ([]byte, error) {
	o, err := v.open(ctx, b, s)
	if err != nil {
		return nil, err
	}
	clear(o.mark)
	return o.secret, nil
}

func (v *Vault) open(ctx context.Context, b Binding, s Sealed) (*opened, error) {
	key, err := v.dataKey(ctx, b, s)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return s.openWith(key, b)
}

func (s *Sealed) openWith(key []byte, b Binding) (*opened, error) {
	plain, err := gcm(key).Open(nil, s.nonce[:], s.text, b.bind(forSecret, s.Generation))
	if err != nil || len(plain) < keySize {
		return nil, ErrDamaged
	}
	return &opened{plain[:keySize:keySize], plain[keySize:]}, nil
}

func (v *Vault) dataKey(ctx context.Context, b Binding, s Sealed) ([]byte, error) {
	if s.IsZero() {
		return nil, errors.New("vault: there is no secret")
	}
	master, err := v.masters.Find(s.Master)
	if err != nil {
		return nil, err
	}
	key, err := master.Unwrap(ctx, s.wrapped, b.bind(forDataKey, s.Generation))
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		clear(key)
		return nil, ErrDamaged
	}
	return key, nil
}

// Rewrap wraps the data key by the current master key. changed is false where that
// wraps it already, unless again says that it is to be done all the same, as after
// a service has rotated a key under its name. The ciphertext stays.
func (v *Vault) Rewrap(ctx context.Context, b Binding, s Sealed, how Rewrapping) (out Sealed, changed bool, err error) {
	master, err := v.masters.Current()
	if err != nil {
		return s, false, err
	}
	if s.Master == master.KeyID() && how != Again {
		return s, false, nil
	}
	key, err := v.dataKey(ctx, b, s)
	if err != nil {
		return s, false, err
	}
	defer clear(key)
	o, err := s.openWith(key, b) // what cannot be opened is not to look as if it could
	if err != nil {
		return s, false, err
	}
	o.wipe()
	out = s
	out.Master = master.KeyID()
	if out.wrapped, err = wrap(ctx, master, key, b.bind(forDataKey, s.Generation)); err != nil {
		return s, false, err
	}
	return out, true, nil
}

// Rewrapping says which data keys are wrapped anew.
type Rewrapping uint8

// The ways.
const (
	// Outdated: those that another master key wraps.
	Outdated Rewrapping = iota
	// Again: all.
	Again
)

// Renew draws another data key and encrypts the secret with it.
func (v *Vault) Renew(ctx context.Context, b Binding, s Sealed) (Sealed, error) {
	o, err := v.open(ctx, b, s)
	if err != nil {
		return s, err
	}
	defer o.wipe()
	return v.encrypt(ctx, b, o, s.Generation+1)
}

// Matches says whether a sealed secret is this one, in a time that does not tell.
func (v *Vault) Matches(ctx context.Context, b Binding, s Sealed, secret []byte) (bool, error) {
	o, err := v.open(ctx, b, s)
	if err != nil {
		return false, err
	}
	defer o.wipe()
	return hmac.Equal(digest(o.mark, o.secret), digest(o.mark, secret)), nil
}

// fingerprintBytes are shown: enough that no two keys ever share them.
const fingerprintBytes = 16

func fingerprint(mark, secret []byte) string {
	return "hmac:" + hex.EncodeToString(digest(mark, secret)[:fingerprintBytes])
}

func digest(mark, secret []byte) []byte {
	h := hmac.New(sha256.New, mark)
	h.Write([]byte("purser fingerprint"))
	h.Write(secret)
	return h.Sum(nil)
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("vault: a key of the wrong size: " + err.Error())
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic("vault: " + err.Error())
	}
	return a
}
