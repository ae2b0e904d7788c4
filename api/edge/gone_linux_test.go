package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

// TestAClientThatLeavesIsSeen while its handler waits, in each version of HTTP and
// with TLS, whose farewell lies before the connection's end. One that stays is not.
func TestAClientThatLeavesIsSeen(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprint(name, " ", version), func(t *testing.T) {
				arrived, seen := make(chan bool), make(chan bool, 1)
				h := func(q *proxy.Request) *proxy.Answer {
					arrived <- q.Client.Gone()
					limit := time.After(5 * time.Second)
					for !q.Client.Gone() {
						select {
						case <-limit:
							seen <- false
							return &proxy.Answer{Status: 200}
						case <-time.After(time.Millisecond):
						}
					}
					seen <- true
					return &proxy.Answer{Status: 200}
				}
				r := serve(t, h, nil)
				if secure {
					r = serveTLS(t, h)
				}
				ctx, leave := context.WithCancel(t.Context())
				done := make(chan error, 1)
				c := r.client(t, version)
				go func() {
					req, err := http.NewRequestWithContext(ctx, "POST", r.url("/"), strings.NewReader("x"))
					if err == nil {
						var resp *http.Response
						if resp, err = c.Do(req); err == nil {
							_ = resp.Body.Close()
						}
					}
					done <- err
				}()
				if <-arrived {
					t.Error("a client that is there was held to be gone")
				}
				leave()
				if !<-seen {
					t.Error("it was not seen that the client left")
				}
				<-done
			})
		}
	}
}

// TestAConnectionOfAnotherKindIsNotGone: who cannot be asked is held to be there.
func TestAConnectionOfAnotherKindIsNotGone(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _ = a.Close() }()
	_ = b.Close()
	for _, c := range []net.Conn{a, tls.Client(a, &tls.Config{})} {
		if (&conn{Conn: c}).Gone() {
			t.Errorf("%T", c)
		}
	}
}
