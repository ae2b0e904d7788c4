package alerting

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"purser/internal/alert"
	"purser/internal/directory"
	"purser/ledger"
)

var testKey = bytes.Repeat([]byte("k"), 32)

func testEvent(t *testing.T) *alert.Event {
	t.Helper()
	r, err := alert.Once("k", 1, alert.Notice{Type: alert.NodeDown, Severity: alert.Critical, Summary: "down", Data: alert.Data{"node": "n1"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := directory.New()
	dir.Apply(1, directory.RaiseAlerts{Raises: []directory.Raise{r}})
	e, err := alert.Read(dir.Alerts()[0])
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func hook(url string) *alert.Webhook {
	return &alert.Webhook{ID: "w", Spec: alert.Spec{URL: url, AllowHTTP: true}, Keys: [][]byte{testKey}}
}

func TestWhatIsSentVerifies(t *testing.T) {
	e := testEvent(t)
	got := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var id string
			id, err = alert.Verify(r.Header, body, testKey, time.Now(), time.Minute)
			if err == nil && (id != e.ID || r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost || !strings.HasPrefix(r.UserAgent(), "purser/")) {
				err = errors.New("headers " + r.Header.Get("Content-Type") + " " + r.UserAgent())
			}
		}
		got <- err
	}))
	defer s.Close()
	sender := NewSender("prod", "v1", true)
	defer sender.Close()
	if a := sender.Send(context.Background(), hook(s.URL), e, time.Now()); !a.OK || a.Status != 200 {
		t.Errorf("%+v", a)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestAnswersOfReceivers(t *testing.T) {
	e := testEvent(t)
	hung := make(chan struct{})
	defer close(hung)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	status := func(path string, code int, header, value string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "secret words of the receiver")
		})
	}
	status("/created", 201, "X", "")
	status("/bad", 400, "X", "")
	status("/gone", 410, "X", "")
	status("/busy", 429, "Retry-After", "90")
	status("/later", 503, "Retry-After", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
	status("/nonsense", 503, "Retry-After", "-5")
	status("/moved", 307, "Location", elsewhere.URL)
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s := httptest.NewServer(mux)
	defer s.Close()
	tlsServer := httptest.NewUnstartedServer(mux)
	tlsServer.Config.ErrorLog = nil
	tlsServer.StartTLS()
	defer tlsServer.Close()
	sender := NewSender("prod", "v1", true)
	defer sender.Close()
	closed := httptest.NewServer(mux)
	closed.Close()
	for address, want := range map[string]alert.Answer{
		s.URL + "/created":          {OK: true, Status: 201},
		s.URL + "/bad":              {Status: 400, Fault: "status"},
		s.URL + "/gone":             {Status: 410, Fault: "gone", Gone: true},
		s.URL + "/busy":             {Status: 429, Fault: "status", RetryAfter: 90 * ledger.Second},
		s.URL + "/nonsense":         {Status: 503, Fault: "status"},
		s.URL + "/moved":            {Status: 307, Fault: "redirect"},
		s.URL + "/endless":          {OK: true, Status: 200},
		s.URL + "/broken":           {Fault: "connection"},
		closed.URL:                  {Fault: "connection"},
		tlsServer.URL:               {Fault: "tls"},
		"http://name.invalid/":      {Fault: "name"},
		"http://169.254.169.254/":   {Fault: "refused_address"},
		"http://[fe80::1]/":         {Fault: "refused_address"},
		"http://[::ffff:a9fe:a9fe]": {Fault: "refused_address"},
		"http://%zz":                {Fault: "address"},
	} {
		if got := sender.Send(context.Background(), hook(address), e, time.Now()); got != want {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
	}
	later := sender.Send(context.Background(), hook(s.URL+"/later"), e, time.Now()).RetryAfter
	if later < 119*ledger.Minute || later > 121*ledger.Minute {
		t.Errorf("a date is %d minutes away", later/ledger.Minute)
	}
	broken := hook(s.URL + "/created")
	broken.Broken = true
	unsigned := hook(s.URL + "/created")
	unsigned.Keys = nil
	for _, w := range []*alert.Webhook{broken, unsigned} {
		if got := sender.Send(context.Background(), w, e, time.Now()); got.OK || got.Fault != "no_secret" {
			t.Errorf("%+v is sent to: %+v", w, got)
		}
	}
	unsigned.Form = alert.Slack
	if got := sender.Send(context.Background(), unsigned, e, time.Now()); !got.OK {
		t.Errorf("Slack's is not: %+v", got)
	}
}

// TestAnAttemptEndsInTime: a receiver that takes the connection and says nothing.
func TestAnAttemptEndsInTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sender := NewSender("prod", "v1", true)
	defer sender.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if got := sender.Send(ctx, hook("http://"+l.Addr().String()), testEvent(t), time.Now()); got.Fault != "timeout" {
		t.Errorf("%+v", got)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if got := sender.Send(stopped, hook("http://"+l.Addr().String()), testEvent(t), time.Now()); got.Fault != "broken_off" {
		t.Errorf("%+v", got)
	}
}

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for address, c := range map[string]struct{ public, private bool }{
		"93.184.216.34": {true, true}, "2606:2800:220:1::1": {true, true}, "11.0.0.1": {true, true}, "172.32.0.1": {true, true},
		"127.0.0.1": {false, true}, "127.9.9.9": {false, true}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "0.0.0.0": {false, true}, "::": {false, true},
		"10.1.2.3": {false, true}, "172.16.0.1": {false, true}, "172.31.255.255": {false, true}, "192.168.1.1": {false, true}, "100.64.0.1": {false, true},
		"fd12::1": {false, true}, "64:ff9b::7f00:1": {false, true}, "2002:7f00:1::": {false, true}, "198.18.0.1": {false, true},
		"169.254.169.254": {false, false}, "::ffff:169.254.169.254": {false, false}, "fe80::1": {false, false}, "fe80::1%eth0": {false, false},
		"::127.0.0.1": {false, true}, "::ffff:0:127.0.0.1": {false, true}, "64:ff9b::a9fe:a9fe": {false, false}, "2002:a9fe:a9fe::1": {false, false},
		"168.63.129.16": {false, false}, "192.0.0.192": {false, false}, "fd20:ce::254": {false, false},
		"fd00:ec2::254": {false, false}, "100.100.100.200": {false, false}, "224.0.0.1": {false, false}, "ff02::1": {false, false}, "255.255.255.255": {false, false}, "240.0.0.1": {false, false},
	} {
		a := netip.MustParseAddr(address)
		if got := mayDial(a, false); got != c.public {
			t.Errorf("%s: %v", address, got)
		}
		if got := mayDial(a, true); got != c.private {
			t.Errorf("%s, when private ones may be: %v", address, got)
		}
	}
	if err := guard(true)("tcp", "nonsense", nil); !errors.Is(err, errAddress) {
		t.Errorf("no address: %v", err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer s.Close()
	sender := NewSender("prod", "v1", false)
	defer sender.Close()
	for _, address := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		if got := sender.Send(context.Background(), hook(address), testEvent(t), time.Now()); got.Fault != "refused_address" {
			t.Errorf("%s: %+v", address, got)
		}
	}
}
