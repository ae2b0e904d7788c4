package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"purser/internal/directory"
	"purser/internal/vault"
	"purser/internal/vault/transit"
	"purser/ledger"
	"purser/proxy/upstream"
)

// keyVault is this node's part in sealed credentials: its master keys, and what the
// directory has, ready for requests.
type keyVault struct {
	vault   *vault.Vault
	opener  *vault.Opener
	selects map[string]vault.Selection // by upstream
	pools   atomic.Pointer[map[string]*vault.Pool]
	log     *slog.Logger

	// Of serve alone.
	read   map[string]readCredential
	missed map[string]bool // master keys that were said to be missing
}

// readCredential is a credential as it was at a version: most changes of the
// directory are of others.
type readCredential struct {
	version uint64
	c       *vault.Credential // nil: this build cannot read it
}

// openVault reads the master keys. A node whose keys cannot be read starts: what
// needs none of them works, and they are read again when one is asked for.
func openVault(cfg *Config, log *slog.Logger) *keyVault {
	var load func() ([]vault.Wrapper, error)
	if cfg.Vault.configured() {
		load = cfg.Vault.load
	}
	masters, err := vault.OpenMasters(load)
	if err != nil {
		log.Error("the master keys cannot be read: sealed credentials are of no use on this node until that is mended", slog.Any("error", err))
	}
	v := vault.New(masters)
	k := &keyVault{vault: v, opener: vault.NewOpener(v), selects: map[string]vault.Selection{}, log: log, missed: map[string]bool{}}
	for i := range cfg.Upstreams {
		if u := &cfg.Upstreams[i]; u.pooled() {
			provider, _, _ := strings.Cut(u.Provider, ":")
			k.selects[u.Name] = vault.Selection{Provider: provider, IDs: u.Credentials, Pattern: u.CredentialMatch}
		}
	}
	k.pools.Store(&map[string]*vault.Pool{})
	return k
}

// serve puts what a directory has in place. Of a credential that this build cannot
// read nothing is used; the others are.
func (k *keyVault) serve(s *directory.State) {
	var list []*vault.Credential
	waiting := map[string]int{}
	known := k.vault.Masters().IDs()
	read := map[string]readCredential{}
	for o := range s.Objects(directory.ObjectCredential) {
		r := k.read[o.ID]
		if r.version != o.Version {
			c, err := vault.Decode(o.ID, o.Spec)
			if err != nil {
				k.log.Error("a credential is not used", slog.Any("error", err))
			}
			r = readCredential{o.Version, c}
		}
		read[o.ID] = r
		if r.c == nil {
			continue
		}
		list = append(list, r.c)
		if !slices.Contains(known, r.c.Sealed.Master) {
			waiting[r.c.Sealed.Master]++
		}
	}
	k.read = read
	slices.SortFunc(list, func(a, b *vault.Credential) int { return strings.Compare(a.ID, b.ID) })
	for id, n := range waiting {
		if !k.missed[id] {
			k.missed[id] = true
			k.log.Error("credentials are sealed by a master key that this node has not: upstreams that need them refuse with credential_unavailable; set vault.master_key_file, PURSER_MASTER_KEY or vault.transit", "master", id, "credentials", n)
		}
	}
	k.opener.Serve(list)
	pools := make(map[string]*vault.Pool, len(k.selects))
	for name, s := range k.selects {
		pools[name] = vault.NewPool(list, s)
	}
	k.pools.Store(&pools)
}

// keyPool is the sealed keys of one upstream. It implements proxy.KeyPool.
type keyPool struct {
	vault    *keyVault
	upstream string
}

// Order implements proxy.KeyPool.
func (p keyPool) Order(d *ledger.Dimensions, at ledger.Instant, lot uint64) []string {
	pool := (*p.vault.pools.Load())[p.upstream]
	if pool == nil {
		return nil
	}
	return pool.Order(d, at, lot)
}

// Open implements proxy.KeyPool.
func (p keyPool) Open(ctx context.Context, id string) (upstream.Secret, error) {
	secret, err := p.vault.opener.Open(ctx, id)
	return upstream.Secret(secret), err
}

// pooled says whether the upstream is asked with sealed credentials.
func (u *UpstreamConfig) pooled() bool { return len(u.Credentials) > 0 || u.CredentialMatch != "" }

