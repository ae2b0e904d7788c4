package pki

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestGossipKeyIsOneForAllMembers: who has the authority's file has the key, and
// who has another authority has another one, also under the same name.
func TestGossipKeyIsOneForAllMembers(t *testing.T) {
	a, stranger := authority(t, "prod"), authority(t, "prod")
	file, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	joined, err := ParseAuthority(file)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{}
	for name, from := range map[string]*Authority{"first": a, "joined": joined, "stranger": stranger} {
		if keys[name], err = from.GossipKey(); err != nil || len(keys[name]) != GossipKeyLen {
			t.Fatalf("%s: %d bytes, %v", name, len(keys[name]), err)
		}
	}
	if !bytes.Equal(keys["first"], keys["joined"]) || a.GossipLabel() != joined.GossipLabel() {
		t.Error("two members of a cluster have different keys or labels")
	}
	if bytes.Equal(keys["first"], keys["stranger"]) || a.GossipLabel() == stranger.GossipLabel() {
		t.Error("two clusters of one name have the same key or label")
	}
}

// TestCompatGossipKey pins the derivation: nodes of two builds must agree on it.
// The value was computed with Python's hmac module from RFC 5869.
func TestCompatGossipKey(t *testing.T) {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i + 1)
	}
	key, err := gossipKey(secret, "prod")
	const want = "5ebd7409864bc62eadfdd48555c6d9feba6b31d181677d35eecf48a5a4cbd4bd"
	if err != nil || hex.EncodeToString(key) != want {
		t.Errorf("got %x, %v, want %s", key, err, want)
	}
}
