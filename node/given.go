package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"purser/internal/vault"
)

// What a node is given when it joins has the admin token and providers' keys in it.
// It is kept sealed by a key of the node's own, which is not in the data directory:
// who has a copy or a backup of that cannot read it.
//
//	cluster/purser.sealed   version=1, then nonce, ciphertext and tag of AES-256-GCM
const givenVersion = 1

// nodeKeyVariable names the environment variable with the path of the node's key.
const nodeKeyVariable = "PURSER_NODE_KEY_FILE"

// nodeKeyFile is where the node's key is: beside the data directory, unless the
// environment says otherwise.
func nodeKeyFile(dataDir string) (string, error) {
	if path := os.Getenv(nodeKeyVariable); path != "" {
		return path, nil
	}
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", err
	}
	if dir == filepath.Dir(dir) {
		return "", fmt.Errorf("the data directory is the root: say with %s where the key of this node is to be", nodeKeyVariable)
	}
	return dir + ".key", nil
}

// makeNodeKey reads the key of the node, or makes one.
func makeNodeKey(dataDir string) (*vault.LocalKey, error) {
	key, err := readNodeKey(dataDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	path, err := nodeKeyFile(dataDir)
	if err != nil {
		return nil, err
	}
	if err := writeDurably(path, []byte(vault.NewKeyText()+"\n")); err != nil {
		return nil, fmt.Errorf("making the key that seals what this node is given: %w (%s says where it is to be)", err, nodeKeyVariable)
	}
	return readNodeKey(dataDir)
}

func readNodeKey(dataDir string) (*vault.LocalKey, error) {
	path, err := nodeKeyFile(dataDir)
	if err != nil {
		return nil, err
	}
	keys, err := vault.ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

func sealGiven(key *vault.LocalKey, configuration []byte) ([]byte, error) {
	b, err := key.Wrap(context.Background(), configuration, givenBound())
	return append([]byte{givenVersion}, b...), err
}

// givenBound is what the sealed configuration is bound to.
func givenBound() []byte { return append([]byte("purser given configuration"), givenVersion) }

// readGiven is the configuration that a node was given when it joined; nil if it was
// given none.
func readGiven(dataDir string) ([]byte, error) {
	path := filepath.Join(dataDir, clusterDir, givenSealed)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return readPlainGiven(dataDir)
	}
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] != givenVersion {
		return nil, fmt.Errorf("%s was written by a later build, or is damaged", path)
	}
	key, err := readNodeKey(dataDir)
	if err == nil {
		b, err = key.Unwrap(context.Background(), b[1:], givenBound())
	}
	if err != nil {
		return nil, fmt.Errorf("%s is what this node was given when it joined, sealed by the key of this node: put that back (%s says where it is), or start the node with --config FILE: %w", path, nodeKeyVariable, err)
	}
	return b, nil
}

// readPlainGiven is what an earlier build has kept as it was.
func readPlainGiven(dataDir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, clusterDir, givenPlain))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// sealPlainGiven seals what an earlier build has kept as it was, if there is any.
func sealPlainGiven(dataDir string) error {
	plain, err := readPlainGiven(dataDir)
	if plain == nil || err != nil {
		return err
	}
	key, err := makeNodeKey(dataDir)
	if err != nil {
		return err
	}
	dir := filepath.Join(dataDir, clusterDir)
	sealed, err := sealGiven(key, plain)
	if err != nil {
		return err
	}
	if was, err := os.ReadFile(filepath.Join(dir, givenSealed)); err == nil {
		sealed = was // it was broken off before the removal
	}
	again, err := key.Unwrap(context.Background(), sealed[1:], givenBound())
	if err != nil || !bytes.Equal(again, plain) {
		return errors.Join(errors.New("what was sealed is not what was kept"), err)
	}
	if err := writeDurably(filepath.Join(dir, givenSealed), sealed); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, givenPlain))
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
