package login

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Sealer makes cookies that any node of the cluster can open, and nobody else can
// make or read. It may be used by any number of goroutines.
type Sealer struct{ aead cipher.AEAD }

// NewSealer derives the key that cookies are sealed with from a secret that every
// node has. Whoever changes that secret ends every session.
func NewSealer(secret string) (*Sealer, error) {
	const bytes = 32
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "purser: cookies of people, version 1", bytes)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of cookies: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the cipher of cookies: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("the cipher of cookies: %w", err)
	}
	return &Sealer{aead}, nil
}

// Put seals v, as JSON, for a use.
func (s *Sealer) Put(use string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, []byte(use))), nil
}

// Take opens what Put sealed for the same use.
func (s *Sealer) Take(use, cookie string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil {
		raw, err = s.aead.Open(nil, nil, raw, []byte(use))
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return errors.New("the cookie was not made here")
	}
	return nil
}
