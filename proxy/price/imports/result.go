package imports

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"purser/proxy/price"
)

// Limits of a file. LiteLLM's has some 5,000 entries in 4 MB.
const (
	MaxFile    = 64 << 20 // bytes
	maxEntries = 100_000
)

// Result is what a file came to. Models are in the order of the file, all valid
// and each of another name.
type Result struct {
	Models []price.Model
	Left   []Left
}

// Left is what was left out for one reason, or kept otherwise than it was written.
type Left struct {
	Why  string
	What []string // in the order of the file
}

// collector gathers a result.
type collector struct {
	source string
	scale  int // from the file's unit to pico-dollars, as in price.Decimal
	out    Result
	at     map[[3]string]int // place of a model in out.Models
	left   map[string]int
	none   *price.Catalogue // to check models with
}

func newCollector(source string, scale int) (*collector, error) {
	none, err := price.Parse((&price.Snapshot{Version: 1, Source: source}).Encode())
	if err != nil {
		return nil, fmt.Errorf("an empty catalogue: %w", err)
	}
	return &collector{source: source, scale: scale, at: map[[3]string]int{}, left: map[string]int{}, none: none}, nil
}

func (c *collector) leave(why, what string) {
	i, ok := c.left[why]
	if !ok {
		i = len(c.out.Left)
		c.left[why] = i
		c.out.Left = append(c.out.Left, Left{Why: why})
	}
	c.out.Left[i].What = append(c.out.Left[i].What, what)
}

// result puts the reasons in order.
func (c *collector) result() *Result {
	slices.SortStableFunc(c.out.Left, func(a, b Left) int { return strings.Compare(a.Why, b.Why) })
	return &c.out
}

// add takes a model, or says why not. Of two under one name the first stays,
// unless the later is the better named one.
func (c *collector) add(m price.Model, from string, better bool) {
	if !utf8.ValidString(m.Provider+m.Region+m.ID) || strings.ContainsFunc(m.Provider+m.Region+m.ID, func(r rune) bool { return !unicode.IsPrint(r) }) {
		c.leave("a name that is not printable", fmt.Sprintf("%q", from))
		return
	}
	m.Source = c.source
	if _, err := c.none.With([]price.Model{m}); err != nil {
		c.leave("not valid here", err.Error())
		return
	}
	name := [3]string{m.Provider, m.Region, m.ID}
	i, taken := c.at[name]
	switch {
	case !taken:
		c.at[name] = len(c.out.Models)
		c.out.Models = append(c.out.Models, m)
	case better:
		c.out.Models[i] = m
		fallthrough
	default:
		c.leave("listed twice, one counts", from)
	}
}

// number reads a price, or a count where shift is 0, from JSON. Null is none.
func number(raw json.RawMessage, shift int) (n int64, rounded, ok bool, err error) {
	text := string(raw)
	if text == "null" {
		return 0, false, false, nil
	}
	const fine = 6 // decimals below the unit; what is left below them is noise of floating point
	n, _, err = price.Decimal(text, shift+fine)
	if err != nil {
		return 0, false, false, err
	}
	switch n, rest := n/1e6, n%1e6; {
	case rest == 0:
		return n, false, true, nil
	case rest == 1:
		return n, false, true, nil
	default:
		return n + 1, rest < 1e6-1, true, nil
	}
}

// price reads one price of a model.
func (c *collector) price(model, field string, raw json.RawMessage, scale int) (int64, bool, error) {
	n, rounded, ok, err := number(raw, scale)
	if err != nil {
		return 0, false, fmt.Errorf("%s is not a price", field)
	}
	if rounded {
		c.leave("rounded up to a pico-dollar", model+" "+field)
	}
	return n, ok, nil
}

// count reads a limit in tokens; what is none is unknown.
func count(raw json.RawMessage) int64 {
	if n, rounded, ok, err := number(raw, 0); err == nil && ok && !rounded && n < 1<<40 {
		return n
	}
	return 0
}

// members calls do for each member of a JSON object, in order. The whole of data
// must be that object.
func members(data []byte, do func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	for n := 0; d.More(); n++ {
		if n >= maxEntries {
			return fmt.Errorf("more than %d members", maxEntries)
		}
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := do(key.(string), value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end")
	}
	return nil
}

func sized(data []byte) error {
	if len(data) > MaxFile {
		return fmt.Errorf("file of %d bytes is over the limit of %d", len(data), MaxFile)
	}
	return nil
}

// leftOut is why a model is left out.
type leftOut string

func (l leftOut) Error() string { return string(l) }

// band is where a price applies.
type band struct {
	tier string // "" is standard
	from int64
}

// prices are a model's, by where they apply.
type prices map[band]map[price.Meter]int64

func (p prices) set(at band, m price.Meter, n int64) {
	if p[at] == nil {
		p[at] = map[price.Meter]int64{}
	}
	p[at][m] = n
}

// complete gives tiers what they leave out and the standard tier has, and then
// long-context bands what their tier's first has. A tier without a price for
// input goes.
func (p prices) complete(gone func(band)) {
	for _, at := range p.bands() {
		if _, ok := p[band{tier: at.tier}][price.InputText]; !ok && at.tier != "" {
			delete(p, at)
			gone(at)
		}
	}
	for _, at := range p.bands() { // a tier's first band comes before its others
		switch {
		case at.from > 0:
			lend(p[at], p[band{tier: at.tier}])
		case at.tier != "":
			lend(p[at], p[band{}])
		}
	}
}

// lend fills what own leaves out: at least as it costs in first, and as the text
// of its own band. An hour's cache write, or sound, is never as cheap as text
// because one tier's price of it is not known.
func lend(own, first map[price.Meter]int64) {
	for _, text := range [2]price.Meter{price.InputText, price.OutputText} {
		if n, ok := first[text]; ok && !has(own, text) {
			own[text] = n
		}
	}
	for m, n := range first {
		switch {
		case has(own, m) || m.PerCall():
		case price.Input.Has(m):
			own[m] = max(n, own[price.InputText])
		default:
			own[m] = max(n, own[price.OutputText])
		}
	}
}

func has(of map[price.Meter]int64, m price.Meter) bool { _, ok := of[m]; return ok }

func (p prices) bands() []band {
	return slices.SortedFunc(maps.Keys(p), func(a, b band) int {
		return cmp.Or(strings.Compare(a.tier, b.tier), cmp.Compare(a.from, b.from))
	})
}

// rows are the prices as a model's rows, in order.
func (p prices) rows() (rows []price.Row) {
	for _, at := range p.bands() {
		row := price.Row{Tier: at.tier, ContextFrom: at.from, Prices: map[string]int64{}}
		for m, n := range p[at] {
			row.Prices[m.String()] = n
		}
		rows = append(rows, row)
	}
	return rows
}

// free says whether a model would cost nothing.
func (p prices) free() bool {
	first := p[band{}]
	return first[price.InputText] == 0 && first[price.OutputText] == 0 && first[price.Requests] == 0
}
