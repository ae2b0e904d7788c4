package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks 1.0 (https://www.standardwebhooks.com). A
// signature is "v1," and base64 of the HMAC-SHA256 of "id.timestamp.body"; the
// header may hold several, with a space between them.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"

	signatureVersion = "v1,"
	secretPrefix     = "whsec_"
	// maxSignatures bounds what a forged header makes a receiver compute.
	maxSignatures = 8
)

// Errors of Verify.
var (
	ErrUnsigned = errors.New("a webhook header is missing or is there twice")
	ErrReplayed = errors.New("the timestamp is not within the tolerance")
	ErrForged   = errors.New("no signature fits")
)

// ParseSecret reads a signing secret: whsec_ and base64 of 24 to 64 bytes.
func ParseSecret(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return nil, errors.New("a signing secret begins with whsec_; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("what follows whsec_ is not base64") // and is not repeated
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, fmt.Errorf("a signing secret has %d to %d bytes, this one %d", minSecret, maxSecret, len(key))
	}
	return key, nil
}

// ParseSecrets reads one secret, or the present one and earlier ones with spaces
// between them: all sign, so that a receiver may change over when it likes.
func ParseSecrets(s string) ([][]byte, error) {
	list := strings.Fields(s)
	if len(list) == 0 || len(list) > maxSecrets {
		return nil, fmt.Errorf("there are %d signing secrets, not 1 to %d", len(list), maxSecrets)
	}
	var keys [][]byte
	for _, one := range list {
		key, err := ParseSecret(one)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

const maxSecrets = 4

// Sign is the value of the signature header for each key, at an instant in whole
// seconds since 1970.
func Sign(keys [][]byte, id string, at int64, body []byte) string {
	signatures := make([]string, 0, len(keys))
	for _, k := range keys {
		signatures = append(signatures, signatureVersion+base64.StdEncoding.EncodeToString(sum(k, id, at, body)))
	}
	return strings.Join(signatures, " ")
}

func sum(key []byte, id string, at int64, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + strconv.FormatInt(at, 10) + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Verify is what a receiver does, in order: take the headers, refuse a timestamp
// that is further from now than the tolerance on either side, and compare the
// signatures in constant time. It returns the event's id: whoever has seen it
// before answers 200 and does nothing. headers are those of the request, by their
// canonical names, as net/http gives them.
func Verify(headers map[string][]string, body, key []byte, now time.Time, tolerance time.Duration) (id string, err error) {
	var values [3]string
	for i, name := range []string{HeaderID, HeaderTimestamp, HeaderSignature} {
		v := headers[textproto.CanonicalMIMEHeaderKey(name)]
		if len(v) != 1 || v[0] == "" {
			return "", fmt.Errorf("%w: %s", ErrUnsigned, name)
		}
		values[i] = v[0]
	}
	at, err := strconv.ParseInt(values[1], 10, 64)
	if err != nil || strconv.FormatInt(at, 10) != values[1] {
		return "", fmt.Errorf("%w: it is no number of seconds", ErrReplayed)
	}
	if off := now.Sub(time.Unix(at, 0)); off > tolerance || off < -tolerance {
		return "", ErrReplayed
	}
	want := sum(key, values[0], at, body)
	fits := false
	for i, s := range strings.Split(values[2], " ") {
		encoded, ok := strings.CutPrefix(s, signatureVersion)
		if !ok || i >= maxSignatures {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(encoded)
		fits = hmac.Equal(got, want) && err == nil || fits
	}
	if !fits {
		return "", ErrForged
	}
	return values[0], nil
}
