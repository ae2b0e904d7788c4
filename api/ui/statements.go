package ui

import (
	"cmp"
	"net/http"
)

// statementsView is what can be asked for.
type statementsView struct {
	By, Month string
	Names     []string // of dimensions
}

// statementsPage asks what of which month.
func statementsPage(c *Call) error {
	return c.Render("statements", "Statements", &statementsView{cmp.Or(c.Q.Get("by"), "customer"), c.Now.UTC().Format("2006-01"), dimensions})
}

// statement shows the API's own page, which prints well. It has a policy of its own, as
// strict as ours: it loads nothing and runs nothing.
func statement(c *Call) error {
	q := c.R.URL.Query()
	q.Set("format", "html")
	res, err := c.u.send(c.R, http.MethodGet, "/statements?"+q.Encode(), nil, nil)
	if err == nil {
		err = faultOf(res)
	}
	if err != nil {
		return err
	}
	if own := res.header.Get("Content-Security-Policy"); own != "" {
		c.W.Header().Set("Content-Security-Policy", own)
	}
	c.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = res.body.WriteTo(c.W) // a reader that went away is no fault of ours
	return nil
}
