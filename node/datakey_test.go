package node

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"purser/internal/vault"
)

// A node's data key is the same after a restart and after a master key was given to
// the vault or replaced; where it is lost, another takes its place.
func TestDataKeyOutlivesItsMasters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	open := func(masters string) *vault.DataKey {
		t.Helper()
		n := &Node{log: quiet}
		n.cfg.Node.DataDir, n.cfg.Vault.MasterKey = dir, masters
		n.vault = openVault(&n.cfg, quiet)
		key, err := n.openDataKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sealed := open("").Seal(nil, []byte("text"), nil)
	reads := func(masters string) bool {
		t.Helper()
		_, err := open(masters).Open(nil, sealed, nil)
		return err == nil
	}
	one, two := vault.NewKeyText(), vault.NewKeyText()
	for _, masters := range []string{"", one, one, two + "\n" + one, two} {
		if !reads(masters) {
			t.Fatal("the key is lost")
		}
	}
	if err := os.Remove(dir + ".key"); err != nil {
		t.Fatal(err)
	}
	if !reads(two) {
		t.Error("the node's own key is needed, though a master key wraps it")
	}
	kept, err := os.ReadFile(filepath.Join(dir, dataKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if reads(one) {
		t.Error("it is opened without its master key")
	}
	if again, err := os.ReadFile(filepath.Join(dir, dataKeyFile)); err != nil || string(again) != string(kept) {
		t.Errorf("a master key that is missing at present makes it be thrown away: %v", err)
	}
	if !reads(two) {
		t.Error("with the master key it is not opened any more")
	}
	if err := os.WriteFile(filepath.Join(dir, dataKeyFile), []byte("\x01damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := open(two)
	if _, err := after.Open(nil, sealed, nil); err == nil {
		t.Error("another key opens it")
	}
	if _, err := open(two).Open(nil, after.Seal(nil, []byte("text"), nil), nil); err != nil {
		t.Errorf("the key that took its place is not kept: %v", err)
	}
}
