//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Snapshot writes to a new directory what a power cut would leave now, if it kept
// nothing unsynced. The node's process may run. Modes are kept, owners, times and links between
// files are not: each name is a file of its own.
func (f *FS) Snapshot(to string) error {
	if err := os.Mkdir(to, 0o755); err != nil {
		return fmt.Errorf("an image needs a new directory: %w", err)
	}
	f.gate.Lock()
	defer f.gate.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	// The durable children of the directories that changed.
	durable := map[*inode]map[string]*inode{}
	for _, s := range slices.Backward(f.names.steps) {
		for _, c := range slices.Backward(s) {
			if durable[c.dir] == nil {
				durable[c.dir] = maps.Clone(c.dir.children)
			}
			c.put(durable[c.dir])
		}
	}
	return f.imageDir(f.root, to, durable)
}

func (f *FS) imageDir(dir *inode, to string, durable map[*inode]map[string]*inode) error {
	children := dir.children
	if d, ok := durable[dir]; ok {
		children = d
	}
	for _, name := range sortedNames(children) {
		n, at := children[name], filepath.Join(to, name)
		if n.children == nil {
			if err := n.imageFile(at); err != nil {
				return err
			}
			continue
		}
		if err := os.Mkdir(at, perm(n.mode)); err != nil {
			return fmt.Errorf("an image's directory: %w", err)
		}
		if err := f.imageDir(n, at, durable); err != nil {
			return err
		}
	}
	return nil
}

func (n *inode) imageFile(at string) (err error) {
	info, err := n.file.Stat()
	if err != nil {
		return fmt.Errorf("a file for an image: %w", err)
	}
	file, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return fmt.Errorf("an image's file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return n.image(file, n.file)
}

// Restore replaces everything by an image. The node's process must be down. The
// image stays as it is.
func (f *FS) Restore(from string) error {
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return fmt.Errorf("an image to restore is a directory: %s is not (%v)", from, err)
	}
	return f.replace(func() error {
		if err := os.CopyFS(f.backing, os.DirFS(from)); err != nil {
			return err
		}
		// os.CopyFS leaves modes to the umask.
		return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == from {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			name, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			return os.Chmod(filepath.Join(f.backing, name), info.Mode().Perm())
		})
	})
}

// Wipe removes everything, as a new disk does. The node's process must be down.
func (f *FS) Wipe() error {
	return f.replace(func() error { return nil })
}

// replace empties the backing directory, has it filled, and begins anew with that.
func (f *FS) replace(fill func() error) error {
	return f.alone(func() error {
		err := f.files(func(n *inode) error {
			file := n.file
			n.file = nil
			return file.Close()
		})
		if err != nil {
			return fmt.Errorf("closing what is replaced: %w", err)
		}
		f.names.steps = nil
		f.names.base = f.position.Load()
		f.held.clear()
		if err := empty(f.backing); err != nil {
			return err
		}
		err = fill()
		if err != nil {
			err = fmt.Errorf("filling the backing directory: %w", err)
		}
		return errors.Join(err, f.load())
	})
}
