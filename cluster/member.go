package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// member is the file that says that a directory belongs to a member of a
// cluster. It is written before anything is promised to anyone: a directory that
// has it must have a log, one that lacks it has promised nothing. While a node
// that joins has not been sent anything, it is marked as joining, and may have
// no log yet.
type member struct {
	Version int    `json:"version"`
	Node    string `json:"node"`
	Joining bool   `json:"joining,omitempty"`
}

// standing is what the file says.
type standing int

const (
	stranger standing = iota // there is none
	joining
	full
)

const (
	memberFile    = "member.json"
	memberVersion = 1
)

// readMember returns whose the directory is.
func readMember(dir, node string) (standing, error) {
	path := filepath.Join(dir, memberFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stranger, nil
	}
	if err != nil {
		return stranger, err
	}
	var m member
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return stranger, fmt.Errorf("%s: %w: %w; write {\"version\":%d,\"node\":%q} if it is this node's", path, ErrCorrupt, err, memberVersion, node)
	}
	if m.Version != memberVersion {
		return stranger, fmt.Errorf("%s has version %d, this build knows %d: run the build that wrote it, or a later one", path, m.Version, memberVersion)
	}
	if m.Node != node {
		return stranger, fmt.Errorf("%s names node %q, not %q: %w; correct the node id or the directory", path, m.Node, node, ErrOtherNode)
	}
	if m.Joining {
		return joining, nil
	}
	return full, nil
}

// writeMember makes the file and its name durable.
func writeMember(dir, node string, as standing) error {
	b, err := json.Marshal(member{Version: memberVersion, Node: node, Joining: as == joining})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, memberFile)
	if err := writeSynced(path+".tmp", b); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(dir)
}

// Prepare makes the directory of a node that has run before, in a cluster that
// is over, and joins another: it waits for a leader to add it, as if it were new.
// There must be no Raft state in it.
func Prepare(dir, nodeID string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	as, err := readMember(dir, nodeID)
	if err != nil {
		return err
	}
	if as == full {
		return fmt.Errorf("%s: %w", dir, fs.ErrExist)
	}
	return writeMember(dir, nodeID, joining)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
