package litellm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// settings carries over what holds for the whole proxy.
func (c *Config) settings(f *file) yaml.MapSlice {
	r := &c.Report
	var requests, out yaml.MapSlice
	cached := false
	for _, name := range slices.Sorted(maps.Keys(f.Settings)) {
		switch v := f.Settings[name]; name {
		case "cache":
			cached, _ = v.(bool)
		case "max_budget", "budget_duration":
		default:
			r.note("litellm_settings.%s is not carried over", name)
		}
	}
	if v, ok := f.Settings["max_budget"]; ok {
		duration, _ := f.Settings["budget_duration"].(string)
		c.Limits = Owner{ID: "litellm", Place: "litellm_settings"}.Limits(Amounts{Max: Decimal(v), Duration: duration}, r)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Router)) {
		switch v := f.Router[name]; name {
		case "model_group_alias":
			c.alias(v)
		case "num_retries":
			n, err := strconv.Atoi(fmt.Sprint(v))
			if err != nil || n < 0 {
				r.note("router_settings.num_retries %v is no count", v)
				continue
			}
			requests = append(requests, yaml.MapItem{Key: "attempts", Value: min(n+1, maxAttempts)})
		default:
			r.note("router_settings.%s is not carried over", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Env)) {
		r.note("environment_variables.%s: put it into the environment of the node", name)
	}
	out = append(out, yaml.MapItem{Key: "cache", Value: yaml.MapSlice{{Key: "enabled", Value: cached}}})
	if len(requests) > 0 {
		out = append(out, yaml.MapItem{Key: "requests", Value: requests})
	}
	return out
}

// maxAttempts is the most that a node takes.
const maxAttempts = 10

// alias reads router_settings.model_group_alias: a name to another, or to an object
// with it.
func (c *Config) alias(v any) {
	groups, ok := v.(map[string]any)
	if !ok {
		c.Report.note("router_settings.model_group_alias is no map; left out")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		to := groups[name]
		if more, ok := to.(map[string]any); ok {
			to = more["model"]
		}
		model, ok := to.(string)
		if !ok || strings.Contains(name+model, "*") {
			c.Report.note("router_settings.model_group_alias.%s names no model; left out", name)
			continue
		}
		c.Routes[name] = model
	}
}

// Decimal writes a number of YAML or JSON as a decimal; "" for what is none.
func Decimal(v any) json.Number {
	switch n := v.(type) {
	case nil:
		return ""
	case json.Number:
		if f, err := n.Float64(); err == nil {
			return Decimal(f)
		}
		return ""
	case float64:
		return json.Number(strconv.FormatFloat(n, 'f', -1, 64))
	case string:
		if f, err := strconv.ParseFloat(n, 64); err == nil {
			return Decimal(f)
		}
		return ""
	}
	if s := fmt.Sprint(v); s != "" && strings.Trim(s, "-0123456789") == "" {
		return json.Number(s)
	}
	return ""
}
