package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ageHeader says how old an answer may be, in seconds.
const ageHeader = "X-Purser-Age"

func (a Age) tell(w http.ResponseWriter) {
	w.Header().Set(ageHeader, strconv.FormatFloat(time.Duration(a).Seconds(), 'f', 3, 64))
}

// readOf reads ?stale=ok.
func readOf(r *http.Request) (Read, *Fault) {
	switch v := r.URL.Query().Get("stale"); v {
	case "":
		return Linearizable, nil
	case "ok":
		return Stale, nil
	default:
		return Linearizable, Invalid("stale=" + strconv.Quote(v) + " is not stale=ok")
	}
}

func (a *API) members(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, age, err := a.Cluster.Members(r.Context(), how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) newToken(w http.ResponseWriter, r *http.Request) {
	var in NewToken
	if !a.read(w, r, &in) {
		return
	}
	out, err := a.Cluster.NewToken(r.Context(), in)
	a.reply(w, r, http.StatusCreated, out, err)
}

func (a *API) changeNode(w http.ResponseWriter, r *http.Request) {
	change := NodeChange(r.PathValue("change"))
	switch change {
	case DrainNode, ResumeNode, RemoveNode, FenceNode, LeadNode:
	default:
		a.fail(w, r, NotFound(fmt.Sprintf("a node cannot be %q; known are drain, resume, remove, fence and lead", change)))
		return
	}
	if err := a.Cluster.ChangeNode(r.Context(), r.PathValue("id"), change); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
