package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// DataKey seals what a node keeps for itself, such as answers in its caches, with
// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key that is
// derived for each message from the first half of a random nonce of 24 bytes. Random
// nonces of plain AES-GCM are safe for some 2^32 messages of a key, which a busy
// cache writes in weeks; these are for 2^80, so that the key need not change.
//
// What it seals is, in bytes:
//
//	id of the data key, 4 bytes
//	nonce, 24 bytes
//	ciphertext, with the 16 bytes of its tag
//
// A DataKey is safe for concurrent use.
type DataKey struct {
	id   [dataKeyID]byte
	aes  cipher.Block
	mask [aes.BlockSize]byte // K1 of the CMAC that derives keys
}

const (
	dataKeyID  = 4
	longNonce  = 24
	dataHeader = dataKeyID + longNonce

	// DataOverhead is how many bytes longer what Seal appends is than the plain text.
	DataOverhead = dataHeader + tagSize
)

// ErrOtherKey is a text that another data key sealed: it may be sound, and is of no
// use here.
var ErrOtherKey = errors.New("vault: sealed by another data key")

// NewDataKey returns a key from its 32 bytes, of which it keeps no copy.
func NewDataKey(key []byte) (*DataKey, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("vault: a data key has %d bytes, not %d", keySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	sum := sha256.Sum256(append([]byte("purser data key\x00"), key...))
	k := &DataKey{id: [dataKeyID]byte(sum[:]), aes: block}
	block.Encrypt(k.mask[:], k.mask[:])
	var carry byte
	for i := len(k.mask) - 1; i >= 0; i-- {
		k.mask[i], carry = k.mask[i]<<1|carry, k.mask[i]>>7
	}
	k.mask[len(k.mask)-1] ^= carry * 0x87 // the polynomial of CMAC (NIST SP 800-38B)
	return k, nil
}

// derive gives the cipher of the messages whose nonce begins so.
func (k *DataKey) derive(head []byte) cipher.AEAD {
	var key [keySize]byte
	defer clear(key[:])
	for i := range 2 {
		half := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		copy(half, []byte{0, byte(i + 1), 'X', 0})
		copy(half[4:], head)
		for j := range half {
			half[j] ^= k.mask[j]
		}
		k.aes.Encrypt(half, half)
	}
	return gcm(key[:])
}

// Seal appends plain, sealed and bound to bound, to dst.
func (k *DataKey) Seal(dst, plain, bound []byte) []byte {
	var nonce [longNonce]byte
	_, _ = rand.Read(nonce[:]) // never fails since Go 1.24
	return k.seal(dst, nonce[:], plain, bound)
}

func (k *DataKey) seal(dst, nonce, plain, bound []byte) []byte {
	dst = append(append(dst, k.id[:]...), nonce...)
	return k.derive(nonce[:nonceSize]).Seal(dst, nonce[nonceSize:], plain, bound)
}

// Open appends what Seal sealed with the same bound to dst. ErrOtherKey or
// ErrDamaged.
func (k *DataKey) Open(dst, sealed, bound []byte) ([]byte, error) {
	if len(sealed) < dataHeader+tagSize {
		return nil, ErrDamaged
	}
	if !bytes.Equal(sealed[:dataKeyID], k.id[:]) {
		return nil, ErrOtherKey
	}
	nonce := sealed[dataKeyID:dataHeader]
	out, err := k.derive(nonce[:nonceSize]).Open(dst, nonce[nonceSize:], sealed[dataHeader:], bound)
	if err != nil {
		return nil, ErrDamaged
	}
	return out, nil
}

// A data key is kept as
//
//	version=1
//	id of the key that wraps it: length (uvarint), text
//	wrapped data key, as the Wrapper made it
const dataKeyVersion = 1

func boundDataKey() []byte { return append([]byte("purser node data key"), dataKeyVersion) }

// MakeDataKey draws a data key and wraps it.
func MakeDataKey(ctx context.Context, w Wrapper) (*DataKey, []byte, error) {
	key := make([]byte, keySize)
	defer clear(key)
	_, _ = rand.Read(key)
	k, err := NewDataKey(key)
	if err != nil {
		return nil, nil, err
	}
	kept, err := wrapDataKey(ctx, w, key)
	return k, kept, err
}

func wrapDataKey(ctx context.Context, w Wrapper, key []byte) ([]byte, error) {
	wrapped, err := wrap(ctx, w, key, boundDataKey())
	if err != nil {
		return nil, err
	}
	return append(appendBytes([]byte{dataKeyVersion}, w.KeyID()), wrapped...), nil
}

// OpenDataKey reads what MakeDataKey returned. find gives a wrapping key by its id.
// If that is not the one that it should be, again is the data key wrapped by that,
// to be kept instead; else nil.
func OpenDataKey(ctx context.Context, kept []byte, find func(id string) (Wrapper, error), should Wrapper) (k *DataKey, again []byte, err error) {
	if len(kept) == 0 {
		return nil, nil, ErrMalformed
	}
	if kept[0] != dataKeyVersion {
		return nil, nil, fmt.Errorf("%w: %d", ErrVersion, kept[0])
	}
	id, wrapped, ok := cutBytes(kept[1:], maxMasterID)
	if !ok || len(id) == 0 || len(wrapped) == 0 || len(wrapped) > maxWrapped {
		return nil, nil, ErrMalformed
	}
	w, err := find(string(id))
	if err != nil {
		return nil, nil, err
	}
	key, err := w.Unwrap(ctx, wrapped, boundDataKey())
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	if k, err = NewDataKey(key); err != nil {
		return nil, nil, ErrDamaged
	}
	if should != nil && should.KeyID() != string(id) {
		again, err = wrapDataKey(ctx, should, key)
	}
	return k, again, err
}
