package price

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"purser/ledger"
)

// model is a [Model] made ready for lookups.
type model struct {
	Model
	names    []string // Match.Equals in lower case, or the ID
	regex    []*regexp.Regexp
	except   []*regexp.Regexp
	versions []version // by from
}

// version is the rates of one span of time: one for all day, and those of
// certain hours, which come first.
type version struct {
	from, until ledger.Instant
	daily       []*Rate
	allDay      *Rate
}

// at is the rate valid at t, nil if there is none.
func (m *model) at(t ledger.Instant) *Rate {
	for i := len(m.versions) - 1; i >= 0; i-- {
		v := &m.versions[i]
		if t < v.from {
			continue
		}
		if t >= v.until {
			return nil
		}
		for _, r := range v.daily {
			if r.daily.has(t) {
				return r
			}
		}
		return v.allDay
	}
	return nil
}

func (m *model) patterns() bool {
	return len(m.Match.Prefix)+len(m.Match.Suffix)+len(m.Match.Contains)+len(m.regex) > 0
}

// matches tells whether a pattern of m fits a name in lower case.
func (m *model) matches(name string) bool {
	fits := slices.ContainsFunc(m.Match.Prefix, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(m.Match.Suffix, func(p string) bool { return strings.HasSuffix(name, p) }) ||
		slices.ContainsFunc(m.Match.Contains, func(p string) bool { return strings.Contains(name, p) }) ||
		slices.ContainsFunc(m.regex, func(p *regexp.Regexp) bool { return p.MatchString(name) })
	return fits && !slices.ContainsFunc(m.except, func(p *regexp.Regexp) bool { return p.MatchString(name) })
}

// compile checks a model and makes it ready. mark is appended to its rates' IDs.
func compile(in *Model, mark string) (*model, error) {
	m := &model{Model: *in}
	wrap := func(err error) error { return fmt.Errorf("%s/%s: %w", in.Provider, in.ID, err) }
	if err := checkHead(in); err != nil {
		return nil, wrap(err)
	}
	if err := m.compileMatch(); err != nil {
		return nil, wrap(err)
	}
	if err := m.compileRates(mark); err != nil {
		return nil, wrap(err)
	}
	return m, nil
}

func checkHead(m *Model) error {
	switch {
	case m.Provider == "" || len(m.Provider) > maxName || strings.ContainsAny(m.Provider, "/:"):
		return fmt.Errorf("provider %q is empty, too long, or has '/' or ':' in it", m.Provider)
	case strings.ContainsAny(m.Region, "/:") || len(m.Region) > maxName:
		return fmt.Errorf("region %q is too long, or has '/' or ':' in it", m.Region)
	case m.ID == "" || len(m.ID) > maxName:
		return fmt.Errorf("model name %q is empty or too long", m.ID)
	case m.Tokenizer != "" && m.Tokenizer != "o200k" && m.Tokenizer != "cl100k":
		return fmt.Errorf(`tokenizer %q is not "o200k" or "cl100k"`, m.Tokenizer)
	case m.ContextWindow < 0 || m.MaxOutput < 0:
		return fmt.Errorf("context window %d or largest output %d is negative", m.ContextWindow, m.MaxOutput)
	case len(m.Rates) == 0 || len(m.Rates) > maxRows:
		return fmt.Errorf("has %d rates, not 1 to %d", len(m.Rates), maxRows)
	}
	return nil
}

func (m *model) compileMatch() error {
	f := &m.Match
	forms := slices.Concat(f.Equals, f.Prefix, f.Suffix, f.Contains, f.Regex, f.Except)
	if len(forms) > maxForms {
		return fmt.Errorf("match of %d forms is over the limit of %d", len(forms), maxForms)
	}
	for _, form := range forms {
		if form == "" || len(form) > maxForm {
			return fmt.Errorf("match %q is empty or over %d bytes", form, maxForm)
		}
	}
	f.Prefix, f.Suffix, f.Contains = lowered(f.Prefix), lowered(f.Suffix), lowered(f.Contains)
	m.names = lowered(f.Equals)
	if f.empty() && !m.Ceiling {
		m.names = []string{lower(m.ID)}
	}
	for _, set := range []struct {
		from []string
		to   *[]*regexp.Regexp
	}{{f.Regex, &m.regex}, {f.Except, &m.except}} {
		for _, form := range set.from {
			re, err := regexp.Compile(form)
			if err != nil {
				return fmt.Errorf("match: %w", err)
			}
			*set.to = append(*set.to, re)
		}
	}
	return nil
}

func lowered(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = lower(s)
	}
	return out
}

