package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"purser/internal/vault"
)

// dataKeyFile is the key that this node's caches are sealed with, wrapped, in the
// data directory. It never leaves it.
const dataKeyFile = "data-key.sealed"

// dataKeyWait bounds the wait for a key service at the start: a cache is not worth
// more.
const dataKeyWait = 5 * time.Second

// openDataKey reads the key that the caches are sealed with, or makes one. It is
// wrapped by the current master key of the vault, or by the node's own key where
// there is none. If it cannot be opened, or not be kept, a key of this process alone
// takes its place: what was sealed before is a miss, and nothing fails.
func (n *Node) openDataKey(ctx context.Context) (*vault.DataKey, error) {
	ctx, cancel := context.WithTimeout(ctx, dataKeyWait)
	defer cancel()
	key, err := n.keptDataKey(ctx)
	if err == nil {
		return key, nil
	}
	n.log.Warn("the key that cached answers are sealed with is one of this process alone: what was cached before is not read, and what is cached is gone with it", "error", err)
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return vault.NewDataKey(random[:])
}

func (n *Node) keptDataKey(ctx context.Context) (*vault.DataKey, error) {
	should, find, err := n.wrappers()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(n.cfg.Node.DataDir, dataKeyFile)
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var key *vault.DataKey
	var again []byte
	if err == nil {
		key, again, err = vault.OpenDataKey(ctx, kept, find, should)
		if errors.Is(err, vault.ErrDamaged) || errors.Is(err, vault.ErrMalformed) {
			n.log.Warn("the key that cached answers were sealed with is damaged; another is made, and they are not read", "file", path)
			key, again, err = vault.MakeDataKey(ctx, should)
		}
	} else {
		key, again, err = vault.MakeDataKey(ctx, should)
	}
	if err != nil {
		return nil, err
	}
	if again == nil {
		return key, nil
	}
	return key, writeDurably(path, again)
}

// wrappers are the keys that may wrap the data key: the one that should, and how one
// is found by its id.
func (n *Node) wrappers() (should vault.Wrapper, find func(string) (vault.Wrapper, error), err error) {
	masters := n.vault.vault.Masters()
	should, err = masters.Current()
	var own vault.Wrapper
	switch {
	case errors.Is(err, vault.ErrNoMaster) && n.cfg.Vault.configured():
		return nil, nil, err // it has one, which cannot be read at present
	case errors.Is(err, vault.ErrNoMaster):
		key, err := makeNodeKey(n.cfg.Node.DataDir)
		if err != nil {
			return nil, nil, err
		}
		should, own = key, key
	case err != nil:
		return nil, nil, err
	default:
		// The node's key may have wrapped it before there was a master key.
		if key, err := readNodeKey(n.cfg.Node.DataDir); err == nil {
			own = key
		}
	}
	return should, func(id string) (vault.Wrapper, error) {
		if own != nil && own.KeyID() == id {
			return own, nil
		}
		return masters.Find(id)
	}, nil
}
