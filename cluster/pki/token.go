package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Token is what an operator carries to a new machine.
type Token struct {
	Cluster     string   `json:"c"`
	Fingerprint string   `json:"f"` // of the authority's certificate
	Addresses   []string `json:"a"` // cluster ports of members
	Secret      string   `json:"s"`
}

const (
	tokenPrefix = "purser-join-"
	secretBytes = 24
	maxToken    = 4096
)

// ErrToken is a text that is no token.
var ErrToken = errors.New("not a join token")

// NewToken draws a token for a new node that will ask one of the addresses.
func NewToken(root *Root, addresses []string) Token {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return Token{
		Cluster: root.cluster, Fingerprint: root.Fingerprint(), Addresses: addresses,
		Secret: base64.RawURLEncoding.EncodeToString(b),
	}
}

// Hash is what members keep of a token's secret.
func (t *Token) Hash() [32]byte { return sha256.Sum256([]byte(t.Secret)) }

// String writes the token as one word.
func (t *Token) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic("pki: a token of strings cannot be written: " + err.Error())
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads what [Token.String] wrote. Errors wrap [ErrToken] and do not
// repeat the text.
func ParseToken(text string) (*Token, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	if !ok || len(body) > maxToken {
		return nil, fmt.Errorf("%w: it does not begin with %q or is too long; make one with: purser cluster token", ErrToken, tokenPrefix)
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: it is damaged; copy it whole", ErrToken)
	}
	var t Token
	if err := json.Unmarshal(b, &t); err != nil || t.Secret == "" || t.Fingerprint == "" || len(t.Addresses) == 0 {
		return nil, fmt.Errorf("%w: it is damaged; copy it whole", ErrToken)
	}
	return &t, nil
}
