package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	boltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors of [Open]. Each is wrapped with the file it concerns and what to do.
var (
	// ErrStateMissing is a directory that has lost a member's state.
	ErrStateMissing = errors.New("raft state is missing")
	// ErrCorrupt is a log or snapshot that is damaged.
	ErrCorrupt = errors.New("raft state is damaged")
	// ErrLocked is a directory that another process uses.
	ErrLocked = errors.New("raft state is in use by another process")
	// ErrOtherNode is a directory that belongs to a node of another name.
	ErrOtherNode = errors.New("raft state belongs to another node")
)

const (
	logFile = "raft.db"
	// lockWait is how long to wait for another process to let go of the log: a
	// predecessor that is being stopped needs a moment.
	lockWait = 2 * time.Second
)

// startAnew says what an operator can do about state that is gone.
const startAnew = "restore the directory from where it was last intact; or give this node an empty directory and a new node id, and fence the old one"

func boltOptions(readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout: lockWait,
		// The list of free pages is rebuilt at start, not written with each
		// commit; as a map it does not slow down when it is long.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		ReadOnly:       readOnly,
	}
}

// openLog opens the log, checked. A file that is not there is made.
func openLog(dir string) (*boltdb.BoltStore, logSpan, error) {
	path := filepath.Join(dir, logFile)
	var span logSpan
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if span, err = checkLog(path); err != nil {
			return nil, span, storeError(path, err)
		}
	}
	store, err := boltdb.New(boltdb.Options{Path: path, BoltOptions: boltOptions(false), MsgpackUseNewTimeFormat: true})
	if err != nil {
		return nil, span, storeError(path, err)
	}
	return store, span, nil
}

// logSpan says which entries a log holds: none, or run to last without a gap
// (there may be older ones before run).
type logSpan struct {
	run, last uint64
}

// checkLog walks every page of the log before it is opened for writing: bbolt
// looks for free pages on goroutines of its own, where damage would end the
// process with a panic that helps nobody.
func checkLog(path string) (span logSpan, err error) {
	// A truncated file faults where the mapping reaches beyond its end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	db, err := bbolt.Open(path, 0o600, boltOptions(true))
	if err != nil {
		return span, err
	}
	defer db.Close()
	if err := checkMetas(path); err != nil {
		return span, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var last []byte
			return b.ForEach(func(k, v []byte) error {
				if last != nil && string(last) >= string(k) {
					return fmt.Errorf("keys of bucket %q are out of order: %w", name, ErrCorrupt)
				}
				last = k
				if string(name) == "logs" {
					return span.add(k, v)
				}
				return nil
			})
		})
	})
	return span, err
}

// checkMetas refuses a log of which one of the two head pages is damaged. bbolt
// makes do with the other one, which is that of the transaction before: the last
// acknowledged entries would be gone. (A head fits in one sector, so that a crash
// does not tear it.) The caller holds the lock of the file.
//
// A head page has, after 16 bytes of page header, in the machine's byte order:
// magic, version, page size, flags (4 bytes each), root, sequence, free list,
// pages, transaction, and the FNV-1a of all that (8 bytes each).
func checkMetas(path string) error {
	const header, size, sum = 16, 64, 56
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var pageSize int64
	var txs [2]uint64
	for i := range txs {
		b := make([]byte, size)
		if _, err := f.ReadAt(b, int64(i)*pageSize+header); err != nil {
			return fmt.Errorf("head page %d: %w: %w", i, ErrCorrupt, err)
		}
		h := fnv.New64a()
		h.Write(b[:sum])
		if h.Sum64() != binary.NativeEndian.Uint64(b[sum:]) {
			return fmt.Errorf("head page %d has a wrong checksum, the newest entries may be missing: %w", i, ErrCorrupt)
		}
		pageSize = int64(binary.NativeEndian.Uint32(b[8:]))
		txs[i] = binary.NativeEndian.Uint64(b[48:])
	}
	if txs[0]+1 != txs[1] && txs[1]+1 != txs[0] {
		return fmt.Errorf("head pages are of transactions %d and %d: %w", txs[0], txs[1], ErrCorrupt)
	}
	return nil
}

func (s *logSpan) add(key, entry []byte) error {
	if len(key) != 8 || len(entry) == 0 {
		return fmt.Errorf("log entry has a key of %d bytes and %d bytes of content: %w", len(key), len(entry), ErrCorrupt)
	}
	index := binary.BigEndian.Uint64(key)
	if s.last == 0 || index != s.last+1 {
		s.run = index
	}
	s.last = index
	return nil
}

// storeError adds to an error of the log file what to do about it.
func storeError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s: %w; stop the other process first", path, ErrLocked)
	case errors.Is(err, ErrCorrupt):
		return fmt.Errorf("%s: %w; %s", path, err, startAnew)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%s: %w: %w; %s", path, ErrCorrupt, err, startAnew)
	default:
		return fmt.Errorf("open %s: %w", path, err)
	}
}
