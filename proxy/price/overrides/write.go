package overrides

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"purser/proxy/price"
)

// Write is the file that [Apply] reads these models from, in the order of
// provider, region and name. Ceilings are not written: their file has no place
// for more than two prices.
func Write(models []price.Model) []byte {
	sorted := slices.SortedFunc(slices.Values(models), func(a, b price.Model) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	w := writer{}
	w.line(0, "providers:")
	at := ""
	for i := range sorted {
		m := &sorted[i]
		if m.Ceiling {
			continue
		}
		place := m.Provider
		if m.Region != "" {
			place += ":" + m.Region
		}
		if place != at {
			at = place
			w.line(1, "%s:", quoted(place))
			w.line(2, "models:")
		}
		w.model(m)
	}
	if at == "" {
		return []byte("providers: {}\n")
	}
	return w.b.Bytes()
}

type writer struct{ b bytes.Buffer }

func (w *writer) line(depth int, format string, args ...any) {
	for range depth {
		w.b.WriteString("  ")
	}
	fmt.Fprintf(&w.b, format+"\n", args...)
}

func (w *writer) model(m *price.Model) {
	w.line(3, "%s:", quoted(m.ID))
	if m.Source != "" {
		w.line(4, "source: %s", quoted(m.Source))
	}
	f := &m.Match
	match := ""
	for _, form := range []struct {
		name string
		list []string
	}{{"equals", f.Equals}, {"prefix", f.Prefix}, {"suffix", f.Suffix}, {"contains", f.Contains}, {"regex", f.Regex}, {"except", f.Except}} {
		if len(form.list) > 0 {
			match += form.name + ": ["
			for i, text := range form.list {
				if i > 0 {
					match += ", "
				}
				match += quoted(text)
			}
			match += "], "
		}
	}
	if match != "" {
		w.line(4, "match: {%s}", match[:len(match)-2])
	}
	if m.ContextWindow > 0 {
		w.line(4, "context_window: %d", m.ContextWindow)
	}
	if m.MaxOutput > 0 {
		w.line(4, "max_output: %d", m.MaxOutput)
	}
	if m.Tokenizer != "" {
		w.line(4, "tokenizer: %s", m.Tokenizer)
	}
	w.line(4, "rates:")
	for i := range m.Rates {
		w.line(5, "- {%s}", row(&m.Rates[i]))
	}
}

func row(r *price.Row) string {
	text := ""
	add := func(format string, args ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	for _, field := range [][2]string{{"tier", r.Tier}, {"from", r.From}, {"until", r.Until}, {"hours", r.Daily}} {
		if field[1] != "" {
			add("%s: %s", field[0], quoted(field[1]))
		}
	}
	if r.ContextFrom > 0 {
		add("context_from: %d", r.ContextFrom)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Prices)) {
		m, _ := price.ParseMeter(name)
		unit := "_usd_per_mtok"
		if m.PerCall() {
			unit = "_usd"
		}
		add("%s%s: %s", name, unit, price.Dollars(m, r.Prices[name]))
	}
	return text
}

// quoted is text in YAML's double quotes, whose escapes are JSON's and more.
func quoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(fmt.Sprintf("overrides: encoding a string: %v", err))
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
