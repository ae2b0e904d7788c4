package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purser/api/admin"
	"purser/internal/audit/export"
)

// verified is what purser audit verify says of a node, which must be sound.
func (r *rig) verified(url string, args ...string) (v struct {
	Sound       bool
	After, Head string
	Entries     uint64
	Heads       int `json:"heads_compared"`
	Members     []admin.AuditMember
}) {
	r.t.Helper()
	out := r.run(append([]string{"audit", "verify", "--json", "--url", url}, args...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil || !v.Sound {
		r.t.Fatalf("audit verify said %s, %v", out, err)
	}
	return v
}

// TestTheAuditTrailIsTheSameOnEveryNode: changes and denials at three nodes and a
// gateway, one node killed and restarted meanwhile, one joined later: the chain of each
// is sound and has the same head, and no secret is in it.
func TestTheAuditTrailIsTheSameOnEveryNode(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	peers := []*peer{{id: "e2e-1", url: r.url, admin: r.admin}, r.join("e2e-2"), r.join("e2e-3")}
	r.votes("e2e-2", "e2e-3")
	gateway := r.gateway("e2e-g")
	ctx := context.Background()
	secrets := []string{adminToken, strings.SplitN(r.token(), ":", 2)[0]}
	var keys []admin.CreatedKey
	for i, p := range append(peers, gateway) {
		k, err := p.admin.CreateKey(ctx, admin.NewKey{Name: fmt.Sprint("key of ", p.id), Models: []string{"gpt-4.1-nano"}, CacheOff: true})
		if err != nil {
			t.Fatalf("%s: %v", p.id, err)
		}
		keys, secrets = append(keys, k), append(secrets, k.Secret)
		if _, err := p.admin.PutBudget(ctx, usd("cap", fmt.Sprint(i+1))); err != nil {
			t.Fatalf("%s: %v", p.id, err)
		}
	}
	if _, err := peers[0].admin.RevokeKey(ctx, keys[3].ID); err != nil {
		t.Fatal(err)
	}
	for i, p := range append(peers, gateway) {
		key := keys[i%3]
		r.eventually(p.id+" refuses the model", func() error {
			for range 3 { // the key is known there, or the answer is another
				if s, said := r.answerAt(p.url, key.Secret, "a model that the key may not ask"); s != http.StatusForbidden {
					return fmt.Errorf("%d %s", s, said)
				}
			}
			return nil
		})
	}
	r.eventually("every denial is in the trail", func() error {
		if n := r.denied(peers[1].url); n < 12 {
			return fmt.Errorf("%d of 12 or more", n)
		}
		return nil
	})
	noted := r.verified(peers[1].url).Head

	_ = peers[2].process.signal(t, syscall.SIGKILL)
	r.forget(peers[2])
	if err := peers[1].admin.DeleteBudget(ctx, "cap"); err != nil {
		t.Fatal(err)
	}
	r.launch(peers[2])
	peers = append(peers, r.join("e2e-4"))
	r.votes("e2e-3")
	if err := peers[3].admin.ChangeNode(ctx, "e2e-g", admin.DrainNode); err != nil {
		t.Fatal(err)
	}

	// Nothing changes any more: the heads are one.
	want := r.verified(peers[0].url)
	if want.After != "0:"+strings.Repeat("0", 64) || want.Entries < 20 {
		t.Errorf("the first node has %+v", want)
	}
	for _, p := range peers {
		r.eventually(p.id+" has the whole trail on disk", func() error {
			h, err := p.admin.AuditHead(ctx)
			if err == nil && !strings.HasPrefix(h.Head, fmt.Sprint(h.Stored, ":")) {
				err = fmt.Errorf("%+v", h)
			}
			return err
		})
		got := r.verified(p.url, "--head", noted)
		if got.Head != want.Head || got.After != want.After || got.Entries != want.Entries || got.Heads != 2 || len(got.Members) != 3 {
			t.Errorf("%s has %+v\nthe first has %+v", p.id, got, want)
		}
	}
	if _, err := gateway.admin.AuditHead(ctx); err == nil || !strings.Contains(err.Error(), "ask a member") {
		t.Errorf("the gateway answers %v", err)
	}

	file := filepath.Join(r.dir, "trail.jsonl")
	text := r.run("audit", "export", "--url", peers[3].url)
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("a secret is in the trail: %.12s…", s)
		}
	}
	by := map[string]int{}
	for l, err := range export.Read(strings.NewReader(text)) {
		e, e2 := l.Entry()
		if err != nil || e2 != nil {
			t.Fatal(err, e2)
		}
		by[fmt.Sprint(e.Action, " ", e.Node)]++
	}
	for _, what := range []string{
		"key.put e2e-1", "key.put e2e-2", "key.put e2e-3", "key.put e2e-g", "budget.put e2e-1", "budget.put e2e-g", "key.revoke e2e-1", "budget.delete e2e-2",
		"policy.denied e2e-1", "policy.denied e2e-2", "policy.denied e2e-3", "policy.denied e2e-g", "node.draining e2e-4", "token.create e2e-1", "node.admit e2e-1",
	} {
		if by[what] == 0 {
			t.Errorf("there is no entry %s: %v", what, by)
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := r.run("audit", "verify", "--file", file, "--head", want.Head, "--head", noted); !strings.Contains(said, "compared with 2 heads") {
		t.Errorf("of the file it said %q", said)
	}
	changed := bytes.Replace([]byte(text), []byte("key of e2e-2"), []byte("key of e2e-9"), 1)
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := r.refused("audit", "verify", "--file", file); !strings.Contains(said, "is changed") {
		t.Errorf("of the changed file it said %q", said)
	}
	lines := strings.SplitAfter(text, "\n")
	if err := os.WriteFile(file, []byte(strings.Join(lines[:len(lines)-2], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := r.refused("audit", "verify", "--file", file, "--head", want.Head); !strings.Contains(said, "is removed") {
		t.Errorf("of the cut file it said %q", said)
	}
}

// denied counts the denials in the trail.
func (r *rig) denied(url string) (n uint64) {
	r.t.Helper()
	for l, err := range export.Read(strings.NewReader(r.run("audit", "tail", "--json", "--last", "1000", "--action", "policy.*", "--url", url))) {
		e, e2 := l.Entry()
		if err != nil || e2 != nil {
			r.t.Fatal(err, e2)
		}
		n += e.Count
	}
	return n
}

// TestANewMemberFetchesTheWholeTrail: also what the replicated part does not reach back to.
func TestANewMemberFetchesTheWholeTrail(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	ctx := context.Background()
	large := usd("large", "1")
	for i := range 60 {
		large.Match = map[string][]string{"customer": append(large.Match["customer"], fmt.Sprintf("customer-%03d-%s", i, strings.Repeat("x", 200)))}
	}
	const changes = 250
	for i := range changes {
		large.Limit = json.Number(fmt.Sprint(i + 1))
		if _, err := r.admin.PutBudget(ctx, large); err != nil {
			t.Fatal(err)
		}
	}
	two := r.join("e2e-2")
	r.eventually("the new member has all entries", func() error {
		h, err := two.admin.AuditHead(ctx)
		if err == nil && (h.After != "0:"+strings.Repeat("0", 64) || h.Stored < changes || h.Aside != 0) {
			err = fmt.Errorf("%+v", h)
		}
		return err
	})
	if v := r.verified(two.url); v.Entries < changes {
		t.Errorf("%+v", v)
	}
}
