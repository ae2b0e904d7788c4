package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrCondemned is a directory whose node must not run again.
var ErrCondemned = errors.New("this node's state must not be used any more")

const condemnedFile = "condemned"

// Condemn keeps the node of a directory from starting again, and says why. What
// the directory holds stays for whoever looks into the reason.
func Condemn(dir string, reason error) error {
	if err := writeSynced(filepath.Join(dir, condemnedFile), []byte(reason.Error())); err != nil {
		return err
	}
	return syncDir(dir)
}

func checkCondemned(dir string) error {
	path := filepath.Join(dir, condemnedFile)
	reason, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w: %s; give this node an empty directory and a new node id, and fence the old one", path, ErrCondemned, bytes.TrimSpace(reason))
}
