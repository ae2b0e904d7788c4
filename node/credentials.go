package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"purser/cluster/pki"
)

// credentials are what makes a data directory one of a cluster's:
//
//	cluster/cluster.json    which cluster and node; written last
//	cluster/authority.pem   of a member: the authority's certificate and key
//	cluster/root.pem        of a gateway: the authority's certificate
//	cluster/node.pem        of a gateway: its own certificate and key
//	cluster/purser.sealed   of a node that joined: the configuration it was given (given.go)
//	cluster/prices.yaml     and the price overrides
type credentials struct {
	standing  clusterFile
	root      *pki.Root
	authority *pki.Authority // nil: this node is a gateway
	identity  *pki.Identity  // of a gateway
}

type clusterFile struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Founder bool   `json:"founder,omitempty"` // this node began the cluster
	Gateway bool   `json:"gateway,omitempty"` // this node is no member
	// Members are whom a node that joined asks first; later the directory says.
	Members []place `json:"members,omitempty"`
}

type place struct {
	Node    string `json:"node"`
	Address string `json:"address"`
}

const (
	clusterDir     = "cluster"
	standingFile   = "cluster.json"
	authorityFile  = "authority.pem"
	rootFile       = "root.pem"
	identityFile   = "node.pem"
	givenSealed    = "purser.sealed"
	givenPlain     = "purser.yaml" // of an earlier build
	givenPrices    = "prices.yaml"
	standingFormat = 1
)

// readCredentials returns nil for a directory that belongs to no cluster.
func readCredentials(dataDir, node string) (*credentials, error) {
	dir := filepath.Join(dataDir, clusterDir)
	path := filepath.Join(dir, standingFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &credentials{}
	if err := json.Unmarshal(b, &c.standing); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.standing.Version != standingFormat {
		return nil, fmt.Errorf("%s has version %d, this build knows %d: run the build that wrote it, or a later one", path, c.standing.Version, standingFormat)
	}
	if c.standing.Node != node {
		return nil, fmt.Errorf("%s names node %q, not %q: correct node.id or node.data_dir", path, c.standing.Node, node)
	}
	if c.standing.Gateway {
		return c, c.readGateway(dir)
	}
	b, err = os.ReadFile(filepath.Join(dir, authorityFile))
	if err != nil {
		return nil, err
	}
	if c.authority, err = pki.ParseAuthority(b); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, authorityFile), err)
	}
	c.root = &c.authority.Root
	return c, nil
}

// readGateway reads what a gateway has in an authority's place.
func (c *credentials) readGateway(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, rootFile))
	if err != nil {
		return err
	}
	if c.root, err = pki.ParseRoot(b); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, rootFile), err)
	}
	if b, err = os.ReadFile(filepath.Join(dir, identityFile)); err != nil {
		return err
	}
	if c.identity, err = c.root.ParseIdentity(b, c.standing.Node, time.Now()); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, identityFile), err)
	}
	return nil
}

// serves reports why the directory cannot be that of a node in another role than
// it had: a gateway has no log to be a member with, and a member's log would go on
// counting in its cluster.
func (c *credentials) serves(cfg *Config) error {
	switch {
	case c.standing.Gateway == cfg.Cluster.Gateway:
		return nil
	case c.standing.Gateway:
		return fmt.Errorf("%s is that of gateway %s of cluster %s, and a gateway does not become a member: start it with --gateway (cluster.gateway: true), or give the member another node.id and an empty node.data_dir", cfg.Node.DataDir, c.standing.Node, c.standing.Cluster)
	default:
		return fmt.Errorf("%s is that of member %s of cluster %s, and a member does not become a gateway: start it without --gateway (cluster.gateway), or give the gateway another node.id and an empty node.data_dir", cfg.Node.DataDir, c.standing.Node, c.standing.Cluster)
	}
}

// ended reports whether a gateway's certificate is over. A member makes its own.
func (c *credentials) ended(now time.Time) error {
	if c.identity == nil || now.Before(c.identity.Until) {
		return nil
	}
	return fmt.Errorf("the certificate of gateway %s ended at %s, so no member talks to it: make a token on a member (purser cluster token) and join again with it (purser join --gateway --token TOKEN); id and data stay",
		c.standing.Node, c.identity.Until.UTC().Format(time.RFC3339))
}

// save makes the directory one of the cluster's. others are further files.
func (c *credentials) save(dataDir string, others map[string][]byte) error {
	dir := filepath.Join(dataDir, clusterDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files := map[string][]byte{}
	var err error
	if c.standing.Gateway {
		files[rootFile] = c.root.PEM()
		files[identityFile], err = c.identity.PEM()
	} else {
		files[authorityFile], err = c.authority.PEM()
	}
	if err != nil {
		return err
	}
	for name, b := range others {
		files[name] = b
	}
	for name, b := range files {
		if err := writeDurably(filepath.Join(dir, name), b); err != nil {
			return err
		}
	}
	return c.standing.save(dataDir)
}

func (f clusterFile) save(dataDir string) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return writeDurably(filepath.Join(dataDir, clusterDir, standingFile), append(b, '\n'))
}

// writeDurably replaces a file whole, for this user's eyes alone: what stands in the
// place of the next one may be somebody else's, or open to others, and is not used.
func writeDurably(path string, b []byte) error {
	if err := os.Remove(path + ".tmp"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ErrInCluster is a data directory that belongs to a cluster already.
var ErrInCluster = errors.New("the data directory belongs to a cluster already")

// InitCluster makes the node of a configuration the first of a new cluster. The
// node may have run alone before: what its ledger holds becomes the cluster's.
func InitCluster(cfg *Config, name string) (fingerprint string, err error) {
	if cfg.Cluster.Listen == "" {
		return "", errors.New("the configuration has no cluster.listen: say on which host:port other nodes will reach this one")
	}
	if cfg.Cluster.Gateway {
		return "", errors.New("a cluster begins with a member; cluster.gateway (--gateway) is for nodes that join later")
	}
	have, err := readCredentials(cfg.Node.DataDir, cfg.Node.ID)
	if err != nil {
		return "", err
	}
	if have != nil {
		return "", fmt.Errorf("%w: %s is node %s of cluster %s", ErrInCluster, cfg.Node.DataDir, have.standing.Node, have.standing.Cluster)
	}
	c := &credentials{standing: clusterFile{Version: standingFormat, Cluster: name, Node: cfg.Node.ID, Founder: true}}
	if c.authority, err = pki.NewAuthority(name, time.Now()); err != nil {
		return "", err
	}
	return c.authority.Fingerprint(), c.save(cfg.Node.DataDir, nil)
}
