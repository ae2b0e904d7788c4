package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"purser/internal/record"
	"purser/proxy/price"
)

// maxRoutes bounds the values of the label "route", which operators name.
const maxRoutes = 200

// promptCache counts what providers' prompt caches served: read / (read + written +
// uncached) is the hit rate of a route, a model or an upstream.
type promptCache struct {
	tokens *prometheus.CounterVec
	marks  *prometheus.CounterVec
	routes limited
}

func newPromptCache(counter func(name, help string, labels ...string) *prometheus.CounterVec) promptCache {
	return promptCache{
		tokens: counter("purser_prompt_cache_tokens_total", "Input tokens as the provider reported them, by what its prompt cache did with them.", "route", "upstream", "model", "part"),
		marks:  counter("purser_prompt_cache_breakpoints_total", "Breakpoints that were placed in prompts.", "upstream", "model"),
		routes: limited{known: map[string]bool{}, most: maxRoutes},
	}
}

func (c *promptCache) observe(r *record.Record, model string) {
	route := r.Route.Name
	if route != "" && !c.routes.takes(route) {
		route = other
	}
	written := r.Usage.TotalInput() - r.Usage[price.InputText] - r.Usage[price.CacheRead] - r.Usage[price.AudioIn] - r.Usage[price.ImageIn]
	for _, part := range [...]struct {
		name   string
		tokens int64
	}{{"read", r.Usage[price.CacheRead]}, {"written", written}, {"uncached", r.Usage[price.InputText]}} {
		if part.tokens > 0 {
			c.tokens.WithLabelValues(route, r.Upstream, model, part.name).Add(float64(part.tokens))
		}
	}
	if r.Shape.Breakpoints > 0 {
		c.marks.WithLabelValues(r.Upstream, model).Add(float64(r.Shape.Breakpoints))
	}
}
