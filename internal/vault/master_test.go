package vault

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeysAreReadInEveryForm(t *testing.T) {
	raw := []byte("0123456789abcdef0123456789ABCDEF")
	want, err := NewLocalKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		"# made today\n\n  " + hex.EncodeToString(raw) + "\n",
	} {
		keys, err := ParseKeys(text)
		if err != nil || len(keys) != 1 || keys[0].KeyID() != want.KeyID() {
			t.Errorf("%q: %v, %v", text, keys, err)
		}
	}
	first, second := NewKeyText(), NewKeyText()
	keys, err := ParseKeys(first + ", " + second + "\n" + hex.EncodeToString(raw))
	if err != nil || len(keys) != 3 || keys[2].KeyID() != want.KeyID() || keys[0].KeyID() == keys[1].KeyID() {
		t.Errorf("three keys: %v, %v", keys, err)
	}
	for text, says := range map[string]string{
		"":                       "no master key",
		"# nothing\n":            "no master key",
		"changeme":               "master key 1: not 32 bytes",
		first + " short":         "master key 2: not 32 bytes",
		first + "," + first:      "master key 2 is there twice",
		strings.Repeat("ab", 31): "not 32 bytes",
	} {
		_, err := ParseKeys(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.12q: %v", text, err)
		}
		if text != "" && err != nil && strings.Contains(err.Error(), strings.Fields(text)[0]) && len(text) > 6 && text[0] != '#' {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

func TestAKeyFileOfOthersIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(file, []byte(NewKeyText()), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o440: true, 0o644: false, 0o604: false, 0o660: false, 0o602: false, 0o666: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeyFile(file); (err == nil) != ok {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := ReadKeyFile(filepath.Dir(file)); err == nil {
		t.Error("a directory is a key file")
	}
	if err := os.WriteFile(file, make([]byte, maxKeyFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyFile(file); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("%v", err)
	}
}

// TestKeysAreReadAgain: a key that is put into the file is found without a restart,
// and a file that cannot be read takes no key away.
func TestKeysAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := key(t, 1), key(t, 2)
		list, fault, reads := []Wrapper{old}, error(nil), 0
		m, err := OpenMasters(func() ([]Wrapper, error) { reads++; return list, fault })
		if err != nil {
			t.Fatal(err)
		}
		list = []Wrapper{old, next}
		if _, err := m.Find(next.KeyID()); err == nil || reads != 1 {
			t.Errorf("it was read %d times within a second: %v", reads, err)
		}
		time.Sleep(reloadPause)
		if w, err := m.Find(next.KeyID()); err != nil || w != Wrapper(next) {
			t.Errorf("%v, %v", w, err)
		}
		if c, err := m.Current(); err != nil || c != Wrapper(old) {
			t.Errorf("current: %v, %v", c, err)
		}
		list = []Wrapper{next, old}
		if err := m.Reload(); err != nil || m.IDs()[0] != next.KeyID() {
			t.Errorf("%v, %v", m.IDs(), err)
		}
		time.Sleep(reloadPause)
		fault = errors.New("the disk is gone")
		var unknown *UnknownMasterError
		if _, err := m.Find("local:gone"); !errors.As(err, &unknown) || !errors.Is(err, fault) {
			t.Errorf("%v", err)
		}
		if err := m.Reload(); !errors.Is(err, fault) || len(m.IDs()) != 2 {
			t.Errorf("%v, %v", m.IDs(), err)
		}
	})
}
