package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
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

// identify reads the identity, or draws one if the store has never been used.
// It is in Pebble and in a file beside it: Pebble takes a damaged end of its log
// or manifest for a crash and may come up empty, which must not pass for new.
func (s *Store) identify(o Options, fsys vfs.FS) error {
	file, inFile, err := readIdentityFile(fsys, o.Dir)
	if err != nil {
		return err
	}
	v, closer, err := s.db.Get([]byte{PrefixIdentity})
	switch {
	case err == nil:
		s.identity, err = decodeIdentity(v)
		err = errors.Join(err, closer.Close())
	case errors.Is(err, pebble.ErrNotFound) && inFile:
		err = fmt.Errorf("its identity is gone, and other data may be: %w; %s", ErrCorrupt, corruptAdvice)
	case errors.Is(err, pebble.ErrNotFound):
		err = s.draw()
	default:
		return openError(o.Dir, err)
	}
	if err == nil && inFile && file != s.identity {
		err = fmt.Errorf("its identity is not that of the file %s: %w; %s", identityFile, ErrCorrupt, corruptAdvice)
	}
	if err != nil {
		return fmt.Errorf("the store at %s: %w", o.Dir, err)
	}
	if inFile {
		return nil
	}
	return writeIdentityFile(fsys, o.Dir, s.identity) // new, or crashed before this line
}

// draw makes the identity of a store without any data.
func (s *Store) draw() error {
	used, err := s.used()
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("it has data but no identity: %w; %s", ErrCorrupt, corruptAdvice)
	}
	if _, err := rand.Read(s.identity.ID[:]); err != nil {
		return fmt.Errorf("draw the store's id: %w", err)
	}
	b := s.NewBatch()
	if err := b.Set([]byte{PrefixIdentity}, appendIdentity(nil, s.identity), nil); err != nil {
		return fmt.Errorf("write the store's id: %w", err)
	}
	if err := s.Apply(b, Synced); err != nil {
		return err
	}
	// The first log of a new store is of the oldest form, in which damage cannot be
	// told from a torn tail; a flush begins the next one.
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("write the store's id: %w", err)
	}
	return nil
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

// identityFile holds the id as hexadecimal digits and a line feed.
const identityFile = "STORE-ID"

func readIdentityFile(fsys vfs.FS, dir string) (id Identity, exists bool, err error) {
	name := fsys.PathJoin(dir, identityFile)
	f, err := fsys.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("read %s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return id, false, fmt.Errorf("read %s: %w", name, err)
	}
	b, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(b) != len(id.ID) {
		return id, false, fmt.Errorf("%s is not a store's id: %w; %s", name, ErrCorrupt, corruptAdvice)
	}
	copy(id.ID[:], b)
	return id, true, nil
}

// writeIdentityFile makes the file, durably; a crash leaves all of it or none.
func writeIdentityFile(fsys vfs.FS, dir string, id Identity) error {
	name := fsys.PathJoin(dir, identityFile)
	f, err := fsys.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write([]byte(hex.EncodeToString(id.ID[:]) + "\n"))
	err = errors.Join(err, f.Sync())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fsys.Rename(name+".new", name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
