package lookalike

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
)

// Routes are the paths below which everything is served here.
var Routes = []string{"/v1/organization", "/v1/organizations", "/key", "/team", "/user", "/budget", "/spend", "/global"}

// API answers the routes.
type API struct {
	admin http.Handler // the node's own admin API
	now   func() time.Time
}

// New returns an API that asks the node's own.
func New(admin http.Handler, now func() time.Time) *API { return &API{admin: admin, now: now} }

// Handler returns the routes.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	a.openai(mux)
	a.anthropic(mux)
	a.litellm(mux)
	return mux
}

// inner carries requests to the node's own API, in this process.
type inner struct {
	to      http.Handler
	address string // of whom it is for
}

// RoundTrip implements http.RoundTripper.
func (i inner) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr, r.RequestURI = i.address, r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	i.to.ServeHTTP(w, r)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer keeps what the node's own API writes.
type answer struct {
	header http.Header
	status int
	begun  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	if !w.begun {
		w.begun, w.status = true, status
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	w.begun = true
	return w.body.Write(b)
}

// client asks in the name of a request's sender.
func (a *API) client(r *http.Request, token string) *admin.Client {
	return &admin.Client{URL: "http://node", Token: token, HTTP: &http.Client{Transport: inner{a.admin, r.RemoteAddr}}}
}

// bearer is the token of a request: as a bearer token, or in one of some headers.
func bearer(r *http.Request, headers ...string) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	for _, h := range headers {
		if token := r.Header.Get(h); token != "" {
			return strings.TrimPrefix(token, "Bearer ")
		}
	}
	return ""
}

// faultOf is an error as the admin API would tell it.
func faultOf(err error) *admin.Fault {
	var f *admin.Fault
	if errors.As(err, &f) {
		return f
	}
	return &admin.Fault{Status: http.StatusInternalServerError, Code: "internal", Message: "the node could not do this; its log says why"}
}

// tell adds the headers that go with a fault.
func tell(w http.ResponseWriter, f *admin.Fault) {
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
}

// maxBody bounds a request's body, as the admin API does.
const maxBody = 1 << 20

func write(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, `{"error":{"message":"the answer could not be encoded"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away is no fault of ours
}

// only refuses parameters that a route does not have.
func only(q url.Values, names ...string) error {
	for name := range q {
		found := false
		for _, n := range names {
			found = found || name == n || name == n+"[]"
		}
		if !found {
			return admin.Invalid(fmt.Sprintf("the parameter %q is not served here; there are %s", name, strings.Join(names, ", ")))
		}
	}
	return nil
}

// list is a parameter that may be there several times, with or without brackets,
// or with commas.
func list(q url.Values, name string) (out []string) {
	for _, v := range append(q[name], q[name+"[]"]...) {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}
