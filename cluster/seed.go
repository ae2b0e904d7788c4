package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
)

// Seed makes the directory of a node whose log begins with a snapshot: the only
// voter of a new cluster, at address (as others reach it; "" for a node that is
// alone). The snapshot is of the entry index, and write writes what the state
// machine reads. The directory must not be there; it appears whole or not at all.
func Seed(dir, nodeID, address string, index uint64, write func(io.Writer) error) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", dir, errors.Join(fs.ErrExist, err))
	}
	if address == "" {
		address = nowhere
	}
	making := dir + ".new"
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	if err := os.MkdirAll(making, 0o700); err != nil {
		return err
	}
	self := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(nodeID), Address: raft.ServerAddress(address)}}}
	err := seedSnapshot(making, self, index, write)
	if err == nil {
		err = seedLog(making)
	}
	if err == nil {
		err = writeMember(making, nodeID, full)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(making))
	}
	if err := os.Rename(making, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// seedTerm is the term of the snapshot. No other node shares its log, so that any
// term will do.
const seedTerm = 1

func seedSnapshot(dir string, self raft.Configuration, index uint64, write func(io.Writer) error) error {
	files, err := raft.NewFileSnapshotStore(dir, snapshotsKept, io.Discard)
	if err != nil {
		return err
	}
	sink, err := files.Create(raft.SnapshotVersionMax, index, seedTerm, self, index, peerNames{})
	if err != nil {
		return err
	}
	if err := write(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func seedLog(dir string) error {
	log, _, err := openLog(dir)
	if err != nil {
		return err
	}
	return errors.Join(log.SetUint64([]byte("CurrentTerm"), seedTerm), log.Close())
}

// peerNames encodes addresses as the library's transports do. It is no transport.
type peerNames struct{ raft.Transport }

// EncodePeer implements raft.Transport.
func (peerNames) EncodePeer(_ raft.ServerID, address raft.ServerAddress) []byte {
	return []byte(address)
}
