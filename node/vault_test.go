package node

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purser/internal/vault"
)

// TestWhereKeysComeFrom: one place for each upstream.
func TestWhereKeysComeFrom(t *testing.T) {
	for says, change := range map[string]func(*UpstreamConfig){
		"":                                         func(u *UpstreamConfig) { u.Credentials = []string{"a"} },
		"credentials, key: exclude each other":     func(u *UpstreamConfig) { u.Credentials, u.Key = []string{"a"}, "sk" },
		"credential_match, passthrough: exclude":   func(u *UpstreamConfig) { u.CredentialMatch, u.Passthrough = "*", true },
		"auth: google takes no keys":               func(u *UpstreamConfig) { u.Passthrough, u.Auth = true, authGoogle },
		"credentials: id: \"A\"":                   func(u *UpstreamConfig) { u.Credentials = []string{"A"} },
		"credential_match: \"[\" is not a pattern": func(u *UpstreamConfig) { u.CredentialMatch = "[" },
		"the most is 256":                          func(u *UpstreamConfig) { u.Credentials = slices.Repeat([]string{"a"}, maxCredentials+1) },
	} {
		u := NewUpstream("u", "http://127.0.0.1:1/v1", "")
		change(&u)
		err := u.validate()
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v", says, err)
		}
	}
	aws := UpstreamConfig{Provider: "aws", API: "converse", BaseURL: "http://127.0.0.1:1", CredentialMatch: "aws-*"}
	if aws.setDefaults(); aws.Auth != authBearer || aws.validate() != nil {
		t.Errorf("Bedrock's keys in a pool: auth %q, %v", aws.Auth, aws.validate())
	}
}

// TestMasterKeysFromEverywhere: in one order, each once, and the one that is named first.
func TestMasterKeysFromEverywhere(t *testing.T) {
	one, two, three := vault.NewKeyText(), vault.NewKeyText(), vault.NewKeyText()
	id := func(key string) string {
		keys, err := vault.ParseKeys(key)
		if err != nil {
			t.Fatal(err)
		}
		return keys[0].KeyID()
	}
	file := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(file, []byte(one+"\n"+two+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default().Vault
	if c.configured() {
		t.Error("the default has a master key")
	}
	c.MasterKeyFile, c.MasterKey = file, two+","+three
	c.Transit.Address = "http://127.0.0.1:1"
	ids := func(list []vault.Wrapper) (out []string) {
		for _, w := range list {
			out = append(out, w.KeyID())
		}
		return out
	}
	list, err := c.load()
	if want := []string{"transit:transit/purser", id(one), id(two), id(three)}; err != nil || !slices.Equal(ids(list), want) {
		t.Errorf("%v, not %v: %v", ids(list), want, err)
	}
	c.Current = id(two)
	list, err = c.load()
	if want := []string{id(two), "transit:transit/purser", id(one), id(three)}; err != nil || !slices.Equal(ids(list), want) {
		t.Errorf("%v, not %v: %v", ids(list), want, err)
	}
	c.Current = "local:other"
	if _, err := c.load(); err == nil || !strings.Contains(err.Error(), "local:other") {
		t.Errorf("%v", err)
	}
	twice := Default()
	twice.Vault.MasterKey = "changeme-changeme"
	if err := twice.Check(); err == nil || strings.Count(err.Error(), "master key 1") != 1 {
		t.Errorf("a fault that is told once: %v", err)
	}
	bad := Default().Vault
	bad.MasterKey, bad.Transit.Address = "changeme-changeme", "vault:8200"
	if err := bad.validate(); err == nil || strings.Contains(err.Error(), "changeme") || !strings.Contains(err.Error(), "transit: address") {
		t.Errorf("%v", err)
	}
}

// TestANodeStartsWithoutItsMasterKeys, and its log says why.
func TestANodeStartsWithoutItsMasterKeys(t *testing.T) {
	var log bytes.Buffer
	c := Default()
	c.Vault.MasterKeyFile = filepath.Join(t.TempDir(), "none")
	k := openVault(&c, slog.New(slog.NewTextHandler(&log, nil)))
	if ids := k.vault.Masters().IDs(); len(ids) != 0 || !strings.Contains(log.String(), "master keys cannot be read") {
		t.Errorf("%v, %s", ids, log.String())
	}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "vault: master_key_file") {
		t.Errorf("config check: %v", err)
	}
	if got := (keyPool{k, "none"}).Order(nil, 0, 0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
