package admin

import (
	"context"
	"net/http"
	"net/url"

	"purser/proxy/route/learned"
)

// Learning is what was heard of answers, for those who learn from it.
type Learning interface {
	// RouterOutcomes adds up the outcomes, on all nodes, of which the router has not
	// learned.
	RouterOutcomes(ctx context.Context, router string) (RouterOutcomes, error)
}

// RouterOutcomes is outcomes by cluster and candidate; one may be there several times.
type RouterOutcomes struct {
	Heard []learned.Heard `json:"heard"`
	Until int64           `json:"until"` // reports before it are in, seconds since 1970
}

func (a *API) routerOutcomes(w http.ResponseWriter, r *http.Request) {
	out, err := a.Learning.RouterOutcomes(r.Context(), r.PathValue("id"))
	a.reply(w, r, http.StatusOK, out, err)
}

// RouterOutcomes asks for the outcomes of which a router has not learned.
func (c *Client) RouterOutcomes(ctx context.Context, router string) (out RouterOutcomes, err error) {
	err = c.call(ctx, http.MethodGet, "/routers/"+url.PathEscape(router)+"/outcomes", nil, &out)
	return out, err
}
