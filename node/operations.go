package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"purser/api/admin"
	"purser/api/lookalike"
	"purser/internal/access"
	"purser/internal/telemetry"
	"purser/ledger"
	"purser/proxy/upstream"
)

// operations serves what operators and their tools ask: administration, health
// and metrics.
func (n *Node) operations(api *admin.API) http.Handler {
	mux := http.NewServeMux()
	own := api.Handler()
	mux.Handle("/admin/", own)
	others := lookalike.New(own, time.Now).Handler()
	for _, path := range lookalike.Routes {
		mux.Handle(path+"/", others)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if state := n.State(); state != "ready" {
			plain(w, http.StatusServiceUnavailable, state)
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	metrics := n.metrics.Handler()
	if !n.cfg.Admin.OpenMetrics {
		metrics = api.Guarded(access.MetricsRead, metrics)
	}
	mux.Handle("GET /metrics", metrics)
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a prober that went away is no fault of ours
}

// upstreamStatus is each upstream with the worst state of its breakers.
func (n *Node) upstreamStatus() []admin.UpstreamStatus {
	worst := map[string]upstream.State{}
	n.gateway.Breakers().Each(time.Now(), func(k upstream.BreakerKey, s upstream.State) {
		if worst[k.Upstream] == upstream.Closed || s == upstream.Open {
			worst[k.Upstream] = s
		}
	})
	var out []admin.UpstreamStatus
	for i, u := range n.upstreams {
		out = append(out, admin.UpstreamStatus{Name: u.Name, Provider: u.Provider, BaseURL: n.cfg.Upstreams[i].BaseURL, State: worst[u.Name].String(), InFlight: u.Client.InFlight()})
	}
	return out
}

// upstreamHealth is each upstream for the metrics.
func (n *Node) upstreamHealth() []telemetry.UpstreamHealth {
	resting := map[string]int{}
	n.gateway.Breakers().Each(time.Now(), func(k upstream.BreakerKey, s upstream.State) {
		if s != upstream.Closed {
			resting[k.Upstream]++
		}
	})
	var out []telemetry.UpstreamHealth
	for _, u := range n.upstreams {
		out = append(out, telemetry.UpstreamHealth{Name: u.Name, Resting: resting[u.Name], InFlight: u.Client.InFlight()})
	}
	return out
}

const (
	// tickEvery lets ledger time pass on an idle node, so that ended windows go.
	tickEvery = 10 * time.Second
	// retainEvery is how often what is old is dropped.
	retainEvery = time.Hour
)

// keepHouse does what has to be done from time to time, until ctx ends.
func (n *Node) keepHouse(ctx context.Context) {
	retain := time.NewTicker(retainEvery)
	defer retain.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-retain.C:
			before := now() - ledger.Instant(n.cfg.Usage.Retention)
			if err := errors.Join(n.outcomes.Load().kept.DropBefore(before), n.dropLosses(before), n.dropNames(before)); err != nil {
				n.log.Warn("old outcomes could not be dropped", "error", err)
			}
			if err := n.dropSlices(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("rules of slices that are over could not be deleted", "error", err)
			}
		}
	}
}
