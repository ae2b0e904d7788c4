package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"purser/api/admin"
)

// Call is one request for a page, of somebody known. It is used by one goroutine, which may
// have several ask the API.
type Call struct {
	W   http.ResponseWriter
	R   *http.Request
	Q   url.Values // of the URL
	Who admin.Whoami
	Now time.Time

	u     *UI
	flash []flash
}

// fault is what a page says when it cannot be shown.
type fault struct {
	status  int
	code    string // of the API, "" for our own
	message string
}

// Error implements error.
func (f *fault) Error() string { return f.message }

func notFound(message string) error {
	return &fault{status: http.StatusNotFound, code: "not_found", message: message}
}

func invalid(message string) error {
	return &fault{status: http.StatusBadRequest, code: "invalid_request", message: message}
}

// absent says that the API has no such thing, not as this node is set up, or not for this
// reader: a part of a page is left out then.
func absent(err error) bool {
	var f *fault
	return errors.As(err, &f) && (f.status == http.StatusNotFound || f.status == http.StatusForbidden || f.status == http.StatusConflict)
}

// page serves a page to somebody known; others are shown the login.
func (u *UI) page(serve func(*Call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &Call{W: w, R: r, Q: r.URL.Query(), Now: u.Now(), u: u}
		err := c.Get("/whoami", nil, &c.Who)
		known := err == nil
		if known {
			c.takeFlash()
			err = serve(c)
		}
		var f *fault
		switch {
		case err == nil:
		case errors.As(err, &f) && f.status == http.StatusUnauthorized:
			u.askLogin(w, r, f)
		case known:
			f = u.told(r, err)
			u.render(w, r, f.status, "problem", c.view(f.title(), f))
		default:
			u.problem(w, r, err)
		}
	})
}

// problem shows what went wrong to anybody.
func (u *UI) problem(w http.ResponseWriter, r *http.Request, err error) {
	f := u.told(r, err)
	u.render(w, r, f.status, "problem", u.view(r, f.title(), f))
}

// told is what a reader is told of an error. What is no fault is for the log.
func (u *UI) told(r *http.Request, err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	u.Log.ErrorContext(r.Context(), "a page of the dashboard could not be made", slog.String("path", r.URL.Path), slog.Any("error", err))
	return &fault{status: http.StatusInternalServerError, code: "internal", message: "The page could not be made. The node's log says why."}
}

func (f *fault) title() string { return fmt.Sprintf("%d %s", f.status, http.StatusText(f.status)) }

// Status is the HTTP status, for the page that shows it.
func (f *fault) Status() int { return f.status }

// Code is the API's, "" for our own.
func (f *fault) Code() string { return f.code }

// Message says what is wrong.
func (f *fault) Message() string { return f.message }

// Advice says what a reader can do about it.
func (f *fault) Advice() string { return advice(f.status) }

// advice says what a reader can do about a status.
func advice(status int) string {
	switch status {
	case http.StatusForbidden:
		return "Your role does not include this. Ask an owner for a role or a token that does."
	case http.StatusNotFound:
		return "It may have been deleted, or the address has a typing error. The navigation leads to everything you may see."
	case http.StatusConflict:
		return "Somebody else changed it meanwhile. Reload the page and make your change again."
	case http.StatusTooManyRequests:
		return "Wait a little and try again."
	case http.StatusServiceUnavailable:
		return "The cluster cannot decide this at the moment. Try again; the cluster page shows which nodes answer."
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return "Go back, correct the input and try again."
	}
	return "Try again. If it stays, the node's log has the reason."
}

// Can says whether the reader has a permission over anything.
func (c *Call) Can(permission string) bool {
	_, ok := c.Who.Permissions[permission]
	return ok
}

// CanAll says whether the reader has a permission over the whole cluster.
func (c *Call) CanAll(permission string) bool { return c.Who.Permissions[permission].All }

// Get asks the API: path is below /admin/v1. An error is a *fault where the API answered.
func (c *Call) Get(path string, q url.Values, out any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.Do(http.MethodGet, path, nil, out)
}

// Do asks the API for a change, with in as JSON unless it is nil. path is below /admin/v1.
func (c *Call) Do(method, path string, in, out any) error {
	return c.u.ask(c.R, method, path, nil, in, out)
}

// DoIf is Do with headers, such as If-Match.
func (c *Call) DoIf(method, path string, header http.Header, in, out any) error {
	return c.u.ask(c.R, method, path, header, in, out)
}

// atOnce bounds the questions of one page that are under way.
const atOnce = 4

// together asks several things at once, and says of each what went wrong. Each must write
// to places of its own.
func (c *Call) together(asks ...func(*Call) error) []error {
	errs := make([]error, len(asks))
	slots := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for i, ask := range asks {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if v := recover(); v != nil {
					errs[i] = fmt.Errorf("a question of a page panicked: %v\n%s", v, debug.Stack())
				}
			}()
			errs[i] = ask(c)
		})
	}
	asking.Wait()
	return errs
}

// Lines asks the API for a stream of JSON lines, and has each read.
func (c *Call) Lines(path string, q url.Values, each func(json.RawMessage) error) error {
	res, err := c.u.send(c.R, http.MethodGet, path+"?"+q.Encode(), nil, nil)
	if err != nil {
		return err
	}
	if err := faultOf(res); err != nil {
		return err
	}
	d := json.NewDecoder(&res.body)
	for {
		var line json.RawMessage
		if err := d.Decode(&line); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading an answer of the API: %w", err)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// askTime bounds one question to the API; the slowest, a wide usage query, takes seconds.
const askTime = 60 * time.Second

// ask sends one request to the API with the credential of r.
func (u *UI) ask(r *http.Request, method, path string, header http.Header, in, out any) error {
	res, err := u.send(r, method, path, header, in)
	if err != nil {
		return err
	}
	if err := faultOf(res); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(res.body.Bytes(), out); err != nil {
		return fmt.Errorf("reading an answer of the API: %w", err)
	}
	return nil
}

func (u *UI) send(r *http.Request, method, path string, header http.Header, in any) (*answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encoding a question to the API: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "/admin/v1"+path, bytes.NewReader(body))
	if err != nil {
		return nil, invalid("The address has a character that none may have.")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	u.lend(req, r)
	res := &answer{header: http.Header{}, status: http.StatusOK}
	if err := res.of(u.API, req); err != nil {
		return nil, err
	}
	return res, nil
}

// lend gives a request to the API what says who asks: the credential, where it came
// from, and which page.
func (u *UI) lend(to, from *http.Request) {
	to.RemoteAddr, to.Host, to.TLS = from.RemoteAddr, from.Host, from.TLS
	for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
		if v, ok := from.Header[name]; ok {
			to.Header[name] = v
		}
	}
	if token, ok := u.token(from); ok {
		to.Header.Set("Authorization", "Bearer "+token)
		return
	}
	if v, ok := from.Header["Cookie"]; ok {
		to.Header["Cookie"] = v
	}
}

// faultOf is what an answer of the API says is wrong, or nil.
func faultOf(res *answer) error {
	if res.status < http.StatusBadRequest {
		return nil
	}
	var p admin.Problem
	if err := json.Unmarshal(res.body.Bytes(), &p); err != nil || p.Error.Message == "" {
		p.Error.Message = http.StatusText(res.status)
	}
	return &fault{status: res.status, code: p.Error.Code, message: p.Error.Message}
}
