package upstream

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

// decode undoes a compression that was not asked for. Only what every server
// may send is known; anything else fails the attempt, since nobody could read
// its usage.
func (r *Response) decode(limit int64) *Failure {
	coding := strings.ToLower(strings.TrimSpace(string(r.head.peek("Content-Encoding"))))
	switch coding {
	case "", "identity":
		return nil
	case "gzip", "x-gzip", "deflate":
	default:
		return fail(true, PhaseBody, ErrEncoding)
	}
	if r.length == 0 {
		return nil
	}
	r.body = &decoded{source: r.body, deflate: coding == "deflate", left: limit}
	r.length, r.hidden = -1, true
	return nil
}

// decoded reads a source through a decompressor, made at the first read since
// making one blocks for its header.
type decoded struct {
	source
	deflate bool
	z       io.ReadCloser
	left    int64 // decoded bytes that may still come: a small answer may hide a huge one
}

func (d *decoded) read(p []byte) (int, error) {
	if d.z == nil {
		z, err := d.open()
		if err != nil {
			return 0, d.broken(err)
		}
		d.z = z
	}
	if int64(len(p)) > d.left+1 {
		p = p[:d.left+1]
	}
	for {
		n, err := d.z.Read(p)
		if d.left -= int64(n); d.left < 0 {
			d.source.stop()
			return 0, fail(true, PhaseBody, ErrTooLarge)
		}
		switch {
		case n > 0:
			return n, nil
		case err == io.EOF:
			return 0, d.drained()
		case err != nil:
			return 0, d.broken(err)
		}
	}
}

// ready is always no: how much the decompressor wants for its next byte is its own.
func (d *decoded) ready() bool { return false }

func (d *decoded) open() (io.ReadCloser, error) {
	if d.deflate {
		return zlib.NewReader(&encoded{d.source})
	}
	return gzip.NewReader(&encoded{d.source})
}

// drained reads the end beneath, so that the connection can be kept.
func (d *decoded) drained() error {
	var tail [64]byte
	n, err := d.source.read(tail[:])
	if n > 0 {
		return d.broken(errors.New("bytes behind the compressed body"))
	}
	return err
}

// broken keeps a failure of the source as it is; the rest is bad compression.
func (d *decoded) broken(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	d.source.stop()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fail(true, PhaseBody, ErrTruncated)
	}
	return fail(true, PhaseBody, ErrMalformed)
}

// encoded gives a source to a decompressor.
type encoded struct{ source }

func (e *encoded) Read(p []byte) (int, error) { return e.read(p) }
