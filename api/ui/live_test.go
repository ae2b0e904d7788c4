package ui

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// Who watches is told when requests ended, of the sums and of nothing else; what the API
// was asked for them ends with the stream.
func TestLiveValuesFollowTheRequests(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	ended := make(chan struct{})
	more := make(chan string)
	w.api.live = func(out http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for {
			select {
			case <-r.Context().Done():
				return
			case event := <-more:
				if _, err := out.Write([]byte(event)); err != nil {
					return
				}
			}
		}
	}
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/ui/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.cookies {
		req.AddCookie(c)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	if first := next(); !strings.Contains(first, `"requests":"7"`) || strings.Contains(first, "script") {
		t.Errorf("at first it says %s", first)
	}
	w.api.mu.Lock()
	report := w.api.answers["/usage"].(admin.UsageReport)
	report.Total.Requests = 8
	w.api.answers["/usage"] = report
	w.api.mu.Unlock()
	more <- `data: {"records":[],"dropped":0}` + "\n\n"
	more <- `data: {"records":[{}],"dropped":0}` + "\n\n"
	if second := next(); !strings.Contains(second, `"requests":"8"`) {
		t.Errorf("then it says %s", second)
	}
	cancel()
	<-ended
}

func TestLiveStreamsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	for range maxStreams {
		w.ui.streams <- struct{}{}
	}
	if out := w.ask("GET", "/ui/live", nil); out.Code != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", out.Code)
	}
	<-w.ui.streams
	w.cookies = nil
	if out := w.ask("GET", "/ui/live", url.Values{}); out.Code != http.StatusForbidden || len(w.ui.streams) != maxStreams-1 {
		t.Errorf("nobody: %d, %d streams are taken", out.Code, len(w.ui.streams))
	}
}

// However many watch the same, the API is asked once; who left first takes nothing along, and
// whoever may no longer see it is told nothing more.
func TestWatchersOfTheSameShareWhatIsAsked(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	asked, ended, news := make(chan struct{}, 8), make(chan struct{}, 8), make(chan struct{})
	w.api.live = func(out http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		defer func() { ended <- struct{}{} }()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-news:
				if _, err := out.Write([]byte(`data: {"records":[{}],"dropped":0}`)); err != nil {
					return
				}
			}
		}
	}
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	watch := func() (next func() (string, bool), leave func()) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/ui/live", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range w.cookies {
			req.AddCookie(c)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		lines := bufio.NewScanner(res.Body)
		return func() (string, bool) {
			for lines.Scan() {
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					return data, true
				}
			}
			return "", false
		}, cancel
	}
	first, leave := watch()
	second, leaveToo := watch()
	for _, next := range []func() (string, bool){first, second} {
		if text, ok := next(); !ok || !strings.Contains(text, `"requests":"7"`) {
			t.Fatalf("at first: %s", text)
		}
	}
	leave()
	w.api.mu.Lock()
	report := w.api.answers["/usage"].(admin.UsageReport)
	report.Total.Requests = 8
	w.api.answers["/usage"] = report
	w.api.mu.Unlock()
	news <- struct{}{}
	if text, ok := second(); !ok || !strings.Contains(text, `"requests":"8"`) {
		t.Errorf("after the first has left: %s", text)
	}
	if len(asked) != 1 || len(ended) != 0 {
		t.Errorf("the API was asked %d times for records, of which %d ended", len(asked), len(ended))
	}

	w.api.mu.Lock()
	w.api.revoked = true
	report.Total.Requests = 9
	w.api.answers["/usage"] = report
	w.api.mu.Unlock()
	news <- struct{}{}
	if text, ok := second(); ok {
		t.Errorf("with a token that was revoked: %s", text)
	}
	<-ended
	leaveToo()
	w.ui.pulses.mu.Lock()
	defer w.ui.pulses.mu.Unlock()
	if len(w.ui.pulses.by) != 0 {
		t.Errorf("%d pulses are left", len(w.ui.pulses.by))
	}
}
