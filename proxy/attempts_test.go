package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"purser/internal/attempts"
)

func TestUnknownKeysAreSlowedDownByAddress(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.gateway.seams.Attempts = &attempts.Table{}
	ask := func(key, from string) *Answer {
		t.Helper()
		a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Remote: netip.MustParseAddrPort(from),
			Header: headerList{"Authorization", "Bearer " + key}, Body: []byte(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`)})
		return a
	}
	w.keys[sha("pk_old")] = keyed{&Principal{ID: "k2"}, KeyRevoked}
	const here = "192.0.2.1:1000"
	for i := range attempts.Burst {
		if a := ask("pk_none", here); a.Status != 401 {
			t.Fatalf("failure %d: %d", i+1, a.Status)
		}
	}
	a := ask("pk_none", "192.0.2.1:2000")
	headers := map[string]string{}
	for _, h := range a.Header {
		headers[strings.ToLower(h.Name)] = h.Value
	}
	if a.Status != 429 || headers["retry-after"] == "" || headers["x-should-retry"] != "false" || !strings.Contains(string(a.Body), "too_many_failures") {
		t.Errorf("one more: %d %v %s", a.Status, headers, a.Body)
	}
	if a := ask("pk_good", here); a.Status != 200 {
		t.Errorf("a good key behind that address: %d", a.Status)
	}
	if a := ask("pk_old", here); a.Status != 401 {
		t.Errorf("a revoked key, which is no guess: %d", a.Status)
	}
	if a := ask("pk_none", "192.0.2.2:1000"); a.Status != 401 {
		t.Errorf("another address: %d", a.Status)
	}
	if a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Remote: netip.MustParseAddrPort(here), Header: headerList{}}); a.Status != 401 {
		t.Errorf("no key is no attempt: %d", a.Status)
	}
}
