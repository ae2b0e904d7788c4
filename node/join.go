package node

import (
	"context"
	"errors"
	"fmt"
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
	if old != nil && !anew {
		if err := old.serves(cfg); err != nil {
			return false, err
		}
	}
	token, err := pki.ParseToken(cfg.Cluster.JoinToken)
	switch {
	case old != nil && !anew && err != nil:
		return false, old.ended(time.Now()) // else it has joined, and needs no token
	case err != nil:
		return false, err
	case old != nil && old.root.Fingerprint() == token.Fingerprint:
		if old.ended(time.Now()) == nil {
			return false, nil
		}
	case old != nil && !anew:
		return false, fmt.Errorf("%s belongs to cluster %s of another authority than the token's: if that cluster is over, because this one was restored from its backup, join with --rejoin", cfg.Node.DataDir, old.standing.Cluster)
	}
	if _, err := makeNodeKey(cfg.Node.DataDir); err != nil { // before the token is used up
		return false, err
	}
	if cfg.Cluster.Gateway {
		return joinAsGateway(ctx, cfg, token, version, anew)
	}
	in, err := asking(cfg, token, version)
	if err != nil {
		return false, err
	}
	out, err := askIn(ctx, cfg, token, func(ctx context.Context) (*pb.JoinReply, error) { return peer.Join(ctx, token, in, time.Now) })
	if err != nil {
		return false, err
	}
	if anew {
		locked, failed := lockStore(cfg) // a node that runs there keeps its log
		if failed != nil {
			return false, failed
		}
		defer func() { err = errors.Join(err, locked.Close()) }()
		if err := leave(cfg); err != nil {
			return false, err
		}
	}
	return true, keep(cfg, token, out)
}

// joinAsGateway is Join for a gateway: it makes its own key, and keeps the
// certificate that it is given for it.
func joinAsGateway(ctx context.Context, cfg *Config, token *pki.Token, version string, anew bool) (joined bool, err error) {
	if _, err := os.Stat(filepath.Join(cfg.Node.DataDir, raftDir)); err == nil && !anew {
		return false, fmt.Errorf("%s has a ledger of its own (%s): a gateway keeps none; give it another node.id and an empty node.data_dir", cfg.Node.DataDir, raftDir)
	}
	request, err := pki.NewRequest(cfg.Node.ID)
	if err != nil {
		return false, err
	}
	node, err := asking(cfg, token, version)
	if err != nil {
		return false, err
	}
	in := &pb.JoinGatewayRequest{Node: node, CertificateRequest: request.DER}
	out, err := askIn(ctx, cfg, token, func(ctx context.Context) (*pb.JoinGatewayReply, error) {
		return peer.JoinGateway(ctx, token, in, time.Now)
	})
	if err != nil {
		return false, err
	}
	c := &credentials{standing: standingOf(cfg, token, out.Members)}
	if c.root, err = pki.ParseRoot(out.Root); err == nil {
		c.identity, err = c.root.Accept(request, out.Certificate, cfg.Node.ID, time.Now())
	}
	if err != nil {
		return false, fmt.Errorf("what the cluster answered: %w", err)
	}
	if anew {
		if _, err := setAside(cfg.Node.DataDir, time.Now()); err != nil {
			return false, err
		}
	}
	return true, c.keep(cfg, token, out.Configuration, out.Prices)
}

func standingOf(cfg *Config, token *pki.Token, members []*pb.Member) clusterFile {
	f := clusterFile{Version: standingFormat, Cluster: token.Cluster, Node: cfg.Node.ID, Gateway: cfg.Cluster.Gateway}
	for _, m := range members {
		f.Members = append(f.Members, place{m.Node, m.Address})
	}
	return f
}

// leave sets aside what the node has of a cluster that is over.
func leave(cfg *Config) error {
	if _, err := setAside(cfg.Node.DataDir, time.Now()); err != nil {
		return err
	}
	return cluster.Prepare(filepath.Join(cfg.Node.DataDir, raftDir), cfg.Node.ID)
}

// asking is what a new node says of itself.
func asking(cfg *Config, token *pki.Token, version string) (*pb.JoinRequest, error) {
	id, err := storeID(cfg)
	if err != nil {
		return nil, err
	}
	return &pb.JoinRequest{
		Secret: token.Secret, Node: cfg.Node.ID, Store: id, Address: cfg.Cluster.place(),
		Region: cfg.Cluster.Region, Zone: cfg.Cluster.Zone, Version: version,
	}, nil
}

// askIn asks until the cluster answers, or joinWait is over.
func askIn[T any](ctx context.Context, cfg *Config, token *pki.Token, ask func(context.Context) (*T, error)) (*T, error) {
	log := newLogger(cfg.Log)
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	for {
		out, err := ask(ctx)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, peer.ErrRefused) || errors.Is(err, pki.ErrCertificate) {
			return nil, fmt.Errorf("joining cluster %s: %w", token.Cluster, err)
		}
		log.Warn("the cluster has not let this node in yet; trying again", "cluster", token.Cluster, "error", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("joining cluster %s: %w", token.Cluster, err)
		case <-time.After(joinPause):
		}
	}
}

// lockStore opens the node's store, which is made if need be, for who has to know
// its identity, or that no node runs on it.
func lockStore(cfg *Config) (*store.Store, error) {
	log := newLogger(cfg.Log)
	return store.Open(store.Options{Dir: filepath.Join(cfg.Node.DataDir, storeDir), Log: log, Fatal: func(err error) {
		log.Error("the store failed", "error", err) // and says so in Close
	}})
}

// storeID is the identity of the node's store.
func storeID(cfg *Config) ([]byte, error) {
	s, err := lockStore(cfg)
	if err != nil {
		return nil, err
	}
	id := s.Identity().ID
	return id[:], s.Close()
}

// keep saves what the cluster answered a new member.
func keep(cfg *Config, token *pki.Token, out *pb.JoinReply) error {
	c := &credentials{standing: standingOf(cfg, token, out.Members)}
	var err error
	if c.authority, err = pki.ParseAuthority(out.Authority); err != nil {
		return fmt.Errorf("what the cluster answered: %w", err)
	}
	c.root = &c.authority.Root
	return c.keep(cfg, token, out.Configuration, out.Prices)
}

// keep saves credentials, if they are of the token's cluster, and the configuration
// that comes with them.
func (c *credentials) keep(cfg *Config, token *pki.Token, configuration, prices []byte) error {
	if c.root.Fingerprint() != token.Fingerprint {
		return errors.New("what the cluster answered does not fit the token")
	}
	key, err := makeNodeKey(cfg.Node.DataDir)
	if err != nil {
		return err
	}
	sealed, err := sealGiven(key, configuration)
	if err != nil {
		return err
	}
	files := map[string][]byte{givenSealed: sealed}
	if len(prices) > 0 {
		files[givenPrices] = prices
	}
	if err := c.save(cfg.Node.DataDir, files); err != nil {
		return fmt.Errorf("keeping the cluster's credentials: %w", err)
	}
	return nil
}
