package simprovider

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error)      { return s.Buffer.Write(b) }
func (s *sink) Read([]byte) (int, error)         { return 0, io.EOF }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }

// fuzzedPaths are the routes that are charged.
var fuzzedPaths = []string{"/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/responses/compact", "/v1/completions"}

// FuzzRequests: whatever the body, there is one well-formed answer, and a bill
// row if and only if it succeeded, with no bucket below zero.
func FuzzRequests(f *testing.F) {
	for _, body := range []string{
		ask("hi"), ask("hi", metered, `"n":3,"max_tokens":4`), ask("get_weather", weatherTool), ask("x", `"response_format":{"type":"json_object"}`),
		`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP"}}]}]}`,
		`{"model":"text-embedding-3-small","input":["a",[1,2]],"dimensions":3}`, `{"model":"gpt-4o","tools":[{}]}`, `[`,
		ask("x", `"response_format":{"type":"json_schema","json_schema":{"schema":{"$ref":"#"}}}`),
		ask("x", `"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}}}`),
		ask("x", `"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"array","minItems":99,"items":{"$ref":"#"}}}}`),
		`{"model":"gpt-5","input":[{"role":"user","content":"x"},{"type":"reasoning","encrypted_content":"gAAA"}],"stream":true,"include":["reasoning.encrypted_content"]}`,
		`{"model":"gpt-4o","input":"search files","tools":[{"type":"web_search"},{"type":"file_search"}],"max_tool_calls":1,"max_output_tokens":16}`,
		`{"model":"gpt-4o","prompt":["a",[1]],"n":2,"echo":true,"stream":true}`, `{"model":"gpt-4o","prompt":[[1],[2]]}`,
	} {
		for path := range fuzzedPaths {
			f.Add(body, uint8(path))
		}
	}
	p, err := New(quick(func(c *Config) { c.RequestModes, c.KeepRows = false, 1 }))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string, path uint8) {
		out := &sink{}
		c := &conn{p: p, nc: out, br: bufio.NewReader(out)}
		c.req.SetRequestURI(fuzzedPaths[int(path)%len(fuzzedPaths)])
		c.req.Header.SetMethod("POST")
		c.req.Header.Set("Authorization", "Bearer "+testKey)
		c.req.SetBodyString(body)
		before := p.Bill().Totals().Rows
		c.call.begin(c)
		p.handle(&c.call)
		resp, err := http.ReadResponse(bufio.NewReader(&out.Buffer), nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Content-Type") == "application/json" && !gjson.ValidBytes(raw) {
			t.Errorf("%d %q", resp.StatusCode, raw)
		}
		if billed := p.Bill().Totals().Rows - before; (billed == 1) != (resp.StatusCode == 200) || billed > 1 {
			t.Errorf("status %d, %d rows", resp.StatusCode, billed)
		}
		if resp.StatusCode == 200 {
			for m, n := range p.Bill().Rows()[0].Usage {
				if n < 0 {
					t.Errorf("%s of %d", meterNames[m], n)
				}
			}
		}
	})
}
