package node

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const givenText = "admin:\n  token: of-the-cluster-1234\nupstreams:\n  - name: sim\n    base_url: http://127.0.0.1:1/v1\n    key: sk-of-the-cluster\n"

// dataDirOf is a data directory with what an earlier build has kept of a join.
func dataDirOf(t *testing.T) (dir, plain string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	plain = filepath.Join(dir, clusterDir, givenPlain)
	if err := os.MkdirAll(filepath.Dir(plain), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plain, []byte(givenText), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, plain
}

// TestWhatAnEarlierBuildKeptReadableIsSealed, and loads as before; also when the
// sealing was broken off after any of its steps.
func TestWhatAnEarlierBuildKeptReadableIsSealed(t *testing.T) {
	dir, plain := dataDirOf(t)
	loads := func() {
		t.Helper()
		if c, err := LoadGiven(dir); err != nil || c.Admin.Token != "of-the-cluster-1234" || c.Upstreams[0].Key != "sk-of-the-cluster" {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	loads()
	for range 2 { // the second time there are both
		if err := sealPlainGiven(dir); err != nil {
			t.Fatal(err)
		}
		loads()
		if _, err := os.Stat(plain); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still readable: %v", err)
		}
		if err := os.WriteFile(plain, []byte(givenText), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := sealPlainGiven(dir); err != nil {
		t.Fatal(err)
	}
	if err := sealPlainGiven(dir); err != nil {
		t.Errorf("nothing is left to do: %v", err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("of-the-cluster")) {
			t.Errorf("%s has a secret in it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the node's key: %v, %v", info, err)
	}
}

// TestWithoutTheNodesKey: what was given cannot be read, and the error says what to do.
func TestWithoutTheNodesKey(t *testing.T) {
	dir, _ := dataDirOf(t)
	if err := sealPlainGiven(dir); err != nil {
		t.Fatal(err)
	}
	key, sealed := dir+".key", filepath.Join(dir, clusterDir, givenSealed)
	was, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, break_ := range map[string]func() error{
		"it is gone":      func() error { return os.Rename(key, key+".away") },
		"others read it":  func() error { return os.Chmod(key, 0o644) },
		"it is another's": func() error { return os.WriteFile(key, bytes.Repeat([]byte("ab"), 32), 0o600) },
		"damaged": func() error {
			return os.WriteFile(sealed, append(was[:len(was)-1:len(was)-1], was[len(was)-1]^1), 0o600)
		},
	} {
		keyWas, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := break_(); err != nil {
			t.Fatal(err)
		}
		_, err = LoadGiven(dir)
		if err == nil || !strings.Contains(err.Error(), "--config FILE") || !strings.Contains(err.Error(), nodeKeyVariable) || strings.Contains(err.Error(), "of-the-cluster") {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(os.WriteFile(key, keyWas, 0o600), os.Chmod(key, 0o600), os.WriteFile(sealed, was, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadGiven(dir); err != nil {
		t.Errorf("all is back: %v", err)
	}
	// Where the operator says it is.
	elsewhere := filepath.Join(t.TempDir(), "node.key")
	if err := os.Rename(key, elsewhere); err != nil {
		t.Fatal(err)
	}
	t.Setenv(nodeKeyVariable, elsewhere)
	if _, err := LoadGiven(dir); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
}

func TestAKeyBesideTheRootIsRefused(t *testing.T) {
	if path, err := nodeKeyFile("/"); err == nil {
		t.Errorf("it would be %s", path)
	}
	if path, err := nodeKeyFile("some/dir/"); err != nil || !strings.HasSuffix(path, "/some/dir.key") {
		t.Errorf("%s, %v", path, err)
	}
}

// TestAFileIsWrittenForThisUserAlone: what a crash or somebody else has left in the
// place of the next one is not written to.
func TestAFileIsWrittenForThisUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.key")
	if err := os.WriteFile(path+".tmp", []byte("open to all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path+".tmp", 0o666); err != nil {
		t.Fatal(err)
	}
	left, err := os.Open(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if err := writeDurably(path, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if b, err := io.ReadAll(left); err != nil || string(b) != "open to all" {
		t.Errorf("who had the other one open reads %q, %v", b, err)
	}
}
