package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Identity tells one store from any other. It is written once.
type Identity struct {
	// ID is random: a directory that was wiped comes back as another store.
	ID [16]byte
}

const identityVersion = 1

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
	s := &Store{fatal: o.Fatal}
	var err error
	if s.lock, err = pebble.LockDirectory(o.Dir, fsys); err != nil {
		return nil, lockError(o.Dir, err)
	}
	if err = s.open(o); err != nil {
		if s.cache != nil {
			s.cache.Unref()
		}
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *Store) open(o Options) error {
	opts := s.pebbleOptions(o)
	db, err := pebble.Open(o.Dir, opts)
	if err != nil {
		return openError(o.Dir, err)
	}
	s.db = db
	if err := s.identify(o.Dir); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// identify reads the identity, or draws one if the store has never been used.
func (s *Store) identify(dir string) error {
	key := []byte{PrefixIdentity}
	v, closer, err := s.db.Get(key)
	if err == nil {
		defer closer.Close()
		s.identity, err = decodeIdentity(v)
		if err != nil {
			return fmt.Errorf("the store at %s: %w", dir, err)
		}
		return nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return openError(dir, err)
	}
	used, err := s.used()
	switch {
	case err != nil:
		return openError(dir, err)
	case used:
		return fmt.Errorf("the store at %s has data but no identity: %w; %s", dir, ErrCorrupt, corruptAdvice)
	}
	if _, err := rand.Read(s.identity.ID[:]); err != nil {
		return fmt.Errorf("draw the store's id: %w", err)
	}
	b := s.NewBatch()
	if err := b.Set(key, appendIdentity(nil, s.identity), nil); err != nil {
		return fmt.Errorf("write the store's id: %w", err)
	}
	return s.Apply(b, Synced)
}

// used says whether the store holds any key.
func (s *Store) used() (bool, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return false, err
	}
	used := it.First()
	return used, it.Close()
}

func appendIdentity(b []byte, id Identity) []byte {
	return append(append(b, identityVersion), id.ID[:]...)
}

func decodeIdentity(b []byte) (Identity, error) {
	var id Identity
	switch {
	case len(b) > 0 && b[0] > identityVersion:
		return id, fmt.Errorf("identity of version %d: %w; run that version, or start with an empty directory and a new node id", b[0], ErrNewer)
	case len(b) != 1+len(id.ID) || b[0] != identityVersion:
		return id, fmt.Errorf("identity of %d bytes: %w; %s", len(b), ErrCorrupt, corruptAdvice)
	}
	copy(id.ID[:], b[1:])
	return id, nil
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
