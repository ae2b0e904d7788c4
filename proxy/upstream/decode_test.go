package upstream

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func zlibbed(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func coded(coding, body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Encoding: " + coding + "\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

func TestUninvitedCompressionIsUndone(t *testing.T) {
	long := strings.Repeat("data: word\n\n", 10_000)
	for name, answer := range map[string]string{
		"gzip":         coded("gzip", gzipped(long)),
		"x-gzip":       coded(" X-GZIP ", gzipped(long)),
		"deflate":      coded("deflate", zlibbed(long)),
		"identity":     coded("identity", long),
		"gzip chunked": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(gzipped(long)[:20]) + chunk(gzipped(long)[20:]) + "0\r\n\r\n",
	} {
		d := answers(t, nil, func(c *call) bool { return c.write(answer) })
		c := client(t, quick(d.url))
		resp := must(t, c, post("{}"))
		if name != "identity" && resp.Header("Content-Encoding") != nil {
			t.Errorf("%s: still says it is compressed", name)
		}
		if got := all(t, resp); got != long {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		pieces, err := pulled(must(t, c, post("{}")))
		if err != io.EOF || strings.Join(pieces, "") != long {
			t.Errorf("%s: %v", name, err)
		}
		if d.conns.Load() != 1 {
			t.Errorf("%s: connection not kept", name)
		}
	}
}

func TestCompressedStreamFlowsAsItIsFlushed(t *testing.T) {
	next := make(chan string)
	d := answers(t, nil, func(c *call) bool {
		c.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		for s := range next {
			b.Reset()
			_, _ = io.WriteString(w, s)
			_ = w.Flush()
			c.write(chunk(b.String()))
		}
		b.Reset()
		_ = w.Close()
		return c.write(chunk(b.String()) + "0\r\n\r\n")
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	for _, s := range []string{"data: 1\n\n", "data: 2\n\n"} {
		next <- s
		if b, err := resp.Next(); err != nil || string(b) != s {
			t.Fatalf("%q %v", b, err)
		}
	}
	close(next)
	if _, err := resp.Next(); err != io.EOF {
		t.Fatal(err)
	}
	resp.Close()
}

func TestCompressionThatGoesWrong(t *testing.T) {
	bomb := strings.Repeat("\x00", 2<<20)
	good := gzipped("hello")
	for name, tc := range map[string]struct {
		answer string
		want   error
	}{
		"unknown":        {coded("br", "xxxx"), ErrEncoding},
		"two of them":    {coded("gzip, gzip", "xxxx"), ErrEncoding},
		"bomb":           {coded("gzip", gzipped(bomb)), ErrTooLarge},
		"not gzip":       {coded("gzip", "this is no gzip at all"), ErrMalformed},
		"cut short":      {coded("gzip", good[:len(good)-4]), ErrTruncated},
		"bad checksum":   {coded("gzip", good[:len(good)-8]+"\x00\x00\x00\x00"+good[len(good)-4:]), ErrMalformed},
		"cut connection": {strings.TrimSuffix(coded("gzip", good), good[10:]), ErrTruncated},
	} {
		d := answers(t, nil, func(c *call) bool { c.write(tc.answer); return false })
		cfg := quick(d.url)
		cfg.MaxDecoded = 1 << 20
		c := client(t, cfg)
		resp, f := c.Do(post("{}"))
		var err error = f
		if f == nil {
			_, err = pulled(resp)
		}
		if !errors.As(err, &f) || !f.Sent || f.Err != tc.want {
			t.Errorf("%s: %v", name, err)
		}
		if c.InFlight() != 0 {
			t.Errorf("%s: a slot was kept", name)
		}
	}
}

func TestEmptyAnswerMayClaimCompression(t *testing.T) {
	d := answers(t, nil, func(c *call) bool { return c.write(coded("gzip", "")) })
	if all(t, must(t, client(t, quick(d.url)), post("{}"))) != "" {
		t.Error("body")
	}
}
