package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// View writes what a change was made to, for [Facts]: canonical JSON (members sorted,
// no space), nil for nil. What v shows is to have no secret; as a second line the
// values of members that are named like secrets, and texts that look like keys, are
// masked. Where that has more than [MaxDetail] bytes, its size and digest stand for it.
func View(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing what an audit entry shows: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("writing what an audit entry shows: %w", err)
	}
	b, err := compact(mask(tree))
	if err != nil || len(b) <= MaxDetail {
		return b, err
	}
	digest := sha256.Sum256(b)
	return compact(map[string]any{"omitted_bytes": len(b), "sha256": hex.EncodeToString(digest[:])})
}

func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing what an audit entry shows: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Masked stands for what is not shown.
const Masked = "[masked]"

// secretNames are the members whose values are never shown, in lower case without
// separators. "key" is not one: it names keys by their ids.
var secretNames = []string{
	"secret", "secrets", "password", "passphrase", "token", "apikey", "accesskey", "secretkey", "privatekey", "signingkey", "sessiontoken",
	"clientsecret", "signingsecret", "authorization", "bearer", "sealed", "ciphertext", "hash",
}

// secretText is what looks like a key, wherever it stands: virtual keys, those of
// providers, tokens of others, PEM.
var secretText = regexp.MustCompile(`\b(?:pk|sk|rk|xox[abprs]|gh[pousr]|glpat|AIza|AKIA|ASIA|ya29|whsec)[-_.]?[A-Za-z0-9_\-./]{12,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----`)

func mask(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if secretName(name) && !empty(value) {
				v[name] = Masked
			} else {
				v[name] = mask(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	case string:
		return secretText.ReplaceAllString(v, Masked)
	}
	return v
}

func secretName(name string) bool {
	return slices.Contains(secretNames, strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name)))
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return true // says whether there is one
	case string:
		return v == ""
	}
	return false
}
