package vault

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Wrapper is a master key: it encrypts data keys and is never seen itself. A key
// management service takes part by implementing it.
type Wrapper interface {
	// KeyID names the key, without telling anything of it: at most 256 bytes of one
	// line. It is stored with what was wrapped, to find the key again.
	KeyID() string
	// Wrap encrypts a data key, bound to bound. It keeps neither.
	Wrap(ctx context.Context, key, bound []byte) ([]byte, error)
	// Unwrap decrypts what Wrap made with the same bound. Whoever calls it owns the
	// key. ErrDamaged, or an error of the way to the key; no text has a key in it.
	Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error)
}

func wrap(ctx context.Context, w Wrapper, key, bound []byte) ([]byte, error) {
	out, err := w.Wrap(ctx, key, bound)
	if err == nil && (len(out) == 0 || len(out) > maxWrapped || len(w.KeyID()) > maxMasterID || w.KeyID() == "") {
		err = fmt.Errorf("vault: master key %.64q wraps a data key in %d bytes, or has a name of %d", w.KeyID(), len(out), len(w.KeyID()))
	}
	return out, err
}

// LocalKey is a master key of 32 bytes in this process.
type LocalKey struct {
	id   string
	aead cipher.AEAD
}

// NewLocalKey returns a key. Its id is the beginning of a hash: the key is random,
// so nothing of it can be found from that.
func NewLocalKey(key []byte) (*LocalKey, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("a master key has %d bytes, not %d", keySize, len(key))
	}
	sum := sha256.Sum256(append([]byte("purser master key\x00"), key...))
	return &LocalKey{"local:" + hex.EncodeToString(sum[:8]), gcm(key)}, nil
}

// KeyID implements Wrapper.
func (k *LocalKey) KeyID() string { return k.id }

// Wrap implements Wrapper. It encrypts anything, data keys or not.
func (k *LocalKey) Wrap(_ context.Context, key, bound []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize, nonceSize+len(key)+tagSize)
	_, _ = rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, key, bound), nil
}

// Unwrap implements Wrapper.
func (k *LocalKey) Unwrap(_ context.Context, wrapped, bound []byte) ([]byte, error) {
	if len(wrapped) < nonceSize {
		return nil, ErrDamaged
	}
	key, err := k.aead.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], bound)
	if err != nil {
		return nil, ErrDamaged
	}
	return key, nil
}

// NewKeyText draws a master key, as ParseKeys reads it.
func NewKeyText() string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	defer clear(key)
	return base64.StdEncoding.EncodeToString(key)
}

// maxMasters is more than any rotation needs at once.
const maxMasters = 16

// ParseKeys reads local master keys, the current one first: 32 bytes each, in
// base64 or hex, separated by white space or commas. Lines that begin with # are
// comments. An error names the place of what it cannot read, never the text.
func ParseKeys(text string) ([]*LocalKey, error) {
	var out []*LocalKey
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
			key, err := parseKey(word)
			if err != nil {
				return nil, fmt.Errorf("master key %d: %w", len(out)+1, err)
			}
			k, err := NewLocalKey(key)
			clear(key)
			if err != nil {
				return nil, fmt.Errorf("master key %d: %w", len(out)+1, err)
			}
			if seen[k.id] {
				return nil, fmt.Errorf("master key %d is there twice", len(out)+1)
			}
			seen[k.id] = true
			if out = append(out, k); len(out) > maxMasters {
				return nil, fmt.Errorf("there are more than %d master keys", maxMasters)
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no master key in it; make one with `purser vault new-key`")
	}
	return out, nil
}

func parseKey(word string) ([]byte, error) {
	if len(word) == 2*keySize {
		if b, err := hex.DecodeString(word); err == nil {
			return b, nil
		}
	}
	word = strings.TrimRight(word, "=")
	for _, e := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(word); err == nil && len(b) == keySize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("not %d bytes in base64 or hex", keySize)
}

// maxKeyFile is far beyond a file of maxMasters keys with comments.
const maxKeyFile = 64 << 10

// ReadKeyFile reads a file of master keys. It refuses one that others than its
// owner and its group may read, or others than its owner write: a group that may
// read is how Kubernetes gives a volume of secrets to a process.
func ReadKeyFile(path string) ([]*LocalKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(info); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := make([]byte, info.Size())
	defer clear(b)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	keys, err := ParseKeys(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func private(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Mode().Perm()&0o037 != 0:
		return fmt.Errorf("has mode %04o, so that others than its owner and group may read it, or others than its owner write it: chmod 600 it", info.Mode().Perm())
	case info.Size() == 0:
		return errors.New("is empty")
	case info.Size() > maxKeyFile:
		return fmt.Errorf("is larger than %d bytes", maxKeyFile)
	}
	return nil
}
