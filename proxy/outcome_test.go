package proxy

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"purser/ledger"
	"purser/proxy/dialect"
)

// heard remembers the calls that report outcomes.
type heard struct {
	calls  []OutcomeCall
	status int
	refuse *dialect.Error
}

// Report implements Outcomes.
func (h *heard) Report(_ context.Context, o Outcome) (int64, bool, *dialect.Error) {
	return o.Quality, true, h.refuse
}

// Take implements Outcomes.
func (h *heard) Take(_ context.Context, c OutcomeCall) (int, any, *dialect.Error) {
	h.calls = append(h.calls, c)
	return h.status, map[string]string{"object": "outcome"}, h.refuse
}

// TestOutcomesComeInTheirForms: each route with whom it speaks for, and the short form as
// it always was. None leaves a usage record.
func TestOutcomesComeInTheirForms(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") }, nil)
	h := &heard{status: 200}
	w.gateway.seams.Outcomes = h
	w.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Bound: ledger.Dimensions{Values: [ledger.NumDims]string{ledger.DimOrg: "acme"}}}, KeyActive}
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, c := range map[string]struct {
		path, body, auth, signature string
		form                        OutcomeForm
		key                         string
	}{
		"one":                      {"/v1/outcomes", `{"id":"a"}`, "Bearer pk_good", "", PlainOutcomes, "k1"},
		"a list":                   {"/v1/outcomes", `[]`, "Bearer pk_good", "", PlainOutcomes, "k1"},
		"what cannot be read":      {"/v1/outcomes", `{`, "Bearer pk_good", "", PlainOutcomes, "k1"},
		"an id and a request":      {"/v1/outcomes", `{"id":"a","request_id":"req_1"}`, "Bearer pk_good", "", PlainOutcomes, "k1"},
		"a form of Stripe's":       {"/v1/outcomes/stripe", `event_name=x`, basic("pk_good:"), "", StripeMeter, "k1"},
		"an event of Stripe's":     {"/v1/outcomes/stripe", `{}`, "", "t=1,v1=00", StripeEvent, ""},
		"an event with a key":      {"/v1/outcomes/stripe", `{}`, "Bearer pk_good", "t=1,v1=00", StripeEvent, ""},
		"a score of Langfuse's":    {"/v1/outcomes/langfuse", `{}`, basic("pk-lf-public:pk_good"), "", LangfuseScore, "k1"},
		"a signature for no event": {"/v1/outcomes", `{"id":"a"}`, "Bearer pk_good", "t=1,v1=00", PlainOutcomes, "k1"},
	} {
		h.calls = nil
		headers := headerList{"Authorization", c.auth}
		if c.signature != "" {
			headers = append(headers, "Stripe-Signature", c.signature)
		}
		a, body := w.serve(&Request{Method: "POST", Path: c.path, Body: []byte(c.body), Header: headers})
		if a.Status != 200 || len(h.calls) != 1 {
			t.Errorf("%s: %d %s, %d calls", name, a.Status, body, len(h.calls))
			continue
		}
		got := h.calls[0]
		org := ""
		if c.key != "" {
			org = "acme"
		}
		if got.Form != c.form || got.Key != c.key || got.Org != org || string(got.Body) != c.body || c.form == StripeEvent && got.Signature != c.signature {
			t.Errorf("%s: %+v", name, got)
		}
	}
	h.calls = nil
	if a, body := w.send("POST", "/v1/outcomes", `{"request_id":"req_1","quality":0.5}`); a.Status != 200 || len(h.calls) != 0 || !strings.Contains(body, `"quality":0.5`) {
		t.Errorf("the short form: %d %s", a.Status, body)
	}
	for path, auth := range map[string]string{"/v1/outcomes": "", "/v1/outcomes/stripe": "Bearer pk_bad", "/v1/outcomes/langfuse": basic("pk_bad:pk_worse")} {
		if a, _ := w.serve(&Request{Method: "POST", Path: path, Body: []byte(`{}`), Header: headerList{"Authorization", auth}}); a.Status != 401 || len(h.calls) != 0 {
			t.Errorf("%s without a good key: %d", path, a.Status)
		}
	}
	h.status = http.StatusConflict
	if a, _ := w.send("POST", "/v1/outcomes", `{"id":"a"}`); a.Status != 409 || sent(a, "x-should-retry") != "false" {
		t.Errorf("a conflict is %d, and is to be sent again", a.Status)
	}
	if a, _ := w.send("POST", "/v1/outcomes", strings.Repeat(" ", maxOutcomes+1)); a.Status != 413 {
		t.Errorf("a body without end is %d", a.Status)
	}
	if n := len(w.journal.records); n != 0 {
		t.Errorf("%d usage records were left", n)
	}
}

// failures count those that failed.
type failures struct{ n int }

// Failed implements Attempts.
func (f *failures) Failed(netip.Addr, time.Time) time.Duration {
	if f.n++; f.n > 2 {
		return time.Minute
	}
	return 0
}

// TestForgedSignaturesSlowTheirAddress as unknown keys do.
func TestForgedSignaturesSlowTheirAddress(t *testing.T) {
	w := newWorld(t, nil, nil)
	h := &heard{refuse: dialect.NewError(dialect.CodeInvalidKey, "", "the signature is no good")}
	w.gateway.seams.Outcomes = h
	counts := &failures{}
	w.gateway.seams.Attempts = counts
	for range 3 {
		a, _ := w.serve(&Request{Method: "POST", Path: "/v1/outcomes/stripe", Body: []byte(`{}`), Header: headerList{"Stripe-Signature", "t=1,v1=00"}})
		if want := map[int]int{1: 401, 2: 401, 3: 429}[counts.n]; a.Status != want {
			t.Errorf("number %d is answered with %d, want %d", counts.n, a.Status, want)
		}
	}
	if counts.n != 3 {
		t.Errorf("%d of 3 were counted", counts.n)
	}
}
