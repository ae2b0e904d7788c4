// Package transit wraps data keys with the transit engine of HashiCorp Vault, or
// of what speaks like it (OpenBao). It shows what another key management service
// needs: two calls of its API, see docs/vault.md.
//
// The key must be of an AEAD type (aes256-gcm96, the default, or
// chacha20-poly1305): what a data key is bound to goes along as associated data.
// When the service has rotated the key under its name, what was wrapped before can
// still be unwrapped; it is wrapped anew by `purser vault rotate-master --again`.
package transit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"purser/internal/vault"
)

// Config says where the service is, and which key is meant.
type Config struct {
	Address   string        // such as https://vault.internal:8200
	Mount     string        // of the engine, such as transit
	Key       string        // its name
	Namespace string        // "" for none
	Timeout   time.Duration // of one call
	// Token gives the service's token. It is asked before each call, so that a file
	// which an agent renews can stand behind it.
	Token func() (string, error)
}

// Key is a master key in the service. It implements [vault.Wrapper].
type Key struct {
	cfg  Config
	base string
	http *http.Client
}

// New returns a key. It asks nothing yet.
func New(cfg Config) (*Key, error) {
	u, err := url.Parse(cfg.Address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("transit: address is not an http or https URL such as https://vault.internal:8200, without user and query")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, errors.New("transit: address is not https, which only a loopback address need not be: data keys and the token would be readable on the way")
	}
	if cfg.Mount == "" || cfg.Key == "" || strings.ContainsAny(cfg.Key, "/?#%") || cfg.Token == nil || cfg.Timeout <= 0 {
		return nil, errors.New("transit: mount, key, token and timeout are needed, and a key is a name without slashes")
	}
	return &Key{
		cfg: cfg, base: strings.TrimRight(cfg.Address, "/") + "/v1/" + strings.Trim(cfg.Mount, "/") + "/",
		http: &http.Client{
			Timeout: cfg.Timeout,
			// A redirect would carry the token to where the operator has not said.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// KeyID implements vault.Wrapper.
func (k *Key) KeyID() string {
	return "transit:" + strings.Trim(k.cfg.Mount, "/") + "/" + k.cfg.Key
}

// The bodies of the two calls and of their answers, in part.
type request struct {
	Plaintext  []byte `json:"plaintext,omitempty"` // base64, as encoding/json writes bytes
	Ciphertext string `json:"ciphertext,omitempty"`
	Associated []byte `json:"associated_data"`
}

type answer struct {
	Data struct {
		Plaintext  string `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
	} `json:"data"`
}

// Wrap implements vault.Wrapper.
func (k *Key) Wrap(ctx context.Context, key, bound []byte) ([]byte, error) {
	a, err := k.call(ctx, "encrypt", request{Plaintext: key, Associated: bound})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(a.Data.Ciphertext, "vault:v") {
		return nil, errors.New("transit: encrypt answered without a ciphertext")
	}
	return []byte(a.Data.Ciphertext), nil
}

// Unwrap implements vault.Wrapper.
func (k *Key) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	a, err := k.call(ctx, "decrypt", request{Ciphertext: string(wrapped), Associated: bound})
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(a.Data.Plaintext)
	if err != nil || len(key) == 0 {
		return nil, errors.New("transit: decrypt answered without a plaintext")
	}
	return key, nil
}

// maxAnswer bounds an answer: a wrapped or opened data key has some hundred bytes.
const maxAnswer = 64 << 10

func (k *Key) call(ctx context.Context, operation string, in request) (*answer, error) {
	token, err := k.cfg.Token()
	if err != nil {
		return nil, fmt.Errorf("transit: the token: %w", err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("transit: %w", err)
	}
	defer clear(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.base+operation+"/"+url.PathEscape(k.cfg.Key), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("transit: the address cannot be asked")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Request", "true") // asked for by agents that guard against forged requests
	req.Header.Set("X-Vault-Token", token)
	if k.cfg.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", k.cfg.Namespace)
	}
	res, err := k.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("transit: %s: %w", operation, because(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	defer clear(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("transit: %s: %w", operation, because(err))
	case res.StatusCode == http.StatusBadRequest:
		// Its text is not passed on: it may quote what was sent.
		return nil, fmt.Errorf("transit: %s by key %s was refused as invalid: %w", operation, k.KeyID(), vault.ErrDamaged)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("transit: %s by key %s answered %d", operation, k.KeyID(), res.StatusCode)
	}
	var out answer
	if json.Unmarshal(raw, &out) != nil {
		return nil, fmt.Errorf("transit: %s answered with what is no JSON of the service's", operation)
	}
	return &out, nil
}

// because is the cause without the URL that net/http puts before it.
func because(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}
