package ui

import (
	"net/url"
	"time"

	"purser/api/admin"
)

// overviewView is what the overview shows. What the reader may not see, or the API has
// not, is nil.
type overviewView struct {
	Today admin.UsageReport
}

func overview(c *Call) error {
	var v overviewView
	var err error
	if v.Today, err = c.today(); err != nil {
		return err
	}
	return c.Render("overview", "Overview", &v)
}

// today is the usage since midnight, UTC.
func (c *Call) today() (out admin.UsageReport, err error) {
	day := c.Now.UTC().Truncate(24 * time.Hour)
	err = c.Get("/usage", url.Values{"from": {day.Format(time.RFC3339)}}, &out)
	return out, err
}

// tokensOf is all tokens of a row.
func tokensOf(r *admin.UsageRow) (n int64) {
	for _, v := range r.Tokens {
		n += v
	}
	return n
}
