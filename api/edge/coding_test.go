package edge

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func deflated(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// TestCodingsOfRequests: in both versions of HTTP, with a length and in chunks,
// the proxy gets the plain body, or nothing.
func TestCodingsOfRequests(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.MaxBody = 1000 })
	small, large := strings.Repeat("ab", 500), strings.Repeat("ab", 501)
	for name, c := range map[string]struct {
		codings []string
		body    string
		status  int
		says    string
	}{
		"none":                  {nil, small, 200, small},
		"identity":              {[]string{"identity"}, "x", 200, "x"},
		"gzip":                  {[]string{"gzip"}, gzipped(small), 200, small},
		"its other name":        {[]string{"X-GZip "}, gzipped(small), 200, small},
		"deflate":               {[]string{"deflate"}, deflated(small), 200, small},
		"two streams":           {[]string{"gzip"}, gzipped("a") + gzipped("b"), 200, "ab"},
		"more than the limit":   {[]string{"gzip"}, gzipped(large), 413, "request_too_large"},
		"far more":              {[]string{"gzip"}, gzipped(strings.Repeat("a", 400_000)), 413, "request_too_large"},
		"not compressed":        {[]string{"gzip"}, "{}", 400, "invalid_compression"},
		"broken off":            {[]string{"gzip"}, gzipped(small)[:20], 400, "invalid_compression"},
		"with another checksum": {[]string{"gzip"}, gzipped(small)[:len(gzipped(small))-6] + "xxxxxx", 400, "invalid_compression"},
		"more behind it":        {[]string{"gzip"}, gzipped(small) + "x", 400, "invalid_compression"},
		"unknown":               {[]string{"zstd"}, "x", 415, "unsupported_encoding"},
		"twice":                 {[]string{"gzip", "gzip"}, gzipped(gzipped("x")), 415, "unsupported_encoding"},
		"a list":                {[]string{"gzip, gzip"}, gzipped(gzipped("x")), 415, "unsupported_encoding"},
		"of nothing":            {[]string{"gzip"}, "", 200, ""},
	} {
		for _, version := range []int{1, 2} {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d, %v", name, version, chunked), func(t *testing.T) {
					var body io.Reader = strings.NewReader(c.body)
					if chunked {
						body = io.NopCloser(body)
					}
					req, err := http.NewRequest("POST", r.url("/"), body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header["Content-Encoding"] = c.codings
					resp, err := r.client(t, version).Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Fatal(err)
					}
					if err := resp.Body.Close(); err != nil {
						t.Fatal(err)
					}
					if resp.StatusCode != c.status || c.status == 200 && string(got) != c.says || !strings.Contains(string(got), c.says) {
						t.Errorf("%d %.200s", resp.StatusCode, got)
					}
				})
			}
		}
	}
	if r.Running() != 0 {
		t.Error("requests are left")
	}
}

func FuzzCoding(f *testing.F) {
	f.Add("gzip", gzipped("hello"))
	f.Add("deflate", deflated("hello"))
	f.Add("gzip, identity", "x")
	f.Fuzz(func(t *testing.T, coding, body string) {
		const limit = 1 << 16
		out, refused := plain([]string{coding}, []byte(body), limit)
		if len(out) > limit && len(out) > len(body) || refused != nil && out != nil {
			t.Fatalf("%d bytes, %v", len(out), refused)
		}
	})
}
