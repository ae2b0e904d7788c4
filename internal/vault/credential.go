package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"purser/ledger"
)

// Limits of a credential.
const (
	maxID          = 64
	maxDescription = 256
	maxProvider    = 64
	maxFingerprint = 64
	// MaxWeight is the largest weight: a thousandth of the calls is the least that
	// one of two credentials can have.
	MaxWeight = 1000
	// maxMatch is how many dimensions one credential may be for.
	maxMatch = 8
)

// Credential is one provider key, as it is replicated: its JSON is the spec of an
// object, whose id it has. Instants are nanoseconds since 1970. It holds no secret
// that can be read without a master key.
type Credential struct {
	ID          string `json:"-"` // 1 to 64 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit
	Description string `json:"description,omitempty"`
	// Provider is whose key it is, as the price catalogue names it. It is sealed
	// with the secret, and changes with it alone.
	Provider    string         `json:"provider"`
	Sealed      Sealed         `json:"sealed"`
	Fingerprint string         `json:"fingerprint"`
	Rotated     ledger.Instant `json:"rotated"`           // when the secret was put
	Expires     ledger.Instant `json:"expires,omitempty"` // 0: never
	// Match says who may use it: the dimensions that a request must have, by the
	// names of [ledger.ParseDimRef]; none means anybody.
	Match map[string]string `json:"match,omitempty"`
	// Weight is its share of the calls beside others, 1 to MaxWeight; 0 is 1.
	Weight   int  `json:"weight,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
}

// Binding is what its secret is sealed for.
func (c *Credential) Binding() Binding { return Binding{c.ID, c.Provider} }

// Expired says whether it may not be used any more at an instant.
func (c *Credential) Expired(at ledger.Instant) bool { return c.Expires != 0 && at >= c.Expires }

// Validate says what is wrong with it.
func (c *Credential) Validate() error {
	errs := []error{CheckID(c.ID)}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !line(c.Description, maxDescription) {
		bad("description: is not one line of at most %d bytes", maxDescription)
	}
	if c.Provider == "" || !line(c.Provider, maxProvider) {
		bad("provider: is empty or not one line of at most %d bytes", maxProvider)
	}
	if c.Sealed.IsZero() {
		bad("sealed: there is no secret")
	}
	if c.Fingerprint == "" || !line(c.Fingerprint, maxFingerprint) {
		bad("fingerprint: is empty or not one line of at most %d bytes", maxFingerprint)
	}
	if c.Rotated < 0 || c.Expires < 0 {
		bad("an instant is before 1970")
	}
	if c.Weight < 0 || c.Weight > MaxWeight {
		bad("weight: %d is not within 1 to %d", c.Weight, MaxWeight)
	}
	if len(c.Match) > maxMatch {
		bad("match: %d dimensions, the most is %d", len(c.Match), maxMatch)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Match)) {
		ref, err := ledger.ParseDimRef(name)
		value := c.Match[name]
		switch {
		case err != nil:
			bad("match: %w", err)
		case ref.String() != name:
			bad("match: %q is written %q", name, ref)
		case value == "" || !line(value, ledger.MaxDimValue):
			bad("match: the value of %s is empty or not one line of at most %d bytes", name, ledger.MaxDimValue)
		}
	}
	return errors.Join(errs...)
}

// Decode reads the JSON of a credential, strictly. What it returns is valid.
func Decode(id string, spec []byte) (*Credential, error) {
	c := &Credential{}
	d := json.NewDecoder(bytes.NewReader(spec))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("credential %s cannot be read by this build: %w", cut(id), err)
	}
	c.ID = id
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("credential %s: %w", cut(id), err)
	}
	return c, nil
}

// CheckID says what is wrong with the id of a credential.
func CheckID(id string) error {
	if id == "" || len(id) > maxID || id[0] == '.' || id[0] == '_' || id[0] == '-' || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) {
		return fmt.Errorf("id: %q is not 1 to %d of a-z, 0-9, '.', '_', '-', beginning with a letter or digit", cut(id), maxID)
	}
	return nil
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxID)], "") }

// CheckSecret says what keeps a provider's key from being sent in a header. Its
// text has nothing of the key in it.
func CheckSecret(secret []byte) error {
	switch {
	case len(secret) == 0:
		return errors.New("the secret is empty")
	case len(secret) > MaxSecret:
		return fmt.Errorf("the secret has %d bytes, the most is %d", len(secret), MaxSecret)
	}
	for _, b := range secret {
		if b <= ' ' || b >= 0x7f {
			return errors.New("the secret has a space, a line break or another byte that no key has")
		}
	}
	return nil
}

func line(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
