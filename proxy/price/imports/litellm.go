package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"purser/proxy/price"
)

// LiteLLM reads LiteLLM's model_prices_and_context_window.json, whose prices are
// dollars for one token.
func LiteLLM(data []byte) (*Result, error) {
	if err := sized(data); err != nil {
		return nil, err
	}
	c, err := newCollector("litellm", price.PerOne)
	if err != nil {
		return nil, err
	}
	err = members(data, func(key string, value json.RawMessage) error {
		if key == "sample_spec" { // its own documentation
			return nil
		}
		if err := c.litellmEntry(key, value); err != nil {
			var left leftOut
			if !errors.As(err, &left) {
				return fmt.Errorf("%q: %w", key, err)
			}
			c.leave(string(left), key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading LiteLLM's prices: %w", err)
	}
	return c.result(), nil
}

// litellmModel is one entry on its way.
type litellmModel struct {
	c       *collector
	key     string
	fields  map[string]json.RawMessage
	prices  prices
	regions map[string]int64 // factor on token prices, in millionths
}

func (c *collector) litellmEntry(key string, value json.RawMessage) error {
	m := &litellmModel{c: c, key: key, prices: prices{}, regions: map[string]int64{}}
	if err := json.Unmarshal(value, &m.fields); err != nil {
		return leftOut("not an object")
	}
	provider, mode := m.text("litellm_provider"), m.text("mode")
	switch mode {
	case "chat", "responses", "completion", "embedding":
	case "":
		return leftOut("no model: it has no mode")
	default:
		return leftOut("of mode " + mode)
	}
	if provider == "" {
		return leftOut("of no provider")
	}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if err := m.field(provider, name, m.fields[name]); err != nil {
			return err
		}
	}
	if err := m.judge(mode); err != nil {
		return err
	}
	m.prices.complete(func(at band) { c.leave("a tier without a price for input", key+" "+at.tier) })
	m.add(provider)
	return nil
}

func (m *litellmModel) text(name string) string {
	var s string
	if json.Unmarshal(m.fields[name], &s) != nil {
		return ""
	}
	return s
}

// field reads one field of an entry, if it is a price.
func (m *litellmModel) field(provider, name string, raw json.RawMessage) error {
	if at, meter, ok := litellmMeter(name); ok {
		n, ok, err := m.c.price(m.key, name, raw, m.c.scale)
		if err != nil {
			return leftOut("with a price that is no decimal number")
		}
		if meter == price.CacheWriteOther && n == 0 {
			ok = false // providers without such a price are given zero
		}
		if ok {
			m.prices.set(at, meter, n)
		}
		return nil
	}
	switch name {
	case "tiered_pricing":
		return m.tiered(raw)
	case "search_context_cost_per_query":
		return m.searches(raw)
	case "file_search_cost_per_1k_calls":
		n, ok, err := m.c.price(m.key, name, raw, price.PerThousand)
		if err != nil {
			return leftOut("with a price that is no decimal number")
		}
		if ok {
			m.prices.set(band{}, price.FileSearch, n)
		}
		return nil
	case "regional_processing_uplift_multiplier_eu", "regional_processing_uplift_multiplier_us":
		return m.region(strings.TrimPrefix(name, "regional_processing_uplift_multiplier_"), raw)
	case "provider_specific_entry":
		var factors map[string]json.RawMessage
		if json.Unmarshal(raw, &factors) == nil && provider == "anthropic" && factors["us"] != nil {
			return m.region("us", factors["us"])
		}
	case "input_cost_per_token_cache_hit": // the older name of a cache read's price
		if m.fields["cache_read_input_token_cost"] == nil {
			return m.field(provider, "cache_read_input_token_cost", raw)
		}
		return nil
	}
	m.unmetered(name, raw)
	return nil
}

// unmetered reports a price that nothing here is charged by. Whether the model
// can be kept without it is [litellmModel.judge]'s business.
func (m *litellmModel) unmetered(name string, raw json.RawMessage) {
	for _, word := range []string{"cost", "pricing", "multiplier", "provider_specific_entry", "search_free_requests", "billing_unit"} {
		if !strings.Contains(name, word) {
			continue
		}
		if n, _, ok, err := number(raw, m.c.scale); err != nil || ok && n > 0 {
			m.c.leave("a price without a meter: "+name, m.key)
		}
		return
	}
}

// countedAs are tokens that are metered under another name.
var countedAs = map[string]price.Meter{
	"input_cost_per_video_token": price.InputText, "output_cost_per_video_token": price.OutputText, "citation_cost_per_token": price.OutputText,
}

// notTokens are units of what may be no token at all; a model that has them must
// have a price of the tokens that they come as.
var notTokens = map[string]price.Meter{
	"input_cost_per_image": price.ImageIn, "output_cost_per_image": price.ImageOut,
	"input_cost_per_pixel": price.ImageIn, "output_cost_per_pixel": price.ImageOut,
	"input_cost_per_audio_per_second": price.AudioIn, "input_cost_per_second": price.AudioIn, "output_cost_per_second": price.AudioOut,
	"input_cost_per_video_per_second": price.AudioIn, "output_cost_per_video_per_second": price.AudioOut,
}

// neverTokens are units that no meter here counts.
var neverTokens = []string{
	"input_cost_per_character", "output_cost_per_character", "ocr_cost_per_page", "annotation_cost_per_page", "cost_per_second",
	"input_cost_per_text_message", "input_cost_per_query",
}

// judge says whether what is left of a model's prices can stand for all of them.
func (m *litellmModel) judge(mode string) error {
	first := m.prices[band{}]
	priced := func(name string) int64 {
		n, _, ok, err := number(m.fields[name], m.c.scale)
		if m.fields[name] == nil || err != nil || !ok {
			return 0
		}
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(countedAs)) {
		if priced(name) > first[countedAs[name]] {
			return leftOut("with " + name + " dearer than the tokens that it is metered as")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(notTokens)) {
		if _, ok := first[notTokens[name]]; !ok && priced(name) > 0 {
			return leftOut("with " + name + ", and no price of the tokens")
		}
	}
	for _, name := range neverTokens {
		if priced(name) > 0 {
			return leftOut("priced by " + name)
		}
	}
	_, in := first[price.InputText]
	_, out := first[price.OutputText]
	switch {
	case !in:
		return leftOut("without a price for input tokens")
	case !out && mode != "embedding":
		return leftOut("without a price for output tokens")
	case m.prices.free():
		return leftOut("priced at zero")
	}
	return nil
}

// tiered reads bands that are written as ranges of the input.
func (m *litellmModel) tiered(raw json.RawMessage) error {
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return leftOut("with tiered_pricing of another form")
	}
	for _, step := range list {
		var ends []json.RawMessage
		if json.Unmarshal(step["range"], &ends) != nil || len(ends) != 2 {
			return leftOut("with tiered_pricing of another form")
		}
		from := count(ends[0]) // where two ranges meet, the dearer counts
		for _, name := range slices.Sorted(maps.Keys(step)) {
			at, meter, ok := litellmMeter(name)
			if !ok || at != (band{}) {
				if name != "range" {
					m.unmetered(name, step[name])
				}
				continue
			}
			n, ok, err := m.c.price(m.key, name, step[name], m.c.scale)
			if err != nil {
				return leftOut("with a price that is no decimal number")
			}
			if ok {
				m.prices.set(band{from: from}, meter, n)
			}
		}
	}
	return nil
}

// searches takes the dearest of the prices by the size of what a search brings.
func (m *litellmModel) searches(raw json.RawMessage) error {
	var sizes map[string]json.RawMessage
	if json.Unmarshal(raw, &sizes) != nil {
		return leftOut("with search_context_cost_per_query of another form")
	}
	var dearest int64
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		n, _, err := m.c.price(m.key, name, sizes[name], price.PerOne)
		if err != nil {
			return leftOut("with a price that is no decimal number")
		}
		dearest = max(dearest, n)
	}
	if dearest > 0 {
		m.prices.set(band{}, price.WebSearch, dearest)
	}
	return nil
}

const whole = 1_000_000 // a factor of 1, in millionths

func (m *litellmModel) region(name string, raw json.RawMessage) error {
	n, _, ok, err := number(raw, 6)
	if err != nil || ok && n < whole {
		return leftOut("with a region's factor that is no number above 1")
	}
	if ok {
		m.regions[name] = n
	}
	return nil
}

// add gives the model to the collector, and again for each region.
func (m *litellmModel) add(from string) {
	provider, region, id, prefixed := litellmName(from, m.key)
	if id == "" || strings.Contains(m.key, "-commitment/") {
		m.c.leave("a name without a model, or capacity bought ahead", m.key)
		return
	}
	model := price.Model{Provider: provider, Region: region, ID: id, Rates: m.prices.rows()}
	model.MaxOutput = count(m.fields["max_output_tokens"])
	if in := count(m.fields["max_input_tokens"]); in > 0 {
		model.ContextWindow = in + model.MaxOutput // the limit is of the input alone
	}
	if strings.HasPrefix(id, "ft:") {
		model.Match = price.Match{Equals: []string{id}, Prefix: []string{id + ":"}}
	}
	m.c.add(model, m.key, prefixed)
	for _, r := range slices.Sorted(maps.Keys(m.regions)) {
		if region != "" {
			continue
		}
		own := model
		own.Region, own.Rates = r, nil
		for _, row := range model.Rates {
			own.Rates = append(own.Rates, uplifted(row, m.regions[r]))
		}
		m.c.add(own, m.key+" in "+r, prefixed)
	}
}

// uplifted is a row with its tokens' prices times a factor, rounded up.
func uplifted(row price.Row, factor int64) price.Row {
	scaled := map[string]int64{}
	for name, n := range row.Prices {
		scaled[name] = n
		if m, _ := price.ParseMeter(name); !m.PerCall() && n <= (1<<62)/factor {
			scaled[name] = (n*factor + whole - 1) / whole
		}
	}
	row.Prices = scaled
	return row
}
