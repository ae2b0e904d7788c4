package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/vault"
)

// sealedConfig gives a rig an upstream with sealed credentials, of gpt-4.1-nano, and
// one that is asked with its callers' keys, of gpt-4o. The first upstream has the
// rest of the models that tests ask for.
const sealedConfig = `    models: [gpt-4o-mini]
  - name: pooled
    base_url: PROVIDER/v1
    credential_match: "pool-*"
    models: [gpt-4.1-nano]
  - name: own
    base_url: PROVIDER/v1
    passthrough: true
    models: [gpt-4o]
`

// masterFile is a file of master keys that every node of a test reads.
type masterFile struct {
	t    *testing.T
	path string
}

func newMasterFile(t *testing.T, keys ...string) masterFile {
	t.Helper()
	f := masterFile{t, filepath.Join(t.TempDir(), "master.key")}
	f.hold(keys...)
	t.Setenv("PURSER_MASTER_KEY_FILE", f.path)
	return f
}

// hold replaces what is in the file, the current key first.
func (f masterFile) hold(keys ...string) {
	f.t.Helper()
	if err := os.WriteFile(f.path+".new", []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		f.t.Fatal(err)
	}
}

func masterID(t *testing.T, key string) string {
	t.Helper()
	keys, err := vault.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys[0].KeyID()
}

// sealedTrio is three nodes of sealedConfig, with one virtual key.
func sealedTrio(t *testing.T, provider ...string) *trio {
	t.Helper()
	r := newRig(t, rigOptions{cluster: true, config: sealedConfig, provider: append([]string{"--output-max", "40"}, provider...)})
	first := &peer{id: "e2e-1", url: r.url, process: r.node, admin: r.admin, args: []string{"serve", "--config", r.configFile()}}
	r.joined, r.node = append(r.joined, r.node), nil
	c := &trio{rig: r, peers: []*peer{first, r.join("e2e-2"), r.join("e2e-3")}}
	r.votes("e2e-1", "e2e-2", "e2e-3")
	r.budget(usd("cap", "100"))
	c.key = r.key(admin.NewKey{Name: "sealed", CacheOff: true})
	for _, p := range c.peers {
		c.serves(p, c.key.Secret)
	}
	return c
}

