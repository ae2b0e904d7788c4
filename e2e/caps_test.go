package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"purser/api/admin"
)

func pricesFile(t *testing.T, yaml string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExactlyAsManyRunAsTheCapHolds: with a hold of 0.10 USD that is billed in
// full, a cap of 5 USD lets exactly 50 requests run, whatever the concurrency.
//
// The bill equals the hold because the prompt costs nothing, the provider
// ignores nothing and generates up to the cap of 100 tokens, at 0.001 USD each.
func TestExactlyAsManyRunAsTheCapHolds(t *testing.T) {
	r := newRig(t, rigOptions{
		provider: []string{"--output-min", "1000", "--output-max", "1000", "--first-byte", "400ms"},
		config: "prices:\n  overrides: " + pricesFile(t, `providers:
  openai:
    models:
      gpt-4o:
        input_usd_per_mtok: 0
        output_usd_per_mtok: 1000
`) + "\n",
	})
	for _, n := range []int{1, 2, 10, 49, 50, 51, 100, 333, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			id := fmt.Sprintf("cap-%d", n)
			b := usd(id, "5")
			b.Match = map[string][]string{"customer": {id}}
			r.budget(b)
			key := r.key(admin.NewKey{Name: id, Bound: map[string]string{"customer": id}, CacheOff: true}).Secret
			var ran, refused atomic.Int64
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					status, body, header := r.ask(key, fmt.Sprintf(`{"model":"gpt-4o","service_tier":"default","max_completion_tokens":100,"messages":[{"role":"user","content":"%d"}]}`, i))
					switch status {
					case 200:
						ran.Add(1)
					case 402:
						refused.Add(1)
						if header.Get("x-should-retry") != "false" {
							t.Errorf("a refusal does not forbid the retry: %v", header)
						}
					default:
						t.Errorf("status %d: %s", status, body)
					}
				})
			}
			wg.Wait()
			if want := int64(min(n, 50)); ran.Load() != want || refused.Load() != int64(n)-want {
				t.Errorf("%d ran and %d were refused, want %d and %d", ran.Load(), refused.Load(), want, int64(n)-want)
			}
			if a := r.settled(id); a.Spent != ran.Load()*100_000_000 {
				t.Errorf("spent is %d for %d requests of 0.10 USD", a.Spent, ran.Load())
			}
		})
	}
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
}
