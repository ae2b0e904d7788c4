package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Keys are the virtual keys of the cluster.
type Keys interface {
	CreateKey(context.Context, NewKey) (CreatedKey, error)
	RevokeKey(ctx context.Context, id string) (Key, error)
	ListKeys(context.Context) ([]Key, error)
}

// Budgets are the rules of the ledger and their accounts.
type Budgets interface {
	PutBudget(context.Context, Budget) (Budget, error)
	DeleteBudget(ctx context.Context, id string) error
	// ReleaseBudget gives back what a restore withheld of a budget.
	ReleaseBudget(ctx context.Context, id string) error
	ShowBudgets(ctx context.Context, id string, how Read) ([]BudgetDetail, Age, error) // every budget for ""
}

// Reports answer questions about what was used and how the node is.
type Reports interface {
	Usage(context.Context, UsageQuery) (UsageReport, error)
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
	Keys    Keys
	Budgets Budgets
	Objects Objects

	Credentials Credentials
	Reports     Reports
	Cluster     Cluster
}

// API serves the admin routes.
type API struct {
	Parts
	Log *slog.Logger

	tokenHash [sha256.Size]byte
}

// New returns an API that asks for the given bearer token, which must not be empty.
func New(token string, parts Parts, log *slog.Logger) (*API, error) {
	if token == "" {
		return nil, errors.New("the admin token is empty: set admin.token in the configuration or PURSER_ADMIN_TOKEN")
	}
	return &API{Parts: parts, Log: log, tokenHash: sha256.Sum256([]byte(token))}, nil
}

// Handler returns the routes under /admin/v1, authenticated.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /admin/v1/keys", a.createKey)
	mux.HandleFunc("GET /admin/v1/keys", a.listKeys)
	mux.HandleFunc("POST /admin/v1/keys/{id}/revoke", a.revokeKey)
	mux.HandleFunc("PUT /admin/v1/budgets/{id}", a.putBudget)
	mux.HandleFunc("GET /admin/v1/budgets", a.listBudgets)
	mux.HandleFunc("GET /admin/v1/budgets/{id}", a.showBudget)
	mux.HandleFunc("DELETE /admin/v1/budgets/{id}", a.deleteBudget)
	mux.HandleFunc("POST /admin/v1/budgets/{id}/release", a.releaseBudget)
	mux.HandleFunc("GET /admin/v1/usage", a.usage)
	mux.HandleFunc("GET /admin/v1/status", a.status)
	mux.HandleFunc("GET /admin/v1/backup", a.backup)
	mux.HandleFunc("GET /admin/v1/cluster", a.members)
	mux.HandleFunc("POST /admin/v1/cluster/tokens", a.newToken)
	mux.HandleFunc("POST /admin/v1/cluster/nodes/{id}/{change}", a.changeNode)
	a.objectRoutes(mux)
	a.credentialRoutes(mux)
	mux.HandleFunc("/admin/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, NotFound("no such admin route: "+r.Method+" "+r.URL.Path))
	})
	return a.Authenticated(mux)
}

// Authenticated asks for the admin token before next.
func (a *API) Authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if !ok || subtle.ConstantTimeCompare(got[:], a.tokenHash[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			a.fail(w, r, &Fault{Status: http.StatusUnauthorized, Code: "unauthorized",
				Message: "send the admin token as `Authorization: Bearer <token>`"})
			return
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		next.ServeHTTP(w, r.WithContext(WithActor(r.Context(), Actor{Name: "root", Address: host})))
	})
}

func (a *API) createKey(w http.ResponseWriter, r *http.Request) {
	var in NewKey
	if !a.read(w, r, &in) {
		return
	}
	key, err := a.Keys.CreateKey(r.Context(), in)
	a.reply(w, r, http.StatusCreated, key, err)
}

func (a *API) listKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := a.Keys.ListKeys(r.Context())
	a.reply(w, r, http.StatusOK, map[string]any{"keys": keys}, err)
}

func (a *API) revokeKey(w http.ResponseWriter, r *http.Request) {
	key, err := a.Keys.RevokeKey(r.Context(), r.PathValue("id"))
	a.reply(w, r, http.StatusOK, key, err)
}

func (a *API) putBudget(w http.ResponseWriter, r *http.Request) {
	var in Budget
	if !a.read(w, r, &in) {
		return
	}
	id := r.PathValue("id")
	if in.ID != "" && in.ID != id {
		a.fail(w, r, Invalid("the body names budget "+strconv.Quote(in.ID)+", the path "+strconv.Quote(id)))
		return
	}
	in.ID = id
	out, err := a.Budgets.PutBudget(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) listBudgets(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Budgets.ShowBudgets(r.Context(), "", how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, map[string]any{"budgets": list}, err)
}

func (a *API) showBudget(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Budgets.ShowBudgets(r.Context(), id, how)
	age.tell(w)
	if err == nil && len(list) == 0 {
		err = NotFound("no budget " + strconv.Quote(id))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.reply(w, r, http.StatusOK, list[0], nil)
}

func (a *API) deleteBudget(w http.ResponseWriter, r *http.Request) {
	if err := a.Budgets.DeleteBudget(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) releaseBudget(w http.ResponseWriter, r *http.Request) {
	if err := a.Budgets.ReleaseBudget(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) usage(w http.ResponseWriter, r *http.Request) {
	q, fault := parseUsageQuery(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, err := a.Reports.Usage(r.Context(), q)
	a.reply(w, r, http.StatusOK, out, err)
}

func parseUsageQuery(r *http.Request) (UsageQuery, *Fault) {
	v := r.URL.Query()
	q := UsageQuery{From: v.Get("from"), To: v.Get("to"), Filter: map[string]string{}}
	for name := range v {
		switch name {
		case "from", "to", "group", "filter", "limit":
		default:
			return q, Invalid("unknown parameter " + strconv.Quote(name) + "; known are from, to, group, filter, limit")
		}
	}
	for _, g := range v["group"] {
		q.Group = append(q.Group, strings.Split(g, ",")...)
	}
	for _, f := range v["filter"] {
		name, value, ok := strings.Cut(f, ":")
		if name == "tag" {
			var rest string
			rest, value, ok = strings.Cut(value, ":")
			name = "tag:" + rest
		}
		if !ok {
			return q, Invalid("filter " + strconv.Quote(f) + " is not <dimension>:<value>")
		}
		q.Filter[name] = value
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, Invalid("limit " + strconv.Quote(s) + " is not a positive number")
		}
		q.Limit = n
	}
	return q, nil
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
	writeJSON(w, f.Status, Problem{Error: ProblemDetail{Code: f.Code, Message: f.Message}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, `{"error":{"code":"internal","message":"the answer could not be encoded"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away is no fault of ours
}
