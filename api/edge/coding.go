package edge

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

// plain is a request's body without its coding (RFC 9110 section 8.4): gzip or
// deflate, once. The limit is that of a body, since a small one may hide a huge
// one. The proxy knows no codings, and upstreams are sent none.
func plain(codings []string, body []byte, limit int) ([]byte, *refusal) {
	coding := ""
	for _, c := range codings {
		if c = strings.ToLower(strings.TrimSpace(c)); c == "" || c == "identity" {
			continue
		}
		if coding != "" {
			return nil, &refusedCoding
		}
		coding = c
	}
	var z io.ReadCloser
	var err error
	switch {
	case coding == "" || len(body) == 0:
		return body, nil
	case coding == "gzip" || coding == "x-gzip":
		z, err = gzip.NewReader(bytes.NewReader(body))
	case coding == "deflate":
		z, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return nil, &refusedCoding
	}
	if err != nil {
		return nil, &refusedCompressed
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if err = errors.Join(err, z.Close()); len(out) > limit {
		return nil, &refusedBody
	}
	if err != nil {
		return nil, &refusedCompressed
	}
	return out, nil
}
