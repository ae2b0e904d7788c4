package vault

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// sealedVersion begins every sealed form. A change of layout or of what is bound
// takes the next number.
const sealedVersion = 1

// Limits of a sealed form.
const (
	// MaxSecret is the longest secret, in bytes: a file of a service account with
	// its private key has some 2,400.
	MaxSecret = 16 << 10
	// maxMasterID bounds the name of a master key.
	maxMasterID = 256
	// maxWrapped bounds a wrapped data key: services add a few hundred bytes.
	maxWrapped = 4 << 10
	nonceSize  = 12
	tagSize    = 16
	keySize    = 32
	maxSealed  = 1 + 10 + 3 + maxMasterID + 3 + maxWrapped + nonceSize + keySize + MaxSecret + tagSize
)

// Errors of a sealed form. Neither says more than that it cannot be used.
var (
	// ErrMalformed is a form that nothing here has written.
	ErrMalformed = errors.New("vault: malformed sealed form")
	// ErrVersion is a form of a later build.
	ErrVersion = errors.New("vault: sealed form of an unknown version")
	// ErrDamaged is a ciphertext that does not fit its key or what it is bound to.
	ErrDamaged = errors.New("vault: the ciphertext was changed, or belongs to something else")
)

// Sealed is a secret in ciphertext. Its zero value holds none.
type Sealed struct {
	Master     string // id of the master key that wraps the data key
	Generation uint64 // of the data key: it grows with each
	wrapped    []byte
	nonce      [nonceSize]byte
	text       []byte
}

// IsZero says that there is no secret. JSON leaves such a value out.
func (s Sealed) IsZero() bool { return s.Master == "" }

// AppendBinary appends the stored form.
func (s *Sealed) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, sealedVersion)
	b = binary.AppendUvarint(b, s.Generation)
	b = appendBytes(b, s.Master)
	b = appendBytes(b, s.wrapped)
	b = append(b, s.nonce[:]...)
	return append(b, s.text...), nil
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// UnmarshalBinary reads the stored form and copies what it keeps.
func (s *Sealed) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || len(b) > maxSealed {
		return fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if b[0] != sealedVersion {
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	generation, n := binary.Uvarint(b[1:])
	if n <= 0 || generation == 0 {
		return ErrMalformed
	}
	rest := b[1+n:]
	master, rest, ok := cutBytes(rest, maxMasterID)
	if !ok || len(master) == 0 {
		return ErrMalformed
	}
	wrapped, rest, ok := cutBytes(rest, maxWrapped)
	if !ok || len(wrapped) == 0 || len(rest) < nonceSize+keySize+tagSize {
		return ErrMalformed
	}
	out := Sealed{Master: string(master), Generation: generation, wrapped: append([]byte(nil), wrapped...), text: append([]byte(nil), rest[nonceSize:]...)}
	copy(out.nonce[:], rest)
	if again, _ := out.AppendBinary(nil); string(again) != string(b) {
		return ErrMalformed // a length was written in more bytes than it takes
	}
	*s = out
	return nil
}

func cutBytes(b []byte, most int) (head, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(most) || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// MarshalText is the stored form in base64.
func (s Sealed) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return nil, nil
	}
	b, err := s.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Sealed) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Sealed{}
		return nil
	}
	if len(text) > base64.RawURLEncoding.EncodedLen(maxSealed) {
		return ErrMalformed
	}
	b, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return ErrMalformed // its text would quote the input
	}
	return s.UnmarshalBinary(b)
}
