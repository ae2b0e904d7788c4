package proxy

import (
	"container/list"
	"strings"
	"sync"

	"purser/proxy/dialect"
)

// maxKeptAnswers bounds the ids of answers that a node remembers: some tens of
// megabytes at the most. The oldest are forgotten first.
const maxKeptAnswers = 1 << 16

// keptAnswers knows whose the answers are that providers keep, by their ids and
// those of their parts: only who got an answer may take it up again, read it or
// delete it. It lives in the memory of one node; what it does not know belongs to
// nobody. Safe for concurrent use.
type keptAnswers struct {
	mu    sync.Mutex
	limit int
	byID  map[string]*list.Element
	order list.List // of keptAnswer, oldest first
}

type keptAnswer struct {
	id, tenant string
	asked      string // the model, as the client named it
	model      string // that this stood for
	up         *Upstream
	key        string // of the upstream's pool: another may be of another account
}

func newKeptAnswers(limit int) *keptAnswers {
	return &keptAnswers{limit: limit, byID: map[string]*list.Element{}}
}

// put remembers an answer. An id that is another tenant's stays theirs.
func (k *keptAnswers) put(a keptAnswer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID[a.id] != nil {
		return
	}
	k.byID[a.id] = k.order.PushBack(a)
	if k.order.Len() > k.limit {
		oldest := k.order.Remove(k.order.Front()).(keptAnswer)
		delete(k.byID, oldest.id)
	}
}

// get gives the answer of an id if it is the tenant's.
func (k *keptAnswers) get(id, tenant string) (keptAnswer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byID[id]
	if e == nil {
		return keptAnswer{}, false
	}
	a := e.Value.(keptAnswer)
	return a, a.tenant == tenant
}

// remember notes whose the answer is, if the provider keeps it.
func (x *exchange) remember(r *dialect.Report) {
	if x.call.Endpoint != dialect.Responses || !x.call.Store || r.ID == "" {
		return
	}
	a := keptAnswer{id: r.ID, tenant: x.tenant(), asked: x.rec.Model, model: x.call.Model, up: x.route_.up}
	if a.up.Pool != nil {
		a.key = x.attempt.key.id
	}
	x.g.kept.put(a)
	for _, a.id = range r.Kept {
		x.g.kept.put(a)
	}
}

// home is the upstream that keeps the answers which the call takes up; nil when
// it takes up none.
func (x *exchange) home() (*Upstream, *dialect.Error) {
	if x.endpoint.kind == dialect.Lookup {
		return x.route_.up, nil
	}
	var home *Upstream
	for _, r := range x.call.References {
		a, ok := x.g.kept.get(r.ID, x.tenant())
		if !ok || home != nil && (a.up != home || a.key != x.homeKey) {
			return nil, dialect.NewError(dialect.CodeUnknownPrevious, r.Param, "'%s' names an answer of which this node cannot show that it was given to this key. A node knows the answers it gave since it started: send the conversation itself as 'input' instead", r.Param)
		}
		home, x.homeKey = a.up, a.key
	}
	return home, nil
}

// decodeLookup reads a request about an answer that the provider keeps: GET and
// DELETE of it, GET of its input_items, POST of cancel.
func (x *exchange) decodeLookup() *dialect.Error {
	x.call.Reset()
	x.call.Endpoint, x.call.N = dialect.Lookup, 1
	id, action, _ := strings.Cut(strings.TrimPrefix(x.req.Path, x.endpoint.path), "/")
	switch x.req.Method + " " + action {
	case "GET ", "DELETE ", "GET input_items", "POST cancel":
	default:
		return noRoute(x.req.Method, x.req.Path)
	}
	a, ok := x.g.kept.get(id, x.tenant())
	if !ok {
		return dialect.NewError(dialect.CodeUnknownResponse, "", "this node cannot show that a response %s was given to this key: a node knows the responses it gave since it started", quotePath(id))
	}
	x.call.Model, x.rec.Model, x.kept = a.asked, a.asked, a.model
	x.route_.up, x.homeKey = a.up, a.key
	return nil
}

// lookupPath is the path upstream. It was checked to hold an id that a provider
// gave.
func (x *exchange) lookupPath() string { return strings.TrimPrefix(x.req.Path, "/v1") }
