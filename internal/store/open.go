package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the store at o.Dir, or makes a new one if the directory is empty.
func Open(o Options) (*Store, error) {
	if o.Fatal == nil {
		panic("store: Options.Fatal is required")
	}
	fsys := o.FS
	if fsys == nil {
		fsys = vfs.Default
	}
	if err := fsys.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the store's directory %s: %w", o.Dir, err)
	}
	s := &Store{fatal: o.Fatal, fs: fsys, dir: o.Dir}
	var err error
	if s.lock, err = pebble.LockDirectory(o.Dir, fsys); err != nil {
		return nil, lockError(o.Dir, err)
	}
	if err = s.open(o, fsys); err != nil {
		if s.cache != nil {
			s.cache.Unref()
		}
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *Store) open(o Options, fsys vfs.FS) error {
	opts := s.pebbleOptions(o)
	db, err := pebble.Open(o.Dir, opts)
	if err != nil {
		return openError(o.Dir, err)
	}
	s.db = db
	if err := s.identify(o, fsys); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

const corruptAdvice = "restore the data directory from a backup, or move it aside, start with an empty one under a new node id, and fence the old id (what it held counts as spent)"

func lockError(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) && !strings.Contains(err.Error(), "temporarily") {
		return fmt.Errorf("lock the store at %s: %w; the process needs to own the directory", dir, err)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("lock the store at %s: %w", dir, err)
	}
	return fmt.Errorf("lock the store at %s: %w (%w); stop the other process, or give this node a data directory of its own", dir, ErrLocked, err)
}

func openError(dir string, err error) error {
	switch {
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("open the store at %s: %w (%w); %s", dir, ErrCorrupt, err, corruptAdvice)
	case strings.Contains(err.Error(), "format major version"):
		return fmt.Errorf("open the store at %s: %w (%w); run the version that wrote it", dir, ErrNewer, err)
	default:
		return fmt.Errorf("open the store at %s: %w", dir, err)
	}
}
