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
//	cluster/authority.pem   the authority's certificate and key
//	cluster/purser.yaml     of a node that joined: the configuration it was given
//	cluster/prices.yaml     and the price overrides
type credentials struct {
	standing  clusterFile
	authority *pki.Authority
}

type clusterFile struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Founder bool   `json:"founder,omitempty"` // this node began the cluster
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
	givenFile      = "purser.yaml"
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
	b, err = os.ReadFile(filepath.Join(dir, authorityFile))
	if err != nil {
		return nil, err
	}
	if c.authority, err = pki.ParseAuthority(b); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, authorityFile), err)
	}
	return c, nil
}

// save makes the directory one of the cluster's. others are further files.
func (c *credentials) save(dataDir string, others map[string][]byte) error {
	dir := filepath.Join(dataDir, clusterDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	authority, err := c.authority.PEM()
	if err != nil {
		return err
	}
	standing, err := json.Marshal(c.standing)
	if err != nil {
		return err
	}
	files := map[string][]byte{authorityFile: authority}
	for name, b := range others {
		files[name] = b
	}
	for name, b := range files {
		if err := writeDurably(filepath.Join(dir, name), b); err != nil {
			return err
		}
	}
	return writeDurably(filepath.Join(dir, standingFile), append(standing, '\n'))
}

// writeDurably replaces a file whole, for this user's eyes alone.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
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
