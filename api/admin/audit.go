package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Audit is who changed what, and what policies refused.
type Audit interface {
	// AuditTrail writes the entries that are asked for, in their order, one to a line.
	AuditTrail(ctx context.Context, q AuditQuery, how Read, w io.Writer) error
	// AuditHead says how far the trail goes, here and at the other members.
	AuditHead(ctx context.Context, how Read) (AuditHead, Age, error)
}

// The formats of entries.
const (
	AuditJSON = "jsonl" // what can be verified
	AuditCEF  = "cef"
)

// AuditQuery asks for entries. The zero query asks for all there are.
type AuditQuery struct {
	After    uint64 // entries after this one
	From, To string // RFC 3339: not before, and before
	// Action, Actor and Target, where not "", are what those of an entry are to be; one
	// that ends with "*" is how it is to begin.
	Action, Actor, Target string
	Last                  int    // only as many, the last ones; 0 for all
	Format                string // default jsonl
}

// MaxAuditLast bounds [AuditQuery].Last.
const MaxAuditLast = 10_000

// AuditHead is how far the audit trail goes. Heads are written "<entry>:<hash>".
type AuditHead struct {
	Node    string        `json:"node"`
	Head    string        `json:"head"`    // of the last entry
	After   string        `json:"after"`   // what the first entry on this node's disk follows: "0:00…" where it has all
	Stored  uint64        `json:"stored"`  // the last entry on this node's disk
	Aside   int           `json:"aside"`   // entries that were on its disk and are not of the trail
	Members []AuditMember `json:"members"` // the others
}

// AuditMember compares another member's trail with that of the node that was asked.
type AuditMember struct {
	Node   string `json:"node"`
	Head   string `json:"head,omitempty"`
	After  uint64 `json:"after,omitempty"`
	Agrees bool   `json:"agrees"`           // its head is this node's at that entry
	Reason string `json:"reason,omitempty"` // why it does not
}

// auditType is the media type of entries, by format.
var auditType = map[string]string{AuditJSON: "application/x-ndjson", AuditCEF: "text/plain; charset=utf-8"}

func (a *API) auditTrail(w http.ResponseWriter, r *http.Request) {
	q, how, fault := parseAuditQuery(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	a.lines(w, r, auditType[q.Format], "entries of the audit trail", func(out io.Writer) error {
		return a.Audit.AuditTrail(r.Context(), q, how, out)
	})
}

func parseAuditQuery(r *http.Request) (q AuditQuery, how Read, fault *Fault) {
	v := r.URL.Query()
	for name := range v {
		if !slices.Contains([]string{"after", "from", "to", "action", "actor", "target", "last", "format", "stale"}, name) {
			return q, how, Invalid("unknown parameter " + strconv.Quote(name) + "; known are after, from, to, action, actor, target, last, format, stale")
		}
	}
	q = AuditQuery{From: v.Get("from"), To: v.Get("to"), Action: v.Get("action"), Actor: v.Get("actor"), Target: v.Get("target"), Format: v.Get("format")}
	if q.Format == "" {
		q.Format = AuditJSON
	}
	if auditType[q.Format] == "" {
		return q, how, Invalid("format " + strconv.Quote(q.Format) + " is neither jsonl nor cef")
	}
	var err error
	if s := v.Get("after"); s != "" {
		if q.After, err = strconv.ParseUint(s, 10, 64); err != nil {
			return q, how, Invalid("after " + strconv.Quote(s) + " is not the number of an entry")
		}
	}
	if s := v.Get("last"); s != "" {
		if q.Last, err = strconv.Atoi(s); err != nil || q.Last < 1 || q.Last > MaxAuditLast {
			return q, how, Invalid(fmt.Sprintf("last %q is not a number from 1 to %d", s, MaxAuditLast))
		}
	}
	how, fault = readOf(r)
	return q, how, fault
}

func (a *API) auditHead(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, age, err := a.Audit.AuditHead(r.Context(), how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, out, err)
}

// AuditTrail has read called with the entries that are asked for as they come, for as
// long as ctx lets it.
func (c *Client) AuditTrail(ctx context.Context, q AuditQuery, read func(io.Reader) error) error {
	v := url.Values{}
	for name, value := range map[string]string{"from": q.From, "to": q.To, "action": q.Action, "actor": q.Actor, "target": q.Target, "format": q.Format} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.After > 0 {
		v.Set("after", strconv.FormatUint(q.After, 10))
	}
	if q.Last > 0 {
		v.Set("last", strconv.Itoa(q.Last))
	}
	if c.Read == Stale {
		v.Set("stale", "ok")
	}
	return c.stream(ctx, "/audit?"+v.Encode(), read)
}

// AuditHead asks how far the trail goes.
func (c *Client) AuditHead(ctx context.Context) (out AuditHead, err error) {
	err = c.call(ctx, http.MethodGet, "/audit/head"+c.how(), nil, &out)
	return out, err
}
