package builds

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoTag is that there is no older build to mix with; its text says why.
var ErrNoTag = errors.New("no tagged build")

// LastTag returns the newest tag that the tree's commit descends from, or ErrNoTag
// with the reason.
func (b *Builder) LastTag(ctx context.Context) (string, error) {
	inside, err := output(ctx, b.root, "git", "rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoTag, err)
	}
	tag, err := output(ctx, b.root, "git", "describe", "--tags", "--abbrev=0")
	switch {
	case err == nil:
		return tag, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case inside == "true":
		return "", fmt.Errorf("%w: the clone is shallow, and has none of the tags: git fetch --unshallow --tags", ErrNoTag)
	default:
		return "", fmt.Errorf("%w: no tag leads to this commit (git fetch --tags, if the repository has some)", ErrNoTag)
	}
}

// Has says whether a commit has a file or directory.
func (b *Builder) Has(ctx context.Context, revision, path string) (bool, error) {
	commit, err := output(ctx, b.root, "git", "rev-parse", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return false, err
	}
	found, err := output(ctx, b.root, "git", "ls-tree", "--full-tree", "--name-only", commit, "--", path)
	return found != "", err
}

// checkOut returns the directory below dir with the tree of a commit, which it
// extracts the first time.
func checkOut(ctx context.Context, root, dir, revision string) (string, error) {
	commit, err := output(ctx, root, "git", "rev-parse", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", err
	}
	done := filepath.Join(dir, commit)
	if _, err := os.Stat(done); err == nil {
		return done, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(dir, "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := extract(ctx, root, commit, part); err != nil {
		return "", err
	}
	return done, os.Rename(part, done)
}

func extract(ctx context.Context, root, commit, to string) error {
	cmd := exec.CommandContext(ctx, "git", "archive", "--format=tar", commit)
	cmd.Dir, cmd.WaitDelay = root, patience
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := untar(out, to)
	if failed != nil {
		cmd.Process.Kill() //nolint:errcheck // it is waited for below, and the error is known
	}
	if err := cmd.Wait(); failed == nil && err != nil {
		failed = fmt.Errorf("git archive %s: %w", commit, err)
	}
	return failed
}

// untar writes the directories and regular files of an archive; others, such as
// links, no build of this module needs.
func untar(archive io.Reader, dir string) error {
	to, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer to.Close()
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeDir:
			err = to.MkdirAll(filepath.Clean(h.Name), 0o700)
		case h.Typeflag == tar.TypeReg:
			err = write(to, h.Name, r)
		}
		if err != nil {
			return err
		}
	}
}

func write(to *os.Root, name string, from io.Reader) error {
	f, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
