package simprovider

import (
	"strconv"
	"strings"
	"sync"
)

// maxKept bounds the responses that are kept, and the items of them.
const maxKept = 4096

// keptResponse is what the provider keeps of a response, or of one of its items.
type keptResponse struct {
	body   string // the response as it was answered; "" for an item
	prompt string // of the request, and what was said
	tokens int64  // of prompt
	item   string // the text of an item
}

// keptResponses are the responses of each key that asked for them to be kept.
type keptResponses struct {
	mu    sync.Mutex
	byID  map[string]*keptResponse // by key and id
	order []string
}

func (k *keptResponses) put(key, id string, r *keptResponse) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil {
		k.byID = map[string]*keptResponse{}
	}
	if k.byID[key+" "+id] == nil {
		k.order = append(k.order, key+" "+id)
	}
	k.byID[key+" "+id] = r
	for len(k.order) > maxKept {
		delete(k.byID, k.order[0])
		k.order = k.order[1:]
	}
}

func (k *keptResponses) get(key, id string) *keptResponse {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[key+" "+id]
}

func (k *keptResponses) remove(key, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byID, key+" "+id)
}

// keepResponse keeps the response and its items, if the request lets it.
func (x *call) keepResponse(body []byte) {
	if !x.reply.store {
		return
	}
	var prompt strings.Builder
	tokens := int64(0)
	for _, s := range x.gen.prompt {
		prompt.WriteString(s.text)
		tokens += s.tokens
	}
	key := x.account.fingerprint
	for _, it := range x.items() {
		said := &keptResponse{item: it.kind}
		if it.part != nil {
			said.item = string(it.part.text)
		}
		prompt.WriteString(said.item)
		tokens += x.p.count(said.item)
		x.p.responses.put(key, it.id, said)
	}
	x.p.responses.put(key, "resp_"+x.id, &keptResponse{body: string(body), prompt: prompt.String(), tokens: tokens})
}

// serveKept answers questions about a response that is kept: read it, delete
// it, stop it.
func (x *call) serveKept(method, path string) *apiError {
	id, action, _ := strings.Cut(path, "/")
	key := x.account.fingerprint
	kept := x.p.responses.get(key, id)
	if kept == nil || kept.body == "" {
		return &apiError{status: 404, kind: "invalid_request_error", message: "Response with id '" + id + "' not found."}
	}
	b := x.body[:0]
	switch method + " " + action {
	case "GET ":
		b = append(b, kept.body...)
	case "GET input_items":
		b = append(b, `{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}`...)
	case "DELETE ":
		x.p.responses.remove(key, id)
		b = append(b, `{"id":`+strconv.Quote(id)+`,"object":"response","deleted":true}`...)
	case "POST cancel":
		return invalid("", "", "Cannot cancel a synchronous response.")
	default:
		return &apiError{status: 405, kind: "invalid_request_error", code: "method_not_supported", allow: "GET, DELETE",
			message: "Not allowed to " + method + " on /v1/responses/" + path + "."}
	}
	x.body = b
	x.w.head(200, "application/json")
	x.d.headers(x)
	x.w.body(b)
	return nil
}
