package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// trail is a node's audit trail that remembers what it was asked.
type trail struct {
	q      AuditQuery
	how    Read
	text   string
	err    error // after the text
	called int
}

func (a *trail) AuditTrail(_ context.Context, q AuditQuery, how Read, w io.Writer) error {
	a.q, a.how = q, how
	a.called++
	_, err := io.WriteString(w, a.text)
	return errors.Join(err, a.err)
}

func (a *trail) AuditHead(_ context.Context, how Read) (AuditHead, Age, error) {
	a.how = how
	return AuditHead{Node: "n1", Head: "3:ab", Members: []AuditMember{{Node: "n2", Agrees: true}}}, 0, a.err
}

func TestTheAuditTrailIsAskedAsItIsMeant(t *testing.T) {
	a := &trail{text: "one\ntwo\n"}
	url := serveParts(t, Parts{Audit: a})
	c := &Client{URL: url, Token: token, Read: Stale}
	for _, q := range []AuditQuery{
		{Format: AuditJSON},
		{After: 7, From: "2026-01-01T00:00:00Z", To: "2026-02-01T00:00:00Z", Action: "key.*", Actor: "person:a b&c", Target: "key/1", Last: 20, Format: AuditCEF},
	} {
		var got string
		err := c.AuditTrail(t.Context(), q, func(r io.Reader) error {
			b, err := io.ReadAll(r)
			got = string(b)
			return err
		})
		if err != nil || got != a.text || !reflect.DeepEqual(a.q, q) || a.how != Stale {
			t.Errorf("asked %+v, the node saw %+v (%v), answered %q, %v", q, a.q, a.how, got, err)
		}
	}
	if h, err := c.AuditHead(t.Context()); err != nil || h.Head != "3:ab" || !h.Members[0].Agrees || a.how != Stale {
		t.Errorf("head %+v, %v", h, err)
	}
}

// TestEntriesThatBreakOffAreNoWhole: neither before the first nor after some.
func TestEntriesThatBreakOffAreNoWhole(t *testing.T) {
	ask := func(a *trail) error { // one for each: a handler may outlive the client that it breaks off
		c := &Client{URL: serveParts(t, Parts{Audit: a}), Token: token}
		return c.AuditTrail(t.Context(), AuditQuery{}, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	}
	var f *Fault
	if err := ask(&trail{err: Conflict("ask a member")}); !errors.As(err, &f) || f.Code != "conflict" {
		t.Errorf("before the first: %v", err)
	}
	if err := ask(&trail{err: Conflict("ask a member"), text: strings.Repeat("x", 1<<20)}); err == nil {
		t.Error("an answer that was broken off is read as whole")
	}
	if err := ask(&trail{}); err != nil {
		t.Errorf("an empty trail: %v", err)
	}
}

func TestAuditParametersAreChecked(t *testing.T) {
	a := &trail{}
	url := serveParts(t, Parts{Audit: a})
	for _, query := range []string{"after=-1", "after=x", "last=0", "last=10001", "last=x", "format=xml", "stale=no", "sort=asc"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/admin/v1/audit?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusBadRequest || a.called != 0 {
			t.Errorf("%s: status %d, asked %d times, %v", query, res.StatusCode, a.called, err)
		}
	}
}
