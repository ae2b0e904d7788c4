package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/internal/store"
)

// joinWait bounds how long a new node tries to reach the members its token names.
const (
	joinWait  = time.Minute
	joinPause = time.Second
)

// given is the configuration that a node was given when it joined, as a file; ""
// if it was given none.
func given(dataDir string) string {
	path := filepath.Join(dataDir, clusterDir, givenFile)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// GivenPrices are the price overrides that a node was given when it joined, as a
// file; "" if it was given none.
func GivenPrices(dataDir string) string {
	path := filepath.Join(dataDir, clusterDir, givenPrices)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Join asks the cluster of cluster.join_token to let this node in, if it is not
// in, and keeps what it is given: its credentials and the configuration that all
// nodes share. Of cfg it reads the sections node and cluster. With anew, a node
// of another cluster leaves that: what its directory has of it is set aside.
func Join(ctx context.Context, cfg *Config, version string, anew bool) (joined bool, err error) {
	if cfg.Cluster.Listen == "" {
		return false, errors.New("cluster.listen is not set: say on which host:port other nodes will reach this one (--cluster-listen)")
	}
	if err := cfg.Cluster.validate(cfg.Node.ID); err != nil {
		return false, err
	}
	old, err := readCredentials(cfg.Node.DataDir, cfg.Node.ID)
	if err != nil {
		return false, err
	}
	token, err := pki.ParseToken(cfg.Cluster.JoinToken)
	switch {
	case old != nil && !anew && err != nil:
		return false, nil // it has joined, and needs no token
	case err != nil:
		return false, err
	case old != nil && old.authority.Fingerprint() == token.Fingerprint:
		return false, nil
	case old != nil && !anew:
		return false, fmt.Errorf("%s belongs to cluster %s of another authority than the token's: if that cluster is over, because this one was restored from its backup, join with --rejoin", cfg.Node.DataDir, old.standing.Cluster)
	}
	out, err := askIn(ctx, cfg, token, version)
	if err != nil {
		return false, err
	}
	if anew {
		if err := leave(cfg); err != nil {
			return false, err
		}
	}
	return true, keep(cfg, token, out)
}

// leave sets aside what the node has of a cluster that is over.
func leave(cfg *Config) error {
	if _, err := setAside(cfg.Node.DataDir, time.Now()); err != nil {
		return err
	}
	return cluster.Prepare(filepath.Join(cfg.Node.DataDir, raftDir), cfg.Node.ID)
}

// askIn asks until the cluster answers, or joinWait is over.
func askIn(ctx context.Context, cfg *Config, token *pki.Token, version string) (*pb.JoinReply, error) {
	log := newLogger(cfg.Log)
	id, err := storeID(cfg, log)
	if err != nil {
		return nil, err
	}
	in := &pb.JoinRequest{
		Secret: token.Secret, Node: cfg.Node.ID, Store: id, Address: cfg.Cluster.place(),
		Region: cfg.Cluster.Region, Zone: cfg.Cluster.Zone, Version: version,
	}
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	for {
		out, err := peer.Join(ctx, token, in, time.Now)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, peer.ErrRefused) || errors.Is(err, pki.ErrCertificate) {
			return nil, fmt.Errorf("joining cluster %s: %w", token.Cluster, err)
		}
		log.Warn("the cluster cannot be reached; trying again", "cluster", token.Cluster, "error", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("joining cluster %s: %w", token.Cluster, err)
		case <-time.After(joinPause):
		}
	}
}

// storeID is the identity of the node's store, which is made if need be.
func storeID(cfg *Config, log *slog.Logger) ([]byte, error) {
	var failure error
	s, err := store.Open(store.Options{Dir: filepath.Join(cfg.Node.DataDir, storeDir), Log: log, Fatal: func(err error) { failure = err }})
	if err != nil {
		return nil, err
	}
	id := s.Identity().ID
	return id[:], errors.Join(s.Close(), failure)
}

// keep saves what the cluster answered.
func keep(cfg *Config, token *pki.Token, out *pb.JoinReply) error {
	authority, err := pki.ParseAuthority(out.Authority)
	if err != nil {
		return fmt.Errorf("what the cluster answered: %w", err)
	}
	if authority.Fingerprint() != token.Fingerprint {
		return errors.New("what the cluster answered does not fit the token")
	}
	c := &credentials{
		standing:  clusterFile{Version: standingFormat, Cluster: token.Cluster, Node: cfg.Node.ID},
		authority: authority,
	}
	for _, m := range out.Members {
		c.standing.Members = append(c.standing.Members, place{m.Node, m.Address})
	}
	files := map[string][]byte{givenFile: out.Configuration}
	if len(out.Prices) > 0 {
		files[givenPrices] = out.Prices
	}
	if err := c.save(cfg.Node.DataDir, files); err != nil {
		return fmt.Errorf("keeping the cluster's credentials: %w", err)
	}
	return nil
}
