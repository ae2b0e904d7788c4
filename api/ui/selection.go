package ui

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
)

// dimensions are what records can be grouped and filtered by; tag:<name> is another.
var dimensions = []string{
	"team", "customer", "feature", "agent", "model", "key", "member", "project", "org", "prompt", "prompt_version", "run", "session", "env", "provider",
	"upstream", "model_served", "endpoint", "dialect", "outcome", "status", "code", "cache", "route", "strategy", "semantic", "compression", "tier", "stream", "basis", "hour", "day",
}

// descent is where a reader goes who follows a group down, unless they choose otherwise.
var descent = []string{"team", "customer", "feature", "agent", "model", "key", "outcome"}

const (
	// maxFilters bounds the filters of an address.
	maxFilters = 16
	// maxGroups is how many groups a table has; the rest is one more.
	maxGroups = 100
)

// selection is which records a page is about.
type selection struct {
	Span    span
	Filters []filter
	By      []string
}

// filter is one condition: a dimension's value, "" for none. Of several of one dimension,
// any will do.
type filter struct{ Name, Value string }

// text is the filter as the API writes it.
func (f filter) text() string { return f.Name + ":" + f.Value }

// Shown is the value for people.
func (f filter) Shown() string {
	if f.Value == "" {
		return none
	}
	return f.Value
}

// selected reads a selection from a page's address. A form that adds a filter has its
// two halves apart.
func (c *Call) selected() (s selection, err error) {
	if s.Span, err = spanOf(c.Q, c.Now); err != nil {
		return s, err
	}
	texts := c.Q["filter"]
	if name := strings.TrimSpace(c.Q.Get("add")); name != "" {
		texts = append(slices.Clone(texts), name+":"+strings.TrimSpace(c.Q.Get("value")))
	}
	if len(texts) > maxFilters {
		return s, invalid("There are more than " + strconv.Itoa(maxFilters) + " filters.")
	}
	for _, text := range texts {
		f, ok := parseFilter(text)
		if !ok {
			return s, invalid("A filter is a dimension, a colon and a value, such as customer:acme.")
		}
		if !slices.Contains(s.Filters, f) {
			s.Filters = append(s.Filters, f)
		}
	}
	for _, text := range c.Q["by"] {
		for _, name := range strings.Split(text, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(s.By, name) {
				s.By = append(s.By, name)
			}
		}
	}
	if len(s.By) > 2 {
		return s, invalid("A page groups by one or two dimensions; the API takes more.")
	}
	return s, nil
}

// parseFilter splits at the colon behind the name; that of a tag has one itself.
func parseFilter(text string) (filter, bool) {
	rest, tag := strings.CutPrefix(text, "tag:")
	name, value, ok := strings.Cut(rest, ":")
	if tag {
		name = "tag:" + name
	}
	return filter{name, value}, ok && rest[0] != ':'
}

// fixed says that a dimension has one value already.
func (s *selection) fixed(name string) bool {
	return slices.ContainsFunc(s.Filters, func(f filter) bool { return f.Name == name })
}

// values are the selection for the API.
func (s *selection) values() url.Values {
	v := s.Span.values()
	for _, f := range s.Filters {
		v.Add("filter", f.text())
	}
	return v
}

// link is the address of a page about a selection.
func (s *selection) link(page string, more ...string) string {
	v := s.Span.query()
	for _, f := range s.Filters {
		v.Add("filter", f.text())
	}
	if len(s.By) > 0 {
		v.Set("by", strings.Join(s.By, ","))
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			v.Set(more[i], more[i+1])
		}
	}
	u := url.URL{Path: page, RawQuery: v.Encode()}
	return u.String()
}

// narrowed is the selection with more filters.
func (s *selection) narrowed(more ...filter) *selection {
	out := &selection{Span: s.Span, By: s.By}
	for _, f := range s.Filters {
		if !slices.ContainsFunc(more, func(n filter) bool { return n.Name == f.Name }) {
			out.Filters = append(out.Filters, f)
		}
	}
	out.Filters = append(out.Filters, more...)
	return out
}

// without is the selection without a filter.
func (s *selection) without(f filter) *selection {
	return &selection{Span: s.Span, By: s.By, Filters: slices.DeleteFunc(slices.Clone(s.Filters), func(o filter) bool { return o == f })}
}

// next is what a reader who went down to a value is shown by then.
func (s *selection) next(by []string) []string {
	for _, name := range descent {
		if !s.fixed(name) {
			return []string{name}
		}
	}
	return by
}

// usage asks what the selected records add up to, by group.
func (c *Call) usage(s *selection, by []string, more url.Values) (out admin.UsageReport, err error) {
	v := s.values()
	if len(by) > 0 {
		v.Set("group", strings.Join(by, ","))
	}
	maps.Copy(v, more)
	err = c.Get("/usage", v, &out)
	return out, err
}

// overTime is [Call.usage] for each interval of the span.
func (c *Call) overTime(s *selection, by []string) ([]admin.UsageRow, error) {
	r, err := c.usage(s, by, url.Values{"interval": {s.Span.Interval}, "limit": {strconv.Itoa(maxSeries)}})
	return r.Rows, err
}
