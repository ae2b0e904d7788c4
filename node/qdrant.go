package node

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"purser/internal/telemetry"
	"purser/internal/vault"
	"purser/semcache/qdrant"
	"purser/semcache/semantic"
)

// QdrantConfig is the tier that nodes' semantic caches have in common. Without an
// address there is none.
type QdrantConfig struct {
	Address     string        `yaml:"address"`            // host:port of the gRPC API, port 6334 if it is left out; default none
	SealKey     string        `yaml:"seal_key"`           // at least 32 characters, the same on all nodes; better ${PURSER_SEMCACHE_KEY}
	APIKey      string        `yaml:"api_key"`            // better ${QDRANT_API_KEY}; default none
	TLS         bool          `yaml:"tls"`                // default false
	CAFile      string        `yaml:"ca_file"`            // PEM, at the same place on every node; default the system's authorities
	PlainAPIKey bool          `yaml:"plain_api_key"`      // send the key without TLS, default false
	Timeout     time.Duration `yaml:"timeout"`            // of a lookup, default 50ms, 5ms to 1s
	Prefix      string        `yaml:"prefix"`             // of the collections' names, default sem_
	Replicas    int           `yaml:"replication_factor"` // of a collection that is made, default 1, 1 to 16
}

// leastSealKey is the characters of a key that cannot be guessed.
const leastSealKey = 32

func defaultQdrant() QdrantConfig {
	d := qdrant.Default()
	return QdrantConfig{Timeout: d.Timeout, Prefix: d.Prefix, Replicas: d.Replicas}
}

func (c *QdrantConfig) tier() qdrant.Config {
	return qdrant.Config{Address: c.Address, APIKey: c.APIKey, TLS: c.TLS, CAFile: c.CAFile, PlainAPIKey: c.PlainAPIKey, Timeout: c.Timeout, Prefix: c.Prefix, Replicas: c.Replicas}
}

func (c *QdrantConfig) validate() error {
	if c.Address == "" {
		return nil // there is no tier that the other keys could be of
	}
	var errs []error
	if len(c.SealKey) < leastSealKey {
		errs = append(errs, fmt.Errorf("seal_key: has fewer than %d characters; make one with `openssl rand -hex 32`, for all nodes, and set PURSER_SEMCACHE_KEY", leastSealKey))
	}
	return errors.Join(append(errs, c.tier().Validate())...)
}

// sealer is made of the key that all nodes have. Its name is part of the stored form.
func (c *QdrantConfig) sealer() (semantic.Sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.SealKey), nil, "purser semcache shared tier", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of the shared semantic tier: %w", err)
	}
	return vault.NewDataKey(key)
}

// openShared starts the tier that nodes have in common, for the vectors of one
// embedder, with what seals its entries; nil, nil where none is configured. That the
// server is not there is no error, and what cannot be started is said and done
// without: the node serves all the same.
func (n *Node) openShared(embedder string, dim int) (semantic.Shared, semantic.Sealer) {
	c := &n.cfg.Semcache.Qdrant
	if c.Address == "" {
		return nil, nil
	}
	seal, err := c.sealer()
	if err == nil {
		n.shared, err = qdrant.Open(qdrant.Options{Config: c.tier(), Embedder: embedder, Dim: dim, Leads: n.raft.Leader, Now: now, Log: n.log})
	}
	if err != nil {
		n.log.Error("the shared semantic tier is not used", "error", err)
		return nil, nil
	}
	return n.shared, seal
}

// sharedCloseTime bounds how long a node that ends waits for what it has still to
// write to the shared tier.
const sharedCloseTime = 2 * time.Second

// closeShared ends the shared tier, after whatever stores in it.
func (n *Node) closeShared() error {
	if n.shared == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), sharedCloseTime)
	defer cancel()
	return n.shared.Close(ctx)
}

// sharedTier is the shared tier as metrics show it; false where there is none.
func (n *Node) sharedTier() (telemetry.SharedTier, bool) {
	if n.shared == nil {
		return telemetry.SharedTier{}, false
	}
	s := n.shared.Status()
	c := s.Counts
	return telemetry.SharedTier{
		Ready: s.State == qdrant.Ready, Queued: s.Queued, LookupSeconds: time.Duration(c.LookupNanos).Seconds(),
		Lookups: map[string]uint64{"found": c.Found, "empty": c.Empty, "late": c.Late, "failed": c.Failed, "abandoned": c.Abandoned, "off": c.Off, "busy": c.Busy},
		Points:  map[string]uint64{"written": c.Written, "overflowed": c.Overflowed, "expired": c.Expired, "rejected": c.Rejected, "given_up": c.GivenUp},
		Purges:  map[string]uint64{"done": c.Forgotten, "failed": c.ForgetsFailed},
		Sweeps:  map[string]uint64{"done": c.Sweeps, "failed": c.SweepsFailed},
		Alien:   c.Alien, Retries: c.Retries, Trips: c.Opened,
	}, true
}
