package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"purser/proxy/price"
)

// ModelsDev reads models.dev's api.json, whose prices are dollars for a million
// tokens.
func ModelsDev(data []byte) (*Result, error) {
	if err := sized(data); err != nil {
		return nil, err
	}
	c, err := newCollector("models.dev", price.PerMillion)
	if err != nil {
		return nil, err
	}
	err = members(data, func(provider string, value json.RawMessage) error {
		var p struct {
			Models json.RawMessage `json:"models"`
		}
		if err := json.Unmarshal(value, &p); err != nil || p.Models == nil {
			c.leave("a provider without models", provider)
			return nil
		}
		err := members(p.Models, func(id string, value json.RawMessage) error {
			at := provider + "/" + id
			m, err := c.modelsDevModel(at, value)
			var left leftOut
			if errors.As(err, &left) {
				c.leave(string(left), at)
				return nil
			}
			if err != nil {
				return err
			}
			m.Provider, m.ID = provider, id
			if known, ok := modelsDevProviders[provider]; ok {
				m.Provider = known
			}
			c.add(*m, at, false)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%q: %w", provider, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading models.dev's prices: %w", err)
	}
	return c.result(), nil
}

// modelsDevProviders are models.dev's names of providers that the catalogue names
// otherwise.
var modelsDevProviders = map[string]string{
	"xai": "x-ai", "amazon-bedrock": "aws", "togetherai": "together", "fireworks-ai": "fireworks", "novita-ai": "novita", "voyage": "voyageai",
}

var modelsDevPrices = map[string]price.Meter{
	"input": price.InputText, "output": price.OutputText, "reasoning": price.OutputReasoning,
	"cache_read": price.CacheRead, "cache_write": price.CacheWriteOther,
	"input_audio": price.AudioIn, "output_audio": price.AudioOut,
}

func (c *collector) modelsDevModel(at string, value json.RawMessage) (*price.Model, error) {
	var in struct {
		Cost  map[string]json.RawMessage `json:"cost"`
		Limit struct {
			Context json.RawMessage `json:"context"`
			Output  json.RawMessage `json:"output"`
		} `json:"limit"`
		Experimental struct {
			Modes map[string]struct {
				Cost map[string]json.RawMessage `json:"cost"`
			} `json:"modes"`
		} `json:"experimental"`
	}
	if json.Unmarshal(value, &in) != nil {
		return nil, leftOut("of another form")
	}
	if in.Cost == nil {
		return nil, leftOut("without a price")
	}
	p := prices{}
	if err := c.modelsDevCost(p, at, band{}, in.Cost); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Experimental.Modes)) {
		cost := in.Experimental.Modes[name].Cost
		tier, ok := price.ParseTier(name)
		switch {
		case cost == nil:
		case !ok || tier == price.Auto || tier == price.Standard:
			c.leave("a tier that does not exist here: "+name, at)
		default:
			if err := c.modelsDevCost(p, at, band{tier: tier.String()}, cost); err != nil {
				return nil, err
			}
		}
	}
	first := p[band{}]
	if _, ok := first[price.InputText]; !ok {
		return nil, leftOut("without a price for input tokens")
	}
	if _, ok := first[price.OutputText]; !ok {
		return nil, leftOut("without a price for output tokens")
	}
	if p.free() {
		return nil, leftOut("priced at zero")
	}
	p.complete(func(b band) { c.leave("a tier without a price for input", at+" "+b.tier) })
	return &price.Model{Rates: p.rows(), ContextWindow: count(orNull(in.Limit.Context)), MaxOutput: count(orNull(in.Limit.Output))}, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// modelsDevCost reads a cost object, and the bands in it.
func (c *collector) modelsDevCost(p prices, model string, at band, cost map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(cost)) {
		raw := cost[name]
		if m, ok := modelsDevPrices[name]; ok {
			n, ok, err := c.price(model, name, raw, c.scale)
			if err != nil {
				return leftOut("with a price that is no decimal number")
			}
			if m == price.CacheWriteOther && n == 0 {
				ok = false // a zero stands for a cache without such a price
			}
			if ok {
				p.set(at, m, n)
			}
			continue
		}
		var err error
		switch {
		case name == "tiers" && at.from == 0:
			err = c.modelsDevTiers(p, model, at, raw)
		case name == "context_over_200k" && at.from == 0:
			if cost["tiers"] != nil {
				continue // the older form of the same
			}
			const over = 200_000
			err = c.modelsDevBand(p, model, band{at.tier, over + 1}, raw)
		case name == "tier" && at.from > 0:
		default:
			c.leave("a price without a meter: "+name, model)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) modelsDevTiers(p prices, model string, at band, raw json.RawMessage) error {
	var tiers []json.RawMessage
	if json.Unmarshal(raw, &tiers) != nil {
		return leftOut("with tiers of another form")
	}
	for _, t := range tiers {
		var head struct {
			Tier struct {
				Type string          `json:"type"`
				Size json.RawMessage `json:"size"`
			} `json:"tier"`
		}
		if json.Unmarshal(t, &head) != nil || head.Tier.Type != "context" || count(orNull(head.Tier.Size)) == 0 {
			return leftOut("with tiers of another form")
		}
		if err := c.modelsDevBand(p, model, band{at.tier, count(head.Tier.Size) + 1}, t); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) modelsDevBand(p prices, model string, at band, raw json.RawMessage) error {
	var cost map[string]json.RawMessage
	if json.Unmarshal(raw, &cost) != nil {
		return leftOut("with tiers of another form")
	}
	return c.modelsDevCost(p, model, at, cost)
}
