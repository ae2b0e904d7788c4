package policy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// gen draws policies and requests, as documents.
type gen struct{ *rand.Rand }

func (g *gen) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *gen, list ...T) T { return list[g.IntN(len(list))] }

// some draws one to three of the list.
func some[T any](g *gen, from ...T) (out []any) {
	for range 1 + g.IntN(3) {
		out = append(out, pick(g, from...))
	}
	return out
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}

func (g *gen) policies() map[string]any {
	out := map[string]any{}
	for i := range 1 + g.IntN(4) {
		p := map[string]any{}
		if g.chance(50) {
			p["priority"] = g.IntN(5) - 2
		}
		if g.chance(30) {
			p["mode"] = "shadow"
		}
		match := map[string]any{}
		if g.chance(25) {
			match["team"] = some(g, "search", "ads", "infra")
		}
		if g.chance(15) {
			match["key"] = some(g, "key_1", "key_2")
		}
		if g.chance(10) {
			match["tag:stage"] = some(g, "prod", "dev")
		}
		if len(match) > 0 {
			p["match"] = match
		}
		var rules []any
		for j := range 1 + g.IntN(3) {
			rules = append(rules, g.rule(fmt.Sprintf("r%d", j)))
		}
		p["rules"] = rules
		out[fmt.Sprintf("p%d", i)] = p
	}
	return out
}

func (g *gen) rule(id string) map[string]any {
	r := map[string]any{"id": id, "outcome": pick(g, "allow", "deny", "warn", "rewrite"), "message": "because of " + id}
	if r["outcome"] == "rewrite" {
		set := map[string]any{}
		for len(set) == 0 {
			if g.chance(50) {
				set["max_output_tokens"] = pick(g, 1, 300, 1000)
			}
			if g.chance(30) {
				set["n"] = pick(g, 1, 2)
			}
			if g.chance(30) {
				set["temperature"] = pick(g, 0.0, 0.5, 1.0)
			}
			if g.chance(20) {
				set["top_p"] = pick(g, 0.1, 0.9)
			}
		}
		r["set"] = set
	}
	if g.chance(95) {
		r["when"] = g.condition()
	}
	if g.chance(35) {
		r["unless"] = g.condition()
	}
	return r
}

func (g *gen) condition() map[string]any {
	c := map[string]any{}
	for range 1 + g.IntN(2) {
		switch g.IntN(12) {
		case 0:
			c["addresses"] = some(g, "10.0.0.0/8", "192.168.1.0/24", "10.1.2.3", "2001:db8::/32", "::ffff:172.16.0.0/108", "0.0.0.0/0")
		case 1:
			c["models"] = some(g, "gpt-*", "*haiku*", "gpt-4o", "GPT-4O", "*", "o3")
		case 2:
			c["providers"] = some(g, "openai", "anthropic", "a*")
		case 3:
			c["regions"] = some(g, "eu*", "us-east-1", "*")
		case 4:
			c["endpoints"] = some(g, "/v1/chat/*", "/v1/messages", "/v1/embeddings")
		case 5:
			c["stream"] = g.chance(50)
		case 6:
			c["times"] = g.windows()
		case 7:
			c["dims"] = map[string]any{pick(g, "team", "customer", "tag:stage"): some(g, "s*", "prod", "acme", "*")}
		case 8:
			c["missing"] = some(g, "customer", "team", "tag:stage")
		case 9, 10:
			c["over"] = g.over()
		case 11:
			c["cel"] = pick(g, slices.Sorted(maps.Keys(celMeanings))...)
		}
	}
	return c
}

func (g *gen) windows() (out []any) {
	for range 1 + g.IntN(2) {
		w := map[string]any{}
		if g.chance(70) {
			w["days"] = some(g, "mon-fri", "sat", "sun", "fri-mon", "wed")
		}
		if g.chance(80) {
			from, to := pick(g, "00:00", "02:30", "09:00", "22:00"), pick(g, "06:00", "03:00", "17:30", "24:00")
			w["from"], w["to"] = from, to
		}
		if g.chance(70) {
			w["zone"] = pick(g, zones...)
		}
		out = append(out, w)
	}
	return out
}

