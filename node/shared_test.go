package node

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestWhatNodesShareSurvivesTheJoin: what a joining node is given loads as a
// configuration, has all that is common, and nothing of the node that gave it.
func TestWhatNodesShareSurvivesTheJoin(t *testing.T) {
	dir := t.TempDir()
	overrides := filepath.Join(dir, "prices.yaml")
	if err := os.WriteFile(overrides, []byte("rates: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Node = NodeConfig{ID: "giver", DataDir: dir}
	c.Listen.Client, c.Listen.TLSCert, c.Listen.TLSKey = "10.0.0.1:7070", "cert.pem", "key.pem"
	c.Cluster = ClusterConfig{Listen: "10.0.0.1:7071", Advertise: "giver:7071", JoinToken: "secret", Region: "eu", Zone: "a", Gossip: gossipOff, Profile: "wan", Stable: 30 * time.Second}
	c.Admin.Token = "0123456789abcdef: # odd"
	c.Upstreams = []UpstreamConfig{NewUpstream("sim", "http://127.0.0.1:1/v1", "sk-${odd} key")}
	c.Upstreams[0].Aliases = map[string]string{"fast": "gpt-4o-mini"}
	c.Vault = VaultConfig{MasterKeyFile: "/etc/master.key", MasterKey: "the-master-key", Transit: TransitConfig{Address: "https://vault:8200", Mount: "m", Key: "k", Timeout: time.Second, Token: "hvs.token", TokenFile: "/run/token"}, Current: "local:1"}
	c.Upstreams = append(c.Upstreams, NewUpstream("pooled", "http://127.0.0.1:1/v1", ""))
	c.Upstreams[1].Aliases, c.Upstreams[1].Credentials = map[string]string{}, []string{"a", "b"}
	c.Purse.Idle, c.Usage.Retention, c.Cache.Enabled = 7*time.Second, 48*time.Hour, false
	c.Prices.Overrides = overrides

	text, prices, err := c.shared()
	if err != nil || string(prices) != "rates: []\n" {
		t.Fatalf("shared: %q, %v", prices, err)
	}
	if err := os.Mkdir(filepath.Join(dir, clusterDir), 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := makeNodeKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealGiven(key, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, clusterDir, givenSealed), sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadGiven(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := c
	want.Node, want.Listen = Default().Node, Default().Listen
	want.Cluster = ClusterConfig{Gossip: gossipOff, Profile: "wan", Stable: 30 * time.Second}
	want.Vault = VaultConfig{Transit: TransitConfig{Address: "https://vault:8200", Mount: "m", Key: "k", Timeout: time.Second}}
	want.Prices = PricesConfig{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("what was given loads as\n%+v\nnot as\n%+v", got, want)
	}

	c.Cluster.Gossip = "10.0.0.1:9000" // is the giver's alone
	if text, _, err = c.shared(); err != nil || strings.Contains(string(text), "9000") {
		t.Errorf("an address of the giver is shared: %s, %v", text, err)
	}
}
