package admin

import (
	"context"
	"net/http"

	"purser/proxy"
)

// Routing answers where a request would go.
type Routing interface {
	ExplainRoute(context.Context, PolicyCall) (proxy.RouteAnswer, error)
}

// ExplainRoute asks where a request would go, and why.
func (c *Client) ExplainRoute(ctx context.Context, call PolicyCall) (out proxy.RouteAnswer, err error) {
	err = c.call(ctx, http.MethodPost, "/routes/explain", call, &out)
	return out, err
}

func (a *API) explainRoute(w http.ResponseWriter, r *http.Request) {
	var in PolicyCall
	if !a.read(w, r, &in) {
		return
	}
	if in.Key == "" || in.Path == "" {
		a.fail(w, r, Invalid("give the key's id and the path"))
		return
	}
	out, err := a.Routing.ExplainRoute(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}