func (g *gen) over() map[string]any {
	o := map[string]any{}
	for range 1 + g.IntN(2) {
		switch g.IntN(8) {
		case 0:
			o["max_output_tokens"] = pick(g, 100, 500, 2000)
		case 1:
			o["n"] = pick(g, 1, 3)
		case 2:
			o["temperature"] = pick(g, 0.3, 0.7, 1.5)
		case 3:
			o["top_p"] = pick(g, 0.2, 0.8)
		case 4:
			o["tools"] = pick(g, 0, 2)
		case 5:
			o["input_bytes"] = pick(g, 100, 4000)
		case 6:
			o["input_tokens"] = pick(g, 100, 700, 3000)
		case 7:
			o["cost_usd"] = pick(g, 0.001, 0.004, 0.02)
		}
	}
	return o
}

// instants are moments at which windows turn, and around changes of clocks.
var instants = []string{
	"2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", // Berlin's clocks
	"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-03-08T07:00:00Z", // New York's
	"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", // Lord Howe's, by half an hour
	"2026-11-27T21:59:00Z", "2026-11-27T22:00:00Z", "2026-11-28T05:59:00Z", "2026-11-28T06:00:00Z", "2026-11-29T00:00:00Z",
}

func (g *gen) request() map[string]any {
	q := map[string]any{
		"endpoint": pick(g, "/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1/responses"),
		"model":    pick(g, "gpt-4o", "gpt-4o-mini", "GPT-4o", "claude-haiku-4-5", "o3", "smart"),
		"stream":   g.chance(50), "n": pick(g, 1, 1, 2, 4), "max_output_tokens": pick(g, 0, 200, 1000, 8192),
		"tools": g.IntN(4), "input_bytes": pick(g, 50, 3000, 9000),
		"key": map[string]any{"id": pick(g, "key_1", "key_2", "key_3"), "name": pick(g, "ci-7", "ci-12", "laptop")},
	}
	q["time"] = pick(g, instants...)
	if g.chance(50) {
		q["time"] = time.Unix(1_790_000_000+g.Int64N(30*24*3600), 0).UTC().Format(time.RFC3339)
	}
	if g.chance(90) {
		q["address"] = pick(g, "10.1.2.3", "10.200.0.1", "192.168.1.77", "8.8.8.8", "2001:db8::1", "::ffff:10.9.9.9", "172.16.5.5", "::1")
	}
	if g.chance(60) {
		q["temperature"] = pick(g, 0.0, 0.2, 0.9, 1.7)
	}
	if g.chance(40) {
		q["top_p"] = pick(g, 0.05, 0.5, 1.0)
	}
	dims := map[string]any{}
	for _, d := range [...][]string{{"team", "search", "ads", "infra"}, {"customer", "acme", "globex"}, {"tag:stage", "prod", "dev"}} {
		if g.chance(65) {
			dims[d[0]] = pick(g, d[1:]...)
		}
	}
	if len(dims) > 0 {
		q["dims"] = dims
	}
	route := map[string]any{"provider": pick(g, "openai", "anthropic", "azure"), "upstream": "up"}
	if g.chance(60) {
		route["regions"] = some(g, "eu-west-1", "us-east-1", "eu", "")
	}
	if g.chance(30) {
		route["model"] = pick(g, "gpt-4o", "claude-haiku-4-5")
	}
	q["route"] = route
	return q
}

// steps draws bounds, of which some cannot be taken and some are no tighter.
func (g *gen) steps() (out []step) {
	in := float64(200 + g.IntN(4000))
	for range g.IntN(4) {
		if g.chance(15) {
			out = append(out, step{-1})
			continue
		}
		out = append(out, step{in})
		if g.chance(80) {
			in -= float64(g.IntN(int(in)))
		}
		if in < 1 {
			in = 1
		}
	}
	return out
}
