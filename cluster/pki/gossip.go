package pki

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// GossipKeyLen is the length of a gossip key: AES-256.
const GossipKeyLen = 32

// GossipKey is the key that the members of the cluster encrypt gossip with. It is
// derived from the authority's key, which every member keeps, so that there is no
// further secret to hand round; it tells nothing about that key.
func (a *Authority) GossipKey() ([]byte, error) {
	secret, err := a.key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("reading the authority's key: %w", err)
	}
	return gossipKey(secret, a.cluster)
}

// gossipKey is HKDF-SHA256 (RFC 5869) without a salt. The form is part of the
// wire: nodes of two builds must derive one key.
func gossipKey(secret []byte, cluster string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "purser gossip 1 "+cluster, GossipKeyLen)
	if err != nil {
		return nil, fmt.Errorf("deriving the gossip key: %w", err)
	}
	return key, nil
}

// GossipLabel tells the gossip of this cluster from that of others, also of those
// with the same name. It is no secret.
func (r *Root) GossipLabel() string { return r.cluster + "/" + r.Fingerprint()[:16] }
