package node

import (
	"fmt"
	"os"

	"purser/proxy/price"
	"purser/proxy/price/overrides"
)

// loadPrices is the embedded catalogue with the operator's overrides.
func loadPrices(file string) (*price.Catalogue, error) {
	c := price.Embedded()
	if file == "" {
		return c, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("prices.overrides: %w", err)
	}
	if c, err = overrides.Apply(c, file, raw); err != nil {
		return nil, fmt.Errorf("prices.overrides: %w", err)
	}
	return c, nil
}
