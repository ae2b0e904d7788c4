package childkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// Prefix begins every child key.
	Prefix = "pk_c_"
	// MaxToken is the longest token, in bytes: it travels in a header.
	MaxToken = 2048
	// MaxGenerations is how many blocks a token may have.
	MaxGenerations = 3
)

// Errors of tokens.
var (
	ErrMalformed = errors.New("not a child key")
	ErrTooLong   = fmt.Errorf("a child key has at most %d bytes", MaxToken)
	ErrTooDeep   = errors.New("more generations of children than are allowed")
	ErrForged    = errors.New("the child key was changed, or was not made with its parent's secret")
)

// Block is one generation.
type Block struct {
	Caveats
	ID     [sha256.Size]byte // names the child
	Public [ed25519.PublicKeySize]byte

	end       int // of the block in the text
	signature []byte
}

// Token is a child key that was read. It is immutable.
type Token struct {
	Root   [ed25519.PublicKeySize]byte // of the parent's secret
	Blocks []Block                     // from the parent on, at least one
	Sealed bool                        // nobody can make children of it

	text  string
	proof []byte
}

var encoding = base64.RawURLEncoding.Strict()

// Parse reads a token without verifying it. The error is [ErrMalformed],
// [ErrTooLong] or [ErrTooDeep].
func Parse(text string) (*Token, error) {
	if len(text) > MaxToken {
		return nil, ErrTooLong
	}
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrMalformed, Prefix)
	}
	parts := strings.Split(rest, ".")
	if len(parts) < 4 || len(parts)%2 != 0 {
		return nil, fmt.Errorf("%w: it is cut off", ErrMalformed)
	}
	if len(parts) > 2+2*MaxGenerations {
		return nil, ErrTooDeep
	}
	t := &Token{text: text}
	root, err := encoding.DecodeString(parts[0])
	if err != nil || len(root) != len(t.Root) {
		return nil, fmt.Errorf("%w: its root is no public key", ErrMalformed)
	}
	t.Root = [len(t.Root)]byte(root)
	at := len(Prefix) + len(parts[0])
	for i := 1; i+1 < len(parts)-1; i += 2 {
		b, err := parseBlock(parts[i], parts[i+1])
		if err != nil {
			return nil, fmt.Errorf("%w: generation %d: %w", ErrMalformed, len(t.Blocks)+1, err)
		}
		b.end = at + 1 + len(parts[i])
		at = b.end + 1 + len(parts[i+1])
		t.Blocks = append(t.Blocks, b)
	}
	t.proof, err = encoding.DecodeString(parts[len(parts)-1])
	t.Sealed = len(t.proof) == ed25519.SignatureSize
	if err != nil || !t.Sealed && len(t.proof) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: its proof is none", ErrMalformed)
	}
	for i, b := range t.Blocks {
		if b.Depth != nil && len(t.Blocks)-1-i > *b.Depth {
			return nil, ErrTooDeep
		}
	}
	t.name()
	return t, nil
}

func parseBlock(payload, signature string) (b Block, err error) {
	raw, err := encoding.DecodeString(payload)
	if err != nil {
		return b, errors.New("a block is not base64url")
	}
	decoded, err := decodeBlock(raw)
	if err != nil {
		return b, err
	}
	next, err := encoding.DecodeString(decoded.Next)
	if err != nil || len(next) != len(b.Public) {
		return b, errors.New("next is no public key")
	}
	b.Caveats, b.Public = decoded.Caveats, [len(b.Public)]byte(next)
	if b.signature, err = encoding.DecodeString(signature); err != nil || len(b.signature) != ed25519.SignatureSize {
		return b, errors.New("its signature is none")
	}
	return b, nil
}

// name gives each child its ID: a digest of the root and of the blocks down to it.
func (t *Token) name() {
	h := sha256.New()
	h.Write([]byte("purser child key id v1\n"))
	h.Write(t.Root[:])
	start := len(Prefix) + encoding.EncodedLen(len(t.Root)) + 1
	for i := range t.Blocks {
		b := &t.Blocks[i]
		h.Write([]byte("."))
		h.Write([]byte(t.text[start:b.end]))
		h.Sum(b.ID[:0])
		start = b.end + 1 + encoding.EncodedLen(ed25519.SignatureSize) + 1
	}
}

// Verify reports whether every block was signed by its parent and the token is
// whole. The error is [ErrForged]. It takes a tenth of a millisecond a generation.
func (t *Token) Verify() error {
	by := t.Root
	for i := range t.Blocks {
		b := &t.Blocks[i]
		if !ed25519.Verify(by[:], []byte(t.text[:b.end]), b.signature) {
			return ErrForged
		}
		by = b.Public
	}
	if t.Sealed {
		if !ed25519.Verify(by[:], t.sealing(), t.proof) {
			return ErrForged
		}
		return nil
	}
	if !bytes.Equal(ed25519.NewKeyFromSeed(t.proof).Public().(ed25519.PublicKey), by[:]) {
		return ErrForged
	}
	return nil
}

// Claims is what the token says, without what it takes to use it: it can be kept.
// It cannot be verified again.
func (t *Token) Claims() *Token {
	return &Token{Root: t.Root, Blocks: t.Blocks, Sealed: t.Sealed}
}

// body is the text before the proof and its dot.
func (t *Token) body() string { return t.text[:strings.LastIndexByte(t.text, '.')] }

// sealing is what the proof of a sealed token signs. It is no text that a block
// ends: a block is a JSON object.
func (t *Token) sealing() []byte { return []byte(t.body() + ".sealed") }

// Last is the child itself.
func (t *Token) Last() *Block { return &t.Blocks[len(t.Blocks)-1] }
