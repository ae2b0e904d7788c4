package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"purser/ledger"
	"purser/proxy/price"
)

// report collects what a reviewer of a refresh should see.
type report struct {
	skipped map[string][]string // models left out, by reason
	notes   map[string][]string // what was changed, by kind
	summary string
}

func (r *report) skip(reason, model string) { file(&r.skipped, reason, model) }
func (r *report) note(kind, about string)   { file(&r.notes, kind, about) }

func file(in *map[string][]string, under, what string) {
	if *in == nil {
		*in = map[string][]string{}
	}
	if !slices.Contains((*in)[under], what) {
		(*in)[under] = append((*in)[under], what)
	}
}

// shadows notes the names that one model lists and a pattern of an earlier one
// fits: there the catalogue, which tries lists before patterns, and the source,
// which goes by order, differ.
func (r *report) shadows(s *price.Snapshot) {
	type claim struct{ provider, region, name string }
	owner := map[claim]string{}
	for i := range s.Models {
		m := &s.Models[i]
		for _, name := range m.Match.Equals {
			c := claim{m.Provider, m.Region, name}
			if first, taken := owner[c]; taken {
				r.note("listed by two models, the first counts", m.Provider+"/"+m.ID+" "+name+" (first "+first+")")
				continue
			}
			owner[c] = m.ID
			for j := range i {
				if e := &s.Models[j]; e.Provider == m.Provider && e.Region == m.Region && fits(&e.Match, name) {
					r.note("listed by one model, though a pattern of an earlier one fits",
						m.Provider+"/"+m.ID+" "+name+" (earlier "+e.ID+")")
				}
			}
		}
	}
}

// fits tells whether a pattern fits, regular expressions and exclusions aside.
func fits(m *price.Match, name string) bool {
	return slices.ContainsFunc(m.Prefix, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(m.Suffix, func(p string) bool { return strings.HasSuffix(name, p) }) ||
		slices.ContainsFunc(m.Contains, func(p string) bool { return strings.Contains(name, p) })
}

// reappears notes the models that were left out, and are priced all the same by
// a pattern of another or by a provider that theirs falls back to.
func (r *report) reappears(c *price.Catalogue) {
	for _, reason := range slices.Sorted(maps.Keys(r.skipped)) {
		for _, at := range r.skipped[reason] {
			provider, id, _ := strings.Cut(at, "/")
			if rate, ok := c.Find(provider, id, ledger.MaxInstant-1); ok {
				r.note("left out, and yet priced by another", at+" as "+rate.ID)
			}
		}
	}
}

func (r *report) total(s *price.Snapshot, size int, hash string) {
	rows := 0
	for _, m := range s.Models {
		rows += len(m.Rates)
	}
	r.summary = fmt.Sprintf("%s: %d providers, %d models, %d rates, %d bytes, sha256 %s",
		s.Source, len(s.Providers), len(s.Models), rows, size, hash)
}

func (r *report) print(to io.Writer) error {
	w := bufio.NewWriter(to)
	for _, part := range []struct {
		title string
		of    map[string][]string
	}{{"left out", r.skipped}, {"note", r.notes}} {
		for _, reason := range slices.Sorted(maps.Keys(part.of)) {
			list := part.of[reason]
			fmt.Fprintf(w, "%s: %s (%d)\n", part.title, reason, len(list))
			for _, what := range list {
				fmt.Fprintf(w, "  %s\n", what)
			}
		}
	}
	fmt.Fprintln(w, r.summary)
	return w.Flush()
}
