package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"purser/api/admin"
)

const (
	// shownEntries is how many entries a page has unless it is asked for others.
	shownEntries = 50
	// mostEntries bounds the entries of one page.
	mostEntries = 500
)

// entry is one entry of the audit trail.
type entry struct {
	Seq     uint64          `json:"seq"`
	At      string          `json:"at"`
	Node    string          `json:"node"`
	Actor   string          `json:"actor"`
	Address string          `json:"address"`
	Action  string          `json:"action"`
	Target  string          `json:"target"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	Result  string          `json:"result"`
	Count   uint64          `json:"count"`
	Hash    string          `json:"hash"`

	Was, Is string // before and after, indented
}

type auditView struct {
	Entries []entry
	Find    *auditQuery
	Wrong   string // what the API said of the query
	Head    *admin.AuditHead
	Agree   bool // every other member's trail is this one
	More    bool // there may be others
	Last    int
	Actions []string
}

// auditQuery is what is looked for, as it was written.
type auditQuery struct{ Actor, Action, Target, From, To string }

// auditPage shows the last entries that are looked for, the latest first, and how far
// the members agree on the trail.
func auditPage(c *Call) error {
	v := auditView{Find: &auditQuery{c.Q.Get("actor"), c.Q.Get("action"), c.Q.Get("target"), c.Q.Get("from"), c.Q.Get("to")}, Last: shownEntries, Agree: true}
	if n, err := strconv.Atoi(c.Q.Get("last")); err == nil && n > 0 {
		v.Last = min(n, mostEntries)
	}
	q := url.Values{"last": {strconv.Itoa(v.Last)}}
	for name, value := range map[string]string{"actor": v.Find.Actor, "action": v.Find.Action, "target": v.Find.Target, "from": v.Find.From, "to": v.Find.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	err := c.Lines("/audit", q, func(line json.RawMessage) error {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		e.Was, e.Is = indentedUnlessNone(e.Before), indentedUnlessNone(e.After)
		v.Entries = append(v.Entries, e)
		return nil
	})
	status := http.StatusOK
	if f := new(*fault); errors.As(err, f) && (*f).status == http.StatusBadRequest {
		v.Wrong, status, err = (*f).message, http.StatusBadRequest, nil
	}
	if err != nil {
		return err
	}
	v.More = len(v.Entries) == v.Last && v.Last < mostEntries
	slices.Reverse(v.Entries)
	var head admin.AuditHead
	if err := c.Get("/audit/head", nil, &head); err != nil {
		return err
	}
	v.Head = &head
	for _, m := range head.Members {
		v.Agree = v.Agree && m.Agrees
	}
	v.Actions = []string{"budget.*", "key.*", "policy.*", "policy.denied", "route.*", "prompt.*", "node.*", "token.*", "webhook.*"}
	return c.RenderAs(status, "audit", "Audit", &v)
}

func indentedUnlessNone(x json.RawMessage) string {
	if len(x) == 0 || string(x) == "null" {
		return ""
	}
	return indented(x)
}
