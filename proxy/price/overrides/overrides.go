package overrides

import (
	"errors"
	"fmt"
	"strings"

	"purser/proxy/price"
)

// Apply reads data and returns c with its prices put first. name is what
// errors call the file. An empty document changes nothing.
func Apply(c *price.Catalogue, name string, data []byte) (*price.Catalogue, error) {
	top, err := document(name, data)
	if err != nil {
		return nil, err
	}
	if top.node == nil {
		return c, nil
	}
	r := &reader{base: c}
	r.top(top)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	with, err := c.With(r.models)
	if err == nil && len(r.discounts) > 0 {
		with, err = with.WithDiscounts(r.discounts)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return with, nil
}

// reader collects the contents of a file, and all that is wrong with it.
type reader struct {
	base      *price.Catalogue
	models    []price.Model
	discounts []price.Discount
	errs      []error
}

func (r *reader) fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// each calls do for every field of a mapping.
func (r *reader) each(c cursor, do func(field)) {
	fs, err := c.fields()
	r.fail(err)
	for _, f := range fs {
		do(f)
	}
}

func (r *reader) top(c cursor) {
	r.each(c, func(f field) {
		switch f.key {
		case "providers":
			r.each(f.cursor, r.provider)
		case "discounts":
			items, err := f.items()
			r.fail(err)
			for _, item := range items {
				r.discount(item)
			}
		default:
			r.fail(f.errorf("is not known; there are providers and discounts"))
		}
	})
}

func (r *reader) discount(at cursor) {
	var d price.Discount
	before := len(r.errs)
	r.each(at, func(f field) {
		switch f.key {
		case "provider":
			r.text(&d.Provider, f)
			d.Provider, d.Region, _ = strings.Cut(d.Provider, ":")
		case "match":
			r.match(&d.Match, f)
		case "meters":
			var err error
			d.Meters, err = f.texts()
			r.fail(err)
		case "percent_off":
			r.text(&d.Percent, f)
		case "from":
			r.text(&d.From, f)
		case "until":
			r.text(&d.Until, f)
		default:
			r.fail(f.errorf("is not known; there are provider, match, meters, percent_off, from and until"))
		}
	})
	if len(r.errs) == before {
		if _, err := r.base.WithDiscounts([]price.Discount{d}); err != nil {
			r.fail(at.errorf("%v", err))
		}
	}
	r.discounts = append(r.discounts, d)
}

func (r *reader) provider(at field) {
	id, region, _ := strings.Cut(at.key, ":")
	r.each(at.cursor, func(f field) {
		switch f.key {
		case "unpriced":
			r.unpriced(id, region, f)
		case "models":
			r.each(f.cursor, func(m field) { r.model(id, region, m) })
		default:
			r.fail(f.errorf("is not known; there are unpriced and models"))
		}
	})
}

// unpriced makes a ceiling: two prices that stand for every meter.
func (r *reader) unpriced(provider, region string, at field) {
	row, before := price.Row{Prices: map[string]int64{}}, len(r.errs)
	r.each(at.cursor, func(f field) {
		if f.key != "input_usd_per_mtok" && f.key != "output_usd_per_mtok" {
			r.fail(f.errorf("is not known; there are input_usd_per_mtok and output_usd_per_mtok"))
			return
		}
		r.price(&row, f)
	})
	for _, meter := range []string{"input", "output"} {
		if _, ok := row.Prices[meter]; !ok && len(r.errs) == before {
			r.fail(at.errorf("needs %s_usd_per_mtok", meter))
		}
	}
	r.add(at, before, price.Model{Provider: provider, Region: region, ID: "unpriced", Ceiling: true, Rates: []price.Row{row}})
}

func (r *reader) model(provider, region string, at field) {
	m := price.Model{Provider: provider, Region: region, ID: at.key, Source: "override"}
	one, before := price.Row{Prices: map[string]int64{}}, len(r.errs)
	r.each(at.cursor, func(f field) {
		switch f.key {
		case "match":
			r.match(&m.Match, f)
		case "context_window":
			r.count(&m.ContextWindow, f)
		case "max_output":
			r.count(&m.MaxOutput, f)
		case "tokenizer":
			r.text(&m.Tokenizer, f)
		case "source":
			r.text(&m.Source, f)
		case "rates":
			items, err := f.items()
			r.fail(err)
			for _, item := range items {
				row := price.Row{Prices: map[string]int64{}}
				r.each(item, func(f field) { r.rowField(&row, f) })
				m.Rates = append(m.Rates, row)
			}
		default:
			r.price(&one, f)
		}
	})
	switch {
	case len(one.Prices) > 0 && len(m.Rates) > 0:
		r.fail(at.errorf("has both prices of its own and rates"))
	case len(one.Prices) > 0:
		m.Rates = []price.Row{one}
	}
	r.add(at, before, m)
}

// add lets the catalogue check the model while its line is known. Of one that has
// been wrong since there were so many errors, it would only say the same again.
func (r *reader) add(at field, before int, m price.Model) {
	if len(r.errs) == before {
		if _, err := r.base.With([]price.Model{m}); err != nil {
			r.fail(at.errorf("%v", err))
		}
	}
	r.models = append(r.models, m)
}

func (r *reader) match(to *price.Match, at field) {
	lists := map[string]*[]string{"equals": &to.Equals, "prefix": &to.Prefix, "suffix": &to.Suffix,
		"contains": &to.Contains, "regex": &to.Regex, "except": &to.Except}
	r.each(at.cursor, func(f field) {
		list, ok := lists[f.key]
		if !ok {
			r.fail(f.errorf("is not known; there are equals, prefix, suffix, contains, regex and except"))
			return
		}
		var err error
		*list, err = f.texts()
		r.fail(err)
	})
}

func (r *reader) rowField(row *price.Row, f field) {
	switch f.key {
	case "tier":
		r.text(&row.Tier, f)
	case "from":
		r.text(&row.From, f)
	case "until":
		r.text(&row.Until, f)
	case "hours":
		r.text(&row.Daily, f)
	case "context_from", "context_over":
		if row.ContextFrom != 0 {
			r.fail(f.errorf("only one of context_from and context_over may be there"))
			return
		}
		r.count(&row.ContextFrom, f)
		if f.key == "context_over" {
			row.ContextFrom++
		}
	default:
		r.price(row, f)
	}
}

// price reads a field such as cache_read_usd_per_mtok or web_search_usd.
func (r *reader) price(row *price.Row, f field) {
	name, shift := strings.TrimSuffix(f.key, "_usd_per_mtok"), price.PerMillion
	if name == f.key {
		name, shift = strings.TrimSuffix(f.key, "_usd"), price.PerOne
	}
	m, ok := price.ParseMeter(name)
	if !ok || name == f.key || m.PerCall() != (shift == price.PerOne) {
		r.fail(f.errorf("is not known"))
		return
	}
	text, err := f.text()
	if err != nil {
		r.fail(err)
		return
	}
	n, exact, err := price.Decimal(text, shift)
	switch {
	case err != nil:
		r.fail(f.errorf("%v", err))
	case !exact:
		r.fail(f.errorf("%s is finer than a pico-dollar for one", text))
	default:
		row.Prices[name] = n
	}
}

func (r *reader) text(to *string, f field) {
	s, err := f.text()
	r.fail(err)
	*to = s
}

func (r *reader) count(to *int64, f field) {
	s, err := f.text()
	if err != nil {
		r.fail(err)
		return
	}
	n, exact, err := price.Decimal(strings.ReplaceAll(s, "_", ""), 0)
	if err != nil || !exact {
		r.fail(f.errorf("%q is not a whole number of tokens", s))
		return
	}
	*to = n
}
