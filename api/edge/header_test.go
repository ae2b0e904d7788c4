package edge

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestAmbiguous(t *testing.T) {
	for raw, want := range map[string]bool{
		"": false, "Content-Length: 1\r\n": false, "Transfer-Encoding: chunked\r\n": false,
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n": true,
		"TRANSFER-encoding:x\nX: y\ncontent-LENGTH:1":         true,
		"X: Content-Length: 1\r\nTransfer-Encoding: x\r\n":    false,
		"Content-Length : 1\r\nTransfer-Encoding : x\r\n":     true,
	} {
		if ambiguous([]byte(raw)) != want {
			t.Errorf("%q", raw)
		}
	}
}

// FuzzSendable: what passes leaves the shape of the answer's head as it is.
func FuzzSendable(f *testing.F) {
	f.Add("x-a", "b")
	f.Add("x\r\n", "b\x00")
	f.Add("content-length", "7")
	f.Add("set-cookie", "a=b; Path=/")
	f.Fuzz(func(t *testing.T, name, value string) {
		if !sendable(name, value) {
			return
		}
		var resp fasthttp.Response
		resp.Header.SetNoDefaultContentType(true)
		resp.Header.Add(name, value)
		resp.SetBodyRaw([]byte("body"))
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := resp.Write(w); err != nil {
			t.Fatal(err)
		}
		_ = w.Flush()
		back, err := http.ReadResponse(bufio.NewReader(&out), nil)
		if err != nil {
			t.Fatalf("%q: %q: %v", name, value, err)
		}
		n := 0
		for _, v := range back.Header {
			n += len(v)
		}
		if back.ContentLength != 4 || n > 3 { // its own, Content-Length, Date
			t.Fatalf("%q: %q: %v", name, value, back.Header)
		}
	})
}

// FuzzAmbiguous: whenever net/http sees both, so does the scanner.
func FuzzAmbiguous(f *testing.F) {
	f.Add("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")
	f.Add("X: 1\r\n y\r\n")
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.Contains(raw, "\r\n\r\n") || strings.Contains(raw, "\n\n") {
			return
		}
		var h fasthttp.RequestHeader
		head := "POST / HTTP/1.1\r\nHost: h\r\n" + strings.TrimRight(raw, "\r\n") + "\r\n\r\n"
		if h.Read(bufio.NewReaderSize(strings.NewReader(head), 1<<16)) != nil || h.ContentLength() != -1 {
			return
		}
		length := false
		for line := range strings.SplitSeq(raw, "\n") {
			name, _, ok := strings.Cut(line, ":")
			length = length || ok && strings.EqualFold(strings.TrimSpace(name), "content-length")
		}
		if length && !ambiguous(h.RawHeaders()) {
			t.Fatalf("%q", raw)
		}
	})
}