// when is what the rows of one rate have in common.
type when struct{ from, until, daily string }

func (m *model) compileRates(mark string) error {
	groups := map[when][]*Row{}
	var order []when
	for i := range m.Rates {
		row := &m.Rates[i]
		w := when{row.From, row.Until, row.Daily}
		if groups[w] == nil {
			order = append(order, w)
		}
		groups[w] = append(groups[w], row)
	}
	var rates []*Rate
	for _, w := range order {
		r, err := m.compileRate(w, groups[w], mark)
		if err != nil {
			return err
		}
		rates = append(rates, r)
	}
	return m.schedule(rates)
}

func (m *model) compileRate(w when, rows []*Row, mark string) (*Rate, error) {
	r := &Rate{
		Provider: m.Provider, Region: m.Region, Model: m.ID, Source: m.Source, Ceiling: m.Ceiling,
		ContextWindow: m.ContextWindow, MaxOutput: m.MaxOutput, Tokenizer: m.Tokenizer,
		From: -1 << 63, Until: ledger.MaxInstant,
	}
	r.ID = m.Provider
	if m.Region != "" {
		r.ID += ":" + m.Region
	}
	r.ID += "/" + m.ID
	var err error
	if w.from != "" {
		r.ID += "@" + w.from
		if r.From, err = parseDate(w.from); err != nil {
			return nil, err
		}
	}
	if w.until != "" {
		if r.Until, err = parseDate(w.until); err != nil {
			return nil, err
		}
		if r.Until <= r.From {
			return nil, fmt.Errorf("rate until %s ends before it begins", w.until)
		}
	}
	if w.daily != "" {
		r.ID += "~" + w.daily
		if r.daily, err = parseSpan(w.daily); err != nil {
			return nil, err
		}
	}
	r.ID += mark
	if err := r.setPrices(rows); err != nil {
		return nil, fmt.Errorf("rate %s: %w", r.ID, err)
	}
	return r, nil
}

// schedule puts a model's rates in the order of time.
func (m *model) schedule(rates []*Rate) error {
	for _, r := range rates {
		if r.daily == (span{}) {
			m.versions = append(m.versions, version{from: r.From, until: r.Until, allDay: r})
		}
	}
	slices.SortFunc(m.versions, func(a, b version) int { return cmp.Compare(a.from, b.from) })
	for i := range m.versions {
		if i == 0 {
			continue
		}
		prev := &m.versions[i-1]
		if prev.from == m.versions[i].from {
			return fmt.Errorf("two rates begin at the same time: %s and %s", prev.allDay.ID, m.versions[i].allDay.ID)
		}
		prev.until = min(prev.until, m.versions[i].from)
	}
	for _, r := range rates {
		if r.daily == (span{}) {
			continue
		}
		i := slices.IndexFunc(m.versions, func(v version) bool { return v.from == r.From && v.allDay.Until == r.Until })
		if i < 0 {
			return fmt.Errorf("rate %s has hours, but there is none for the rest of the day", r.ID)
		}
		for _, other := range m.versions[i].daily {
			if other.daily.overlaps(r.daily) {
				return fmt.Errorf("rates %s and %s overlap", other.ID, r.ID)
			}
		}
		m.versions[i].daily = append(m.versions[i].daily, r)
	}
	for i := range m.versions {
		v := &m.versions[i]
		for _, r := range v.introduce() {
			r.Until = v.until
		}
	}
	return nil
}

// introduce makes the rates of one span known to each other, and returns them.
func (v *version) introduce() []*Rate {
	all := append([]*Rate{v.allDay}, v.daily...)
	for _, r := range all {
		for _, other := range all {
			if other != r {
				r.peers = append(r.peers, other)
			}
		}
	}
	return all
}
