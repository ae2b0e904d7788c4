package node

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// shared is what all nodes of a cluster have in common, as the YAML that a
// joining node starts with, and the price overrides. It holds the admin token
// and the providers' keys: it goes to who has shown a token, and nowhere else.
func (c *Config) shared() (configuration, prices []byte, err error) {
	own, out := Default(), *c
	out.Node, out.Listen = own.Node, own.Listen
	out.Cluster = ClusterConfig{Profile: c.Cluster.Profile, Stable: c.Cluster.Stable}
	if c.Cluster.Gossip == gossipOff {
		out.Cluster.Gossip = gossipOff // an address is each node's own
	}
	out.Vault.MasterKey, out.Vault.MasterKeyFile, out.Vault.Current = "", "", "" // whoever has it opens every credential: it is not sent
	out.Vault.Transit.Token, out.Vault.Transit.TokenFile = "", ""
	out.Prices, out.Redaction.RulesFile = PricesConfig{}, ""
	if c.Prices.Overrides != "" {
		if prices, err = os.ReadFile(c.Prices.Overrides); err != nil {
			return nil, nil, fmt.Errorf("prices.overrides: %w", err)
		}
	}
	if configuration, err = yaml.Marshal(out); err != nil {
		return nil, nil, fmt.Errorf("writing the shared configuration: %w", err)
	}
	return configuration, prices, nil
}