// with runs the binary with a key at its standard input; it must succeed.
func (r *rig) with(secret string, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdin = strings.NewReader(secret + "\n")
	cmd.Env = append(os.Environ(), "PURSER_URL="+r.url, "PURSER_ADMIN_TOKEN="+adminToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestKeysRotateUnderTraffic: master key, data key and the provider's key change on
// three nodes that serve, and no request fails.
func TestKeysRotateUnderTraffic(t *testing.T) {
	old, next := vault.NewKeyText(), vault.NewKeyText()
	file := newMasterFile(t, old)
	r := sealedTrio(t, "--key", "sk-pool-one-1", "--key", "sk-pool-two-1", "--key", "sk-pool-one-2")
	r.with("sk-pool-one-1", "credential", "put", "pool-one", "--provider", "openai")
	if said := r.with("sk-pool-two-1", "credential", "put", "pool-two", "--provider", "openai", "--weight", "3"); !strings.Contains(said, masterID(t, old)) || strings.Contains(said, "sk-pool") {
		t.Errorf("put said %q", said)
	}
	for _, p := range r.peers {
		r.eventually(p.id+" uses them", func() error {
			if s := send(http.DefaultClient, chat(context.Background(), "gpt-4.1-nano", p.url, r.key.Secret, "hello")); s != 200 {
				return fmt.Errorf("status %d", s)
			}
			return nil
		})
	}
	tr := drive(r.peers, r.key.Secret, 60)
	file.hold(old, next) // every node knows it before any seals with it
	for _, p := range r.peers {
		if s, err := p.admin.VaultStatus(context.Background()); err != nil || len(s.Known) != 2 || s.Current != masterID(t, old) {
			t.Errorf("%s: %+v, %v", p.id, s, err)
		}
	}
	file.hold(next, old)
	if said := r.run("vault", "rotate-master"); !strings.Contains(said, masterID(t, next)) {
		t.Errorf("rotate-master said %q", said)
	}
	if s, err := r.admin.VaultStatus(context.Background()); err != nil || s.Needed[masterID(t, next)] != 2 || len(s.Needed) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	file.hold(next)
	r.run("vault", "rotate-data", "pool-one")
	if said := r.with("sk-pool-one-2", "credential", "rotate", "pool-one"); !strings.Contains(said, "generation 3") {
		t.Errorf("rotate said %q", said)
	}
	said := r.with("sk-pool-one-2", "credential", "check", "pool-one")
	if !strings.Contains(said, "holds this key") {
		t.Errorf("check said %q", said)
	}
	seen := len(tr.answers())
	r.eventually("traffic goes on", func() error {
		if len(tr.answers()) < seen+60 {
			return errors.New("too little")
		}
		return nil
	})
	got := tr.end()
	if s := statuses(got, func(answer) bool { return true }); s[200] != len(got) || len(got) < 60 {
		t.Errorf("answers: %v", s)
	}
	if list := r.run("credential", "list"); strings.Contains(list, "sk-pool") || !strings.Contains(list, "hmac:") {
		t.Errorf("list said %q", list)
	}
}

// TestARotationThatIsKilledIsBegunAgain: the node that rotates is killed in the
// middle; every credential opens before and after, and another node ends it.
func TestARotationThatIsKilledIsBegunAgain(t *testing.T) {
	const many = 150
	old, next := vault.NewKeyText(), vault.NewKeyText()
	file := newMasterFile(t, old)
	r := sealedTrio(t, "--key", "sk-pool-1")
	ctx := context.Background()
	for i := range many {
		if _, err := r.admin.PutCredential(ctx, fmt.Sprintf("pool-%03d", i), nil, admin.NewCredential{Provider: "openai", Secret: "sk-pool-1"}); err != nil {
			t.Fatal(err)
		}
	}
	file.hold(next, old)
	victim := r.peers[1]
	went := make(chan error, 1)
	go func() { _, err := victim.admin.RotateMaster(ctx, false); went <- err }()
	needed := func() map[string]int {
		s, err := r.admin.VaultStatus(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s.Needed
	}
	r.eventually("some are rewrapped", func() error {
		if needed()[masterID(t, next)] == 0 {
			return errors.New("none is")
		}
		return nil
	})
	r.kill(victim)
	if err := <-went; err == nil {
		t.Fatal("the rotation was over before the kill: it needs more credentials")
	}
	n := needed()
	if n[masterID(t, old)] == 0 || n[masterID(t, old)]+n[masterID(t, next)] != many {
		t.Fatalf("after the kill: %v", n)
	}
	t.Logf("%d of %d were rewrapped when it was killed", n[masterID(t, next)], many)
	ask := func() {
		t.Helper()
		for range 20 { // any of them
			if s := send(http.DefaultClient, chat(ctx, "gpt-4.1-nano", r.url, r.key.Secret, "hello")); s != 200 {
				t.Errorf("status %d", s)
			}
		}
	}
	ask()
	again, err := r.admin.RotateMaster(ctx, false)
	if err != nil || again.Rewrapped != n[masterID(t, old)] || again.Unchanged != n[masterID(t, next)] || len(again.Failed) > 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	file.hold(next)
	ask()
	for _, id := range []string{"pool-000", "pool-077", "pool-149"} {
		if ok, err := r.admin.MatchCredential(ctx, id, "sk-pool-1"); !ok || err != nil {
			t.Errorf("%s: %v, %v", id, ok, err)
		}
	}
}

// TestANodeWithoutTheMasterKey serves what needs none, says what is missing, and
// goes on when it has it.
func TestANodeWithoutTheMasterKey(t *testing.T) {
	key := vault.NewKeyText()
	file := newMasterFile(t, key)
	r := newRig(t, rigOptions{config: sealedConfig, provider: []string{"--key", "sk-pool-1", "--key", "sk-proj-of-a-caller"}})
	r.budget(usd("cap", "100"))
	k := r.key(admin.NewKey{Name: "k", CacheOff: true}).Secret
	body := func(model string) string { return strings.Replace(hello, "gpt-4o-mini", model, 1) }
	if s, said, _ := r.ask(k, body("gpt-4.1-nano")); s != 503 || !strings.Contains(said, "credential_unavailable") || !strings.Contains(said, "has to put one") {
		t.Errorf("without a credential: %d %s", s, said)
	}
	r.with("sk-pool-1", "credential", "put", "pool-a", "--provider", "openai")
	if s, said, _ := r.ask(k, body("gpt-4.1-nano")); s != 200 {
		t.Errorf("with one: %d %s", s, said)
	}

	file.hold(vault.NewKeyText())
	r.stopNode()
	r.startNode()
	if s, said, _ := r.ask(k, body("gpt-4.1-nano")); s != 503 || !strings.Contains(said, "credential_unavailable") {
		t.Errorf("without the master key: %d %s", s, said)
	}
	if s, said, _ := r.ask(k, hello); s != 200 {
		t.Errorf("a key of the configuration: %d %s", s, said)
	}
	if s, said, _ := r.ask("", body("gpt-4o"), "x-purser-key", k, "Authorization", "Bearer sk-proj-of-a-caller"); s != 200 {
		t.Errorf("a caller's key: %d %s", s, said)
	}
	if s, said, _ := r.ask(k, body("gpt-4o")); s != 401 || !strings.Contains(said, "x-purser-key") {
		t.Errorf("a caller without its key: %d %s", s, said)
	}
	if said := r.run("vault", "status"); !strings.Contains(said, masterID(t, key)+"  missing") {
		t.Errorf("status said %q", said)
	}
	if said := r.run("credential", "list"); !strings.Contains(said, "sealed") {
		t.Errorf("list said %q", said)
	}
	log, err := os.ReadFile(r.node.log)
	if err != nil || !strings.Contains(string(log), "sealed by a master key that this node has not") || !strings.Contains(string(log), masterID(t, key)) {
		t.Errorf("the log does not say what is missing: %v", err)
	}
	file.hold(key)
	r.eventually("the key is found without a restart", func() error {
		if s, said, _ := r.ask(k, body("gpt-4.1-nano")); s != 200 {
			return fmt.Errorf("%d %s", s, said)
		}
		return nil
	})
}
