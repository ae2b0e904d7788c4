package upstream

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// proving is an Authorizer that notes what it was asked to prove.
type proving struct {
	mu   sync.Mutex
	seen []Outgoing
	err  error
	give []Header
}

func (p *proving) Authorize(o *Outgoing) ([]Header, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := *o
	kept.Body = append([]byte(nil), o.Body...)
	p.seen = append(p.seen, kept)
	return p.give, p.err
}

// TestEachAttemptIsProvedWhenItIsFinal: by what is sent, in both versions of
// HTTP, and a client's headers of the same names stay behind.
func TestEachAttemptIsProvedWhenItIsFinal(t *testing.T) {
	for _, protocol := range []Protocol{HTTP1, HTTP2} {
		t.Run(protocol.String(), func(t *testing.T) {
			var got http.Header
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			defer s.Close()
			p := &proving{give: []Header{{"Authorization", "Bearer fresh"}, {"X-Date", "now"}}}
			cfg := quick(s.URL + "/v1")
			cfg.Authorizer, cfg.Protocol = p, protocol
			c := client(t, cfg)
			r := post(`{"a":1}`)
			r.Path = "/m%3A0?x=1"
			r.Header = append(r.Header, Header{"authorization", "Bearer pk_client"}, Header{"x-date", "then"}, Header{"x-other", "stays"})
			for range 2 {
				all(t, must(t, c, r))
				if got.Get("Authorization") != "Bearer fresh" || len(got.Values("X-Date")) != 1 || got.Get("X-Date") != "now" || got.Get("X-Other") != "stays" {
					t.Fatalf("sent %v", got)
				}
			}
			if len(p.seen) != 2 || p.seen[0].URL != s.URL+"/v1/m%3A0?x=1" || p.seen[1].Method != "POST" || string(p.seen[1].Body) != `{"a":1}` {
				t.Errorf("asked to prove %v", p.seen)
			}
		})
	}
}

// TestNothingIsSentWithoutACredential: not a byte, no retry, no fault of the
// upstream's, and nothing of the cause in the error.
func TestNothingIsSentWithoutACredential(t *testing.T) {
	d := answers(t, nil, ok)
	for name, p := range map[string]*proving{
		"none at present":      {err: errors.New("token of secret-sa@project")},
		"one that would split": {give: []Header{{"Authorization", "Bearer a\r\nx: y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(d.url)
			cfg.Authorizer = p
			c := client(t, cfg)
			_, f := c.Do(post("{}"))
			if f == nil || f.Sent || !errors.Is(f, ErrCredential) || strings.Contains(f.Error(), "secret") {
				t.Fatal(f)
			}
			if dec := DefaultPolicy().Decide(Outcome{Attempt: 1, Failure: f}, 0); dec.Retry || Judge(0, f) != Abandoned {
				t.Errorf("%+v, judged %d", dec, Judge(0, f))
			}
			if c.InFlight() != 0 || d.calls.Load() != 0 || d.conns.Load() != 0 {
				t.Error("a connection was made, or a slot was kept")
			}
		})
	}
}

func TestKeysAndAnAuthorizerExcludeEachOther(t *testing.T) {
	cfg := quick("http://localhost:1")
	cfg.Keys, cfg.Authorizer = []Key{{"k", "s"}}, &proving{}
	if err := cfg.Validate(); err == nil {
		t.Error("both were accepted")
	}
}
