package lookalike

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"purser/api/admin"
)

// litellmRoutes are the routes of LiteLLM's administration that are served.
// https://litellm-api.up.railway.app (its reference), docs.litellm.ai/docs/proxy
func (a *API) litellmRoutes() map[string]func(*session, *http.Request) (any, error) {
	return map[string]func(*session, *http.Request) (any, error){
		"POST /key/generate":         (*session).generateKey,
		"POST /key/update":           (*session).updateKey,
		"POST /key/delete":           (*session).deleteKeys,
		"POST /key/block":            (*session).blockKey,
		"POST /key/unblock":          (*session).unblockKey,
		"POST /key/regenerate":       (*session).regenerateKey,
		"POST /key/{key}/regenerate": (*session).regenerateKey,
		"GET /key/info":              (*session).keyInfo,
		"GET /key/list":              (*session).listKeys,
		"POST /team/new":             (*session).newTeam,
		"POST /team/update":          (*session).updateTeam,
		"POST /team/delete":          (*session).deleteTeams,
		"GET /team/info":             (*session).teamInfo,
		"GET /team/list":             (*session).listTeams,
		"POST /user/new":             (*session).newUser,
		"POST /user/update":          (*session).updateUser,
		"GET /user/info":             (*session).userInfo,
		"GET /user/list":             (*session).listUsers,
		"POST /budget/new":           (*session).newBudget,
		"POST /budget/update":        (*session).updateBudget,
		"POST /budget/info":          (*session).budgetInfo,
		"POST /budget/delete":        (*session).deleteBudget,
		"GET /budget/list":           (*session).listBudgets,
		"GET /spend/logs":            (*session).spendLogs,
		"GET /global/spend/report":   (*session).spendReport,
	}
}

// session is one request of LiteLLM's form on its way through the node's own API.
type session struct {
	*admin.Client
	ctx context.Context
	now time.Time
}

// litellm adds the routes.
func (a *API) litellm(mux *http.ServeMux) {
	for pattern, serve := range a.litellmRoutes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s := &session{Client: a.client(r, bearer(r, "x-litellm-api-key")), ctx: r.Context(), now: a.now()}
			out, err := serve(s, r)
			if err != nil {
				litellmError(w, err)
				return
			}
			write(w, http.StatusOK, out)
		})
	}
	for _, below := range []string{"/key/", "/team/", "/user/", "/budget/", "/spend/", "/global/"} {
		mux.HandleFunc(below, func(w http.ResponseWriter, r *http.Request) {
			litellmError(w, admin.NotFound("of LiteLLM's administration this is not served here; docs/lookalike.md has the routes that are"))
		})
	}
}

// litellmError answers as LiteLLM does.
func litellmError(w http.ResponseWriter, err error) {
	f := faultOf(err)
	kind := "bad_request_error"
	switch {
	case f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden:
		kind = "auth_error"
	case f.Status == http.StatusNotFound:
		kind = "not_found_error"
	case f.Status == http.StatusTooManyRequests:
		kind = "throttling_error"
	case f.Status >= http.StatusInternalServerError:
		kind = "internal_server_error"
	}
	tell(w, f)
	write(w, f.Status, map[string]any{"error": map[string]any{"message": f.Message, "type": kind, "param": nil, "code": fmt.Sprint(f.Status)}})
}

// newID is an id as LiteLLM makes them up: a UUID of version 4 (RFC 9562).
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// lifetime is when something that lasts so long from now ends: 30s, 30m, 24h, 30d or
// 1mo; "" where it never does.
func lifetime(duration string, now time.Time) (string, error) {
	if duration == "" || duration == "-1" {
		return "", nil
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(duration, "%d%s", &n, &unit); err != nil || n <= 0 || n > maxLife || fmt.Sprint(n, unit) != duration {
		return "", admin.Invalid("duration takes a number and s, m, h, d, w or mo, such as 30d, or -1 for ever")
	}
	const day = 24 * time.Hour
	end, ok := map[string]time.Time{
		"s": now.Add(time.Duration(n) * time.Second), "m": now.Add(time.Duration(n) * time.Minute), "h": now.Add(time.Duration(n) * time.Hour),
		"d": now.Add(time.Duration(n) * day), "w": now.Add(time.Duration(n) * 7 * day), "mo": now.AddDate(0, n, 0),
	}[unit]
	if !ok || end.Year() > lastYear {
		return "", admin.Invalid("duration takes a number and s, m, h, d, w or mo, such as 30d, or -1 for ever")
	}
	return end.UTC().Format(time.RFC3339), nil
}

const (
	maxLife  = 1 << 20 // of any unit; beyond it products would overflow
	lastYear = 2200    // nanoseconds since 1970 fit until 2262
)

// undo is what has been done, for as long as it may have to be undone.
type undo []func() error

// back undoes all, the last first, and adds what went wrong to the reason for it.
func (u undo) back(because error) error {
	for i := len(u) - 1; i >= 0; i-- {
		if err := u[i](); err != nil {
			f := *faultOf(because)
			f.Message += "; and what was made before could not be undone: " + faultOf(err).Message
			because = &f
		}
	}
	return because
}

// secretLike says that a text is a key's secret, and goes into no path and no message.
func secretLike(text string) bool {
	return strings.HasPrefix(text, "sk-") || strings.HasPrefix(text, "pk_")
}
