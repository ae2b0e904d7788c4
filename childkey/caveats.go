package childkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a block.
const (
	maxList    = 16  // patterns in one list, and dimensions bound
	maxPattern = 256 // bytes of a pattern, or of a dimension's name or value
)

// USD is an amount of nano-dollars. In a token it is a decimal number of dollars.
type USD int64

// maxUSD is the largest amount, that of the ledger.
const maxUSD USD = 1 << 60

const usdDecimals = 9

// Enforced is the amount that a slice caps: its first two digits, and zeros. So
// many children share few rules, whatever their parents divide their budgets by.
func (u USD) Enforced() USD {
	unit := USD(1)
	for u/unit >= 100 {
		unit *= 10
	}
	return u / unit * unit
}

// ParseUSD reads a decimal number of dollars without sign and exponent. What is
// below a nano-dollar is cut off.
func ParseUSD(text string) (USD, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(text) > 64 || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errors.New("usd is not a decimal number of dollars without sign and exponent")
	}
	fraction = (fraction + strings.Repeat("0", usdDecimals))[:usdDecimals]
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || USD(n) > maxUSD {
		return 0, errors.New("usd is too large")
	}
	return USD(n), nil
}

// String writes the dollars.
func (u USD) String() string {
	text := fmt.Sprintf("%d.%09d", u/1e9, u%1e9)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// MarshalJSON implements json.Marshaler.
func (u USD) MarshalJSON() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (u *USD) UnmarshalJSON(b []byte) (err error) {
	*u, err = ParseUSD(string(b))
	return err
}

// Caveats are by what a block limits its parent. What is left out is as the
// parent has it.
type Caveats struct {
	// Expires is when the child ends, in Unix seconds. It is required.
	Expires int64 `json:"exp"`
	// Slice is the most that the child and its own children may cost in all.
	Slice *USD `json:"usd,omitempty"`
	// Models, Endpoints and Providers are patterns in which '*' stands for any
	// characters: of models as clients name them, of routes such as "/v1/chat/*",
	// and of providers as the price catalogue names them.
	Models    []string `json:"models,omitempty"`
	Endpoints []string `json:"endpoints,omitempty"`
	Providers []string `json:"providers,omitempty"`
	// Bind fixes dimensions, by name or "tag:<name>", of every request.
	Bind map[string]string `json:"bind,omitempty"`
	// Depth is how many generations there may be below the child; 0 for none.
	Depth *int `json:"depth,omitempty"`
}

// Validate says what is wrong with the caveats by themselves.
func (c *Caveats) Validate() error {
	if c.Expires <= 0 {
		return errors.New("exp, the end of the child in Unix seconds, is missing")
	}
	if c.Slice != nil && (*c.Slice < 0 || *c.Slice > maxUSD) {
		return errors.New("usd is out of range")
	}
	if c.Depth != nil && (*c.Depth < 0 || *c.Depth >= MaxGenerations) {
		return fmt.Errorf("depth is not 0 to %d", MaxGenerations-1)
	}
	for i, list := range [][]string{c.Models, c.Endpoints, c.Providers} {
		name := [...]string{"models", "endpoints", "providers"}[i]
		if list != nil && len(list) == 0 || len(list) > maxList {
			return fmt.Errorf("%s has %d patterns, not 1 to %d", name, len(list), maxList)
		}
		for _, p := range list {
			if err := validText(p); err != nil {
				return fmt.Errorf("a pattern of %s %w", name, err)
			}
		}
	}
	if len(c.Bind) > maxList {
		return fmt.Errorf("bind has %d dimensions, the most is %d", len(c.Bind), maxList)
	}
	for name, value := range c.Bind {
		if err := errors.Join(validText(name), validText(value)); err != nil {
			return fmt.Errorf("a dimension of bind %w", err)
		}
	}
	return nil
}

func validText(s string) error {
	switch {
	case s == "" || len(s) > maxPattern:
		return fmt.Errorf("has %d bytes, not 1 to %d", len(s), maxPattern)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("has control characters or is not UTF-8")
	}
	return nil
}

// block is what is signed.
type block struct {
	Caveats
	Next string `json:"next"`
}

// decodeBlock reads a block. A field that is not known may be a limit, and so may
// null: either is refused.
func decodeBlock(b []byte) (out block, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return out, errors.New("a block is not a JSON object")
	}
	for name, value := range fields {
		if string(bytes.TrimSpace(value)) == "null" {
			return out, fmt.Errorf("%s is null: leave it out instead", clip(name))
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return out, fmt.Errorf("a block is not as it has to be: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return out, errors.New("a block has something behind it")
	}
	return out, out.Validate()
}

func clip(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most] + "...")
	}
	return strconv.Quote(s)
}
