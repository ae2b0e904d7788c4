package exports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Place is where the files of an export go. Paths have slashes.
type Place interface {
	// Get reads a file of at most limit bytes. It is [ErrNotThere] if there is none.
	Get(ctx context.Context, path string, limit int64) ([]byte, error)
	// Size is how many bytes a file has. It is [ErrNotThere] if there is none.
	Size(ctx context.Context, path string) (int64, error)
	// Put writes a file of a size over what was there, whole or not at all.
	Put(ctx context.Context, path string, body io.ReadSeeker, size int64) error
}

// ErrNotThere is a file that a place has not.
var ErrNotThere = errors.New("there is no such file")

// Dir is a directory as a place.
type Dir struct{ root string }

// NewDir makes a place of a directory, which it makes if need be.
func NewDir(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("the directory of an export: %w", err)
	}
	return &Dir{root}, nil
}

// Local is the path of a file among those of the system.
func (d *Dir) Local(path string) string { return filepath.Join(d.root, filepath.FromSlash(path)) }

// Get implements Place.
func (d *Dir) Get(_ context.Context, path string, limit int64) ([]byte, error) {
	f, err := os.Open(d.Local(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotThere
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, err
}

// Size implements Place.
func (d *Dir) Size(_ context.Context, path string) (int64, error) {
	info, err := os.Stat(d.Local(path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNotThere
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Put implements Place.
func (d *Dir) Put(ctx context.Context, path string, body io.ReadSeeker, _ int64) error {
	return WriteFile(d.Local(path), func(w io.Writer) error {
		_, err := io.Copy(w, body)
		return errors.Join(err, ctx.Err())
	})
}

// WriteFile writes a file that is whole or as it was: beside its place, synced, and then
// renamed.
func WriteFile(path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
