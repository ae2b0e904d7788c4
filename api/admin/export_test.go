package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// asker is a node and a client of it.
func asker(t *testing.T) (*node, *Client) {
	n, url := serve(t)
	return n, &Client{URL: url, Token: token}
}

func TestExportsAreStreamed(t *testing.T) {
	n, c := asker(t)
	q := ExportQuery{Format: "focus", Version: "1.3", File: "csv", Rows: "day", From: "2026-11-01", To: "2026-12-01", Filter: map[string]string{"tag:job": "a:b", "team": "x"}, Raw: true}
	var got string
	read := func(r io.Reader) error {
		b, err := io.ReadAll(r)
		got = string(b)
		return err
	}
	if err := c.Export(context.Background(), q, read); err != nil {
		t.Fatal(err)
	}
	if q.Reach = n.exported.Reach; fmt.Sprint(n.exported) != fmt.Sprint(q) || !q.Reach.All {
		t.Errorf("asked %+v, the node saw %+v", q, n.exported)
	}
	if got != "BilledCost\r\n1.0\r\n" {
		t.Errorf("read %q", got)
	}
	// An export that breaks off is no file, however much of it came.
	n.err = errors.New("a node went away")
	if err := c.Export(context.Background(), q, read); err == nil || len(got) == 0 {
		t.Errorf("an export that was broken off is taken for whole: %q", got)
	}
}

func TestExportsAskForWhatTheyKnow(t *testing.T) {
	_, c := asker(t)
	for _, query := range []string{"colour=red", "raw=yes", "filter=team"} {
		res, err := http.Get(c.URL + "/admin/v1/export/focus?" + query)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", query, res.StatusCode)
		}
		err = c.stream(context.Background(), "/export/focus?"+query, func(io.Reader) error { return nil })
		var f *Fault
		if !errors.As(err, &f) || f.Status != http.StatusBadRequest || !strings.Contains(f.Message, strings.SplitN(query, "=", 2)[0]) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestExportStatesAreListed(t *testing.T) {
	_, c := asker(t)
	list, err := c.ExportState(context.Background())
	if err != nil || len(list) != 1 || list[0].ID != "daily" {
		t.Errorf("%+v, %v", list, err)
	}
}