// maxCredentials bounds the ids that an upstream names: a pattern takes any number.
const maxCredentials = 256

// validateKeys checks that the upstream's keys come from one place.
func (u *UpstreamConfig) validateKeys() error {
	var errs []error
	var from []string
	for name, set := range map[string]bool{"key": u.Key != "", "credentials": len(u.Credentials) > 0, "credential_match": u.CredentialMatch != "", "passthrough": u.Passthrough} {
		if set {
			from = append(from, name)
		}
	}
	slices.Sort(from)
	if len(from) > 1 {
		errs = append(errs, fmt.Errorf("%s: exclude each other: keys come from one place", strings.Join(from, ", ")))
	}
	if (u.pooled() || u.Passthrough) && (u.Auth == authGoogle || u.Auth == authAWS) {
		errs = append(errs, fmt.Errorf("auth: %s takes no keys, so that credentials, credential_match and passthrough are not for it", u.Auth))
	}
	if len(u.Credentials) > maxCredentials {
		errs = append(errs, fmt.Errorf("credentials: %d ids, the most is %d; use credential_match", len(u.Credentials), maxCredentials))
	}
	for _, id := range u.Credentials {
		if err := vault.CheckID(id); err != nil {
			errs = append(errs, fmt.Errorf("credentials: %w", err))
		}
	}
	if _, err := path.Match(u.CredentialMatch, ""); err != nil {
		errs = append(errs, fmt.Errorf("credential_match: %q is not a pattern", u.CredentialMatch))
	}
	return errors.Join(errs...)
}

func (c *VaultConfig) configured() bool {
	return c.MasterKeyFile != "" || c.MasterKey != "" || c.Transit.Address != ""
}

// validate checks what can be checked without looking at a file.
func (c *VaultConfig) validate() error {
	var errs []error
	if c.MasterKey != "" {
		if _, err := vault.ParseKeys(c.MasterKey); err != nil {
			errs = append(errs, fmt.Errorf("master_key: %w", err))
		}
	}
	if t := &c.Transit; t.Address != "" {
		if _, err := t.open(); err != nil {
			errs = append(errs, err)
		}
		if t.Timeout > time.Minute {
			errs = append(errs, fmt.Errorf("transit.timeout: %v is longer than 1m", t.Timeout))
		}
	}
	return errors.Join(errs...)
}

// load reads the master keys from everywhere they are, the current one first.
func (c *VaultConfig) load() ([]vault.Wrapper, error) {
	var list []vault.Wrapper
	if c.Transit.Address != "" {
		k, err := c.Transit.open()
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	local := func(keys []*vault.LocalKey, err error) error {
		for _, k := range keys {
			if !slices.ContainsFunc(list, func(w vault.Wrapper) bool { return w.KeyID() == k.KeyID() }) {
				list = append(list, k)
			}
		}
		return err
	}
	if c.MasterKeyFile != "" {
		if err := local(vault.ReadKeyFile(c.MasterKeyFile)); err != nil {
			return nil, fmt.Errorf("master_key_file: %w", err)
		}
	}
	if c.MasterKey != "" {
		if err := local(vault.ParseKeys(c.MasterKey)); err != nil {
			return nil, fmt.Errorf("master_key: %w", err)
		}
	}
	if c.Current == "" {
		return list, nil
	}
	i := slices.IndexFunc(list, func(w vault.Wrapper) bool { return w.KeyID() == c.Current })
	if i < 0 {
		return nil, fmt.Errorf("current: there is no master key %q", c.Current)
	}
	current := list[i]
	return slices.Insert(slices.Delete(list, i, i+1), 0, current), nil
}

// maxTokenFile is far beyond any token.
const maxTokenFile = 16 << 10

func (t *TransitConfig) open() (*transit.Key, error) {
	token := func() (string, error) { return t.Token, nil }
	if t.TokenFile != "" {
		token = func() (string, error) {
			b, err := os.ReadFile(t.TokenFile)
			if err == nil && len(b) > maxTokenFile {
				err = fmt.Errorf("%s is larger than %d bytes", t.TokenFile, maxTokenFile)
			}
			return strings.TrimSpace(string(b)), err
		}
	}
	return transit.New(transit.Config{Address: t.Address, Mount: t.Mount, Key: t.Key, Namespace: t.Namespace, Timeout: t.Timeout, Token: token})
}
