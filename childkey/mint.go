package childkey

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const derivation = "purser child key v1"

// signer is the key pair of a virtual key's secret.
func signer(secret string) ed25519.PrivateKey {
	seed, err := hkdf.Key(sha256.New, []byte(secret), nil, derivation, ed25519.SeedSize)
	if err != nil {
		panic("childkey: " + err.Error()) // only a length of key can be wrong
	}
	return ed25519.NewKeyFromSeed(seed)
}

// Public is what proves the children of a virtual key's secret.
func Public(secret string) (public [ed25519.PublicKeySize]byte) {
	copy(public[:], signer(secret).Public().(ed25519.PublicKey))
	return public
}

// ErrSealed is a token that nobody can make children of.
var ErrSealed = errors.New("the child key is sealed: it has no children")

// Mint makes a child of a virtual key, or of a child key that is not sealed. It
// asks nobody: what the parent itself may not do, the child will be refused.
func Mint(parent string, c Caveats) (string, error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	body, key, err := holder(parent)
	if err != nil {
		return "", err
	}
	_, child, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("drawing a key pair: %w", err)
	}
	payload, err := json.Marshal(block{c, encoding.EncodeToString(child.Public().(ed25519.PublicKey))})
	if err != nil {
		return "", fmt.Errorf("writing the block: %w", err)
	}
	body += "." + encoding.EncodeToString(payload)
	body += "." + encoding.EncodeToString(ed25519.Sign(key, []byte(body)))
	token := body + "." + encoding.EncodeToString(child.Seed())
	if _, err := Parse(token); err != nil {
		return "", err // it is too long or too deep
	}
	return token, nil
}

// holder is the text that a parent's children begin with, and the pair that signs
// them.
func holder(parent string) (string, ed25519.PrivateKey, error) {
	if !strings.HasPrefix(parent, Prefix) {
		if parent == "" {
			return "", nil, errors.New("the parent's secret is empty")
		}
		key := signer(parent)
		return Prefix + encoding.EncodeToString(key.Public().(ed25519.PublicKey)), key, nil
	}
	t, err := Parse(parent)
	switch {
	case err != nil:
		return "", nil, err
	case t.Sealed:
		return "", nil, ErrSealed
	}
	return t.body(), ed25519.NewKeyFromSeed(t.proof), nil
}

// Seal returns the token in a form that nobody can make children of.
func Seal(token string) (string, error) {
	t, err := Parse(token)
	switch {
	case err != nil:
		return "", err
	case t.Sealed:
		return token, nil
	}
	proof := ed25519.Sign(ed25519.NewKeyFromSeed(t.proof), t.sealing())
	if token = t.body() + "." + encoding.EncodeToString(proof); len(token) > MaxToken {
		return "", ErrTooLong
	}
	return token, nil
}
