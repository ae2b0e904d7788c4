package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"purser/internal/access"
)

// Keys are the virtual keys of the cluster.
type Keys interface {
	CreateKey(context.Context, NewKey) (CreatedKey, error)
	RevokeKey(ctx context.Context, id string) (Key, error)
	// ListKeys lists every key for "", else the one whose secret has this SHA-256.
	ListKeys(ctx context.Context, hash string) ([]Key, error)
	KeyLife
}

// Reports answer questions about what was used and how the node is.
type Reports interface {
	Usage(context.Context, UsageQuery) (UsageReport, error)
	// Records writes the records that a query selects, one JSON object a line, in the
	// order that it says. Before the first of them it tells whose they are.
	Records(ctx context.Context, q UsageQuery, tell func([]NodeAnswer), w io.Writer) error
	Status(ctx context.Context, how Read) (Status, Age, error)
	// Backup writes the whole replicated state.
	Backup(ctx context.Context, w io.Writer) error
}

// Cluster is who belongs to the cluster.
type Cluster interface {
	Members(ctx context.Context, how Read) (Members, Age, error)
	NewToken(context.Context, NewToken) (Token, error)
	// ChangeNode drains, resumes, removes or fences a node, or has it lead.
	ChangeNode(ctx context.Context, id string, change NodeChange) error
}

// Read says how new an answer must be.
type Read int

// The reads.
const (
	// Linearizable: everything that was acknowledged before the question, on any
	// node, is in the answer.
	Linearizable Read = iota
	// Stale: what this node knows, however old.
	Stale
)

// Age is how old an answer may be: 0 for a linearizable one, else the time since
// the node last heard from a leader.
type Age time.Duration

// NodeChange is what can be done to a node.
type NodeChange string

// The changes of a node.
const (
	DrainNode  NodeChange = "drain"  // it takes no requests and returns its leases
	ResumeNode NodeChange = "resume" // the end of that
	RemoveNode NodeChange = "remove" // it leaves for good
	FenceNode  NodeChange = "fence"  // it is dead for good: what it holds is written off
	LeadNode   NodeChange = "lead"   // it takes over leadership
)

// Fault is an error with the status and code to answer with.
type Fault struct {
	Status  int
	Code    string
	Message string
	// RetryAfter is when to ask again; 0: it does not say.
	RetryAfter time.Duration
}

// Error implements error.
func (f *Fault) Error() string { return f.Message }

// Invalid is a Fault for input that cannot be accepted.
func Invalid(message string) *Fault {
	return &Fault{Status: http.StatusBadRequest, Code: "invalid_request", Message: message}
}

// NotFound is a Fault for something that is not there.
func NotFound(message string) *Fault {
	return &Fault{Status: http.StatusNotFound, Code: "not_found", Message: message}
}

// Conflict is a Fault for a change the present state does not allow.
func Conflict(message string) *Fault {
	return &Fault{Status: http.StatusConflict, Code: "conflict", Message: message}
}

// Undecided is a Fault for a change whose outcome is not known; ask again.
func Undecided(message string) *Fault {
	return &Fault{Status: http.StatusServiceUnavailable, Code: "undecided", Message: message}
}

// maxBody bounds a request body: the largest sensible budget or key is a few kilobytes.
const maxBody = 1 << 20

// Parts are what the routes ask.
type Parts struct {
	Keys     Keys
	Budgets  Budgets
	Raises   Raises
	Breakers Breakers
	Loops    Loops
	Objects  Objects
	Policies Policies
	Routing  Routing
	Semcache Semcache
	Learning Learning
	Caches   Caches

	Credentials Credentials
	Reports     Reports
	Exports     Exports
	Requests    Requests
	Live        Live
	Efficiency  Efficiency
	Outcomes    Outcomes
	Economics   Economics
	Adjustments Adjustments
	Cluster     Cluster

	Hierarchy Hierarchy
	Tokens    Tokens
	Attempts  Attempts
	People    People // nil: there is no identity provider
	Logins    Logins // with People, or neither
	// Origin is that of the node's pages, such as https://purser.example.com: where
	// changes by a browser's session come from.
	Origin string
	Now    func() time.Time // default time.Now
	Alerts Alerts

	Anomalies Anomalies
	Forecasts Forecasts

	Statements Statements
	Audit      Audit
}

// API serves the admin routes.
type API struct {
	Parts
	Log *slog.Logger

	rootHash  [sha256.Size]byte
	guessable bool // the configured token is a short one
}

// New returns an API. token is the configured one, of root, and must not be empty.
func New(token string, parts Parts, log *slog.Logger) (*API, error) {
	switch {
	case token == "":
		return nil, errors.New("the admin token is empty: set admin.token in the configuration or PURSER_ADMIN_TOKEN")
	case parts.Keys == nil || parts.Budgets == nil || parts.Objects == nil || parts.Reports == nil || parts.Exports == nil || parts.Requests == nil || parts.Cluster == nil || parts.Hierarchy == nil || parts.Tokens == nil || parts.Attempts == nil:
		return nil, errors.New("a part of the admin API is missing")
	case (parts.People == nil) != (parts.Logins == nil):
		return nil, errors.New("people and their logins go together")
	}
	if parts.Now == nil {
		parts.Now = time.Now
	}
	return &API{Parts: parts, Log: log, rootHash: sha256.Sum256([]byte(token)), guessable: len(token) < StrongToken}, nil
}

func (a *API) createKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	var in NewKey
	if !a.read(w, r, &in) {
		return
	}
	if fault := a.mayBind(reach, in.Bound); fault != nil {
		a.fail(w, r, fault)
		return
	}
	key, err := a.Keys.CreateKey(r.Context(), in)
	a.reply(w, r, http.StatusCreated, key, err)
}

func (a *API) listKeys(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	keys, err := a.Keys.ListKeys(r.Context(), r.URL.Query().Get("sha256"))
	keys = slices.DeleteFunc(keys, func(k Key) bool { return !a.owns(reach, k.Bound) })
	a.reply(w, r, http.StatusOK, map[string]any{"keys": keys}, err)
}

func (a *API) revokeKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	if _, err := a.keyWithin(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	key, err := a.Keys.RevokeKey(r.Context(), r.PathValue("id"))
	a.reply(w, r, http.StatusOK, key, err)
}

func (a *API) status(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, age, err := a.Reports.Status(r.Context(), how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, out, err)
}

// read decodes a strict JSON body, and answers the client itself when it cannot.
func (a *API) read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err == nil {
		return true
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		a.fail(w, r, &Fault{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the body is larger than 1 MiB"})
		return false
	}
	a.fail(w, r, Invalid("the body is not the JSON object this route takes: "+err.Error()))
	return false
}

func (a *API) reply(w http.ResponseWriter, r *http.Request, status int, body any, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, status, body)
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var f *Fault
	if !errors.As(err, &f) {
		a.Log.ErrorContext(r.Context(), "admin request failed", slog.String("route", r.Method+" "+r.Pattern), slog.Any("error", err))
		f = &Fault{Status: http.StatusInternalServerError, Code: "internal", Message: "the node could not do this; its log says why"}
	}
	f.challenge(w.Header())
	writeJSON(w, f.Status, Problem{Error: ProblemDetail{Code: f.Code, Message: f.Message}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is read in terminals, and is no HTML
	if err := e.Encode(body); err != nil {
		http.Error(w, `{"error":{"code":"internal","message":"the answer could not be encoded"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that went away is no fault of ours
}
