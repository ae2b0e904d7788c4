package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
	"purser/childkey"
)

// TestAChildSpendsItsSliceAndNoMore: a child with a slice and its own children, made
// by the programs in docs/keys.md, are used by an unchanged SDK on three nodes and a
// gateway at once. The provider bills no more than the slice. Revoking the parent stops them all.
func TestAChildSpendsItsSliceAndNoMore(t *testing.T) {
	c := newTrio(t, "", "20")
	nodes := append(c.peers, c.gateway("gw-1"))
	ctx := context.Background()
	parent := c.rig.key(admin.NewKey{
		Name: "orchestrator", Models: []string{"gpt-4o*"}, CacheOff: true, KeyRights: admin.KeyRights{Scopes: []string{"inference", "children:mint"}},
		Budgets: []admin.KeyBudget{{Limit: "1"}},
	})
	slice, err := childkey.ParseUSD("0.05")
	if err != nil {
		t.Fatal(err)
	}
	child, err := childkey.Mint(parent.Secret, childkey.Caveats{Expires: time.Now().Add(time.Hour).Unix(), Slice: &slice, Bind: map[string]string{"agent": "sub"}})
	if err != nil {
		t.Fatal(err)
	}
	keys := append([]string{child}, recipes(t, child)...)
	before := sum(c.billRows())

	var agents sync.WaitGroup
	for i, p := range nodes {
		for j := range 2 {
			key := keys[(i+j)%len(keys)]
			agents.Go(func() {
				client := openai.NewClient(option.WithBaseURL(p.url+"/v1"), option.WithAPIKey(key))
				for n := range 1000 {
					_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
						Model: "gpt-4o", MaxCompletionTokens: openai.Int(30),
						Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(fmt.Sprint("agent ", i, j, n))},
					})
					var refused *openai.Error
					switch {
					case errors.As(err, &refused) && refused.StatusCode == http.StatusPaymentRequired:
						return
					case err != nil:
						t.Errorf("agent %d.%d, request %d: %v", i, j, n, err)
						return
					}
				}
				t.Errorf("agent %d.%d was never refused", i, j)
			})
		}
	}
	agents.Wait()
	billed := sum(c.billRows()) - before
	t.Logf("%d keys, %d nodes: %d of %d nano-dollars billed", len(keys), len(nodes), billed, slice)
	if billed > int64(slice) || billed < int64(slice)*8/10 {
		t.Errorf("the provider billed %d, the slice is %d", billed, slice)
	}
	c.eventually("all of it is reported", func() error {
		shown, err := c.admin.ShowKey(ctx, parent.ID)
		if err != nil || len(shown.Children) == 0 || len(shown.Budgets) != 1 {
			return fmt.Errorf("%+v, %v", shown, err)
		}
		for _, ch := range shown.Children {
			if ch.Generation == 1 && ch.Spent != billed {
				return fmt.Errorf("the child has spent %d, billed are %d", ch.Spent, billed)
			}
		}
		if a := shown.Budgets[0].Accounts; len(a) != 1 || a[0].Spent != billed {
			return fmt.Errorf("the parent's budget: %+v", a)
		}
		return nil
	})

	if s := send(http.DefaultClient, chat(ctx, "gpt-4.1-nano", c.peers[1].url, parent.Secret, "another model")); s != http.StatusForbidden {
		t.Errorf("a model that the parent may not use: status %d", s)
	}
	free, err := childkey.Mint(parent.Secret, childkey.Caveats{Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range nodes {
		if s := send(http.DefaultClient, chat(ctx, "gpt-4o", p.url, free, "a child without a slice")); s != http.StatusOK {
			t.Errorf("%s: a child without a slice: status %d", p.id, s)
		}
	}
	if _, err := c.admin.RevokeKey(ctx, parent.ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range nodes {
		c.eventually(p.id+" refuses the children", func() error {
			for _, key := range append(keys, free) {
				if s := send(http.DefaultClient, chat(ctx, "gpt-4o", p.url, key, "after the parent")); s != http.StatusUnauthorized {
					return fmt.Errorf("status %d", s)
				}
			}
			return nil
		})
	}
}

// recipes makes children of a key with the programs in docs/keys.md, as far as this
// machine can run them.
func recipes(t *testing.T, parent string) (keys []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		name, run, flag string
		probe           []string
	}{
		{"python", "python3", "-c", []string{"-c", "import cryptography.hazmat.primitives.asymmetric.ed25519"}},
		{"javascript", "node", "-e", []string{"-e", "0"}},
	} {
		if err := exec.Command(r.run, r.probe...).Run(); err != nil {
			t.Logf("the recipe in %s is not tried: %v", r.name, err)
			continue
		}
		_, rest, ok := strings.Cut(string(text), "<!-- "+r.name+" -->\n```")
		_, rest, _ = strings.Cut(rest, "\n")
		program, _, found := strings.Cut(rest, "\n```")
		if !ok || !found {
			t.Fatalf("docs/keys.md has no recipe in %s", r.name)
		}
		cmd := exec.Command(r.run, r.flag, program)
		cmd.Env = append(os.Environ(), "PURSER_KEY="+parent)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the recipe in %s: %v\n%s", r.name, err, out)
		}
		key := strings.TrimSpace(string(out))
		k, err := childkey.Parse(key)
		if err == nil {
			err = k.Verify()
		}
		if err != nil || len(k.Blocks) != 2 {
			t.Fatalf("the recipe in %s made %q: %v", r.name, key, err)
		}
		keys = append(keys, key)
	}
	return keys
}
