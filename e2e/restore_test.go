package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purser/api/admin"
)

// run runs the binary, which must succeed.
func (r *rig) run(args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "PURSER_URL="+r.url, "PURSER_ADMIN_TOKEN="+adminToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestAClusterIsRestored: a cluster is lost after a backup and begins anew from it.
// Nothing that may have been spent since is given again until an operator says so;
// the nodes of the lost cluster take no part in the new one until they join it.
func TestAClusterIsRestored(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two := r.join("e2e-2")
	r.votes("e2e-2")
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	serves := func(url, what string) {
		t.Helper()
		r.eventually(what, func() error {
			if s := r.askAt(url, key.Secret, what); s != http.StatusOK {
				return fmt.Errorf("status %d", s)
			}
			return nil
		})
	}
	serves(r.url, "before the backup")
	file := filepath.Join(r.dir, "cluster.backup")
	if said := r.run("backup", "--out", file); !strings.Contains(said, "generation 0: 1 budgets") {
		t.Errorf("backup said %q", said)
	}
	serves(r.url, "after the backup")
	serves(two.url, "after the backup, elsewhere")
	noted := r.verified(r.url).Head
	r.key(admin.NewKey{Name: "made after the backup"})
	r.verified(r.url, "--head", noted)
	spent := sum(r.billRows())

	_ = r.node.signal(t, syscall.SIGKILL)
	r.node = nil
	r.kill(two)
	damaged := filepath.Join(r.dir, "damaged.backup")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 4
	if err := os.WriteFile(damaged, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"Say --yes":                            {"restore", file, "--config", r.configFile()},
		"with --replace":                       {"restore", file, "--config", r.configFile(), "--yes"},
		"backup: unreadable":                   {"restore", damaged, "--config", r.configFile(), "--yes"},
		"an id that the backup does not know":  {"restore", file, "--config", r.configFile(), "--yes", "--data-dir", filepath.Join(r.dir, "new")},
		"is there already; a backup replaces":  {"backup", "--out", file},
		"may have been spent after the backup": {"budget", "release", "cap"},
	} {
		if said := r.refused(args...); !strings.Contains(said, says) {
			t.Errorf("%v said %q", args, said)
		}
	}
	if said := r.run("restore", file, "--config", r.configFile(), "--yes", "--replace"); !strings.Contains(said, "begins generation 1") || !strings.Contains(said, "set aside") {
		t.Errorf("restore said %q", said)
	}
	r.startNode()
	ctx := context.Background()
	if s, err := r.admin.Status(ctx); err != nil || s.Generation != 1 || s.Cluster != "e2e" {
		t.Errorf("status %+v, %v", s, err)
	}
	// The trail goes on from the backup; what the lost cluster wrote after it is kept aside.
	r.verified(r.url, "--head", noted)
	if h, err := r.admin.AuditHead(ctx); err != nil || h.Aside == 0 {
		t.Errorf("the audit trail after the restore: %+v, %v", h, err)
	}
	if said := r.run("audit", "tail", "--action", "cluster.restore"); !strings.Contains(said, "applied cluster.restore cluster/e2e by local on e2e-1") || !strings.Contains(said, `"trail":"`+noted) {
		t.Errorf("of the restore it says %q, after %s", said, noted)
	}
	account := func() admin.Account {
		t.Helper()
		b, err := r.admin.ShowBudget(ctx, "cap")
		if err != nil || len(b.Accounts) != 1 {
			t.Fatalf("%+v, %v", b, err)
		}
		return b.Accounts[0]
	}
	if a := account(); a.Available != 0 || a.Withheld == 0 || a.Withheld != a.WrittenOff || a.Spent+a.WrittenOff != a.Limit {
		t.Errorf("after the restore: %+v", a)
	}
	if s, said := r.answerAt(r.url, key.Secret, "nothing is known to be left"); s != http.StatusPaymentRequired {
		t.Errorf("it spends what may be spent: %d %s", s, said)
	}

	// The other node still has its part of the lost cluster.
	if said := r.refused(append(two.args, "--token", r.token())...); !strings.Contains(said, "join with --rejoin") {
		t.Errorf("with a token of the new cluster it said %q", said)
	}
	two.args = append(two.args, "--token", r.token(), "--rejoin")
	r.launch(two)
	r.votes("e2e-2")
	if n := r.member("e2e-2"); n.Incarnation <= 1<<20 {
		t.Errorf("it is of the lost time: %+v", n)
	}
	r.run("budget", "release", "cap", "--yes")
	serves(r.url, "after the release")
	serves(two.url, "after the release, elsewhere")
	if a := account(); a.Withheld != 0 || a.Limit != a.Available+a.Outstanding+a.Spent+a.WrittenOff {
		t.Errorf("after the release: %+v", a)
	}
	if total := sum(r.billRows()); total <= spent || total > 1_000_000_000 {
		t.Errorf("billed %d, before the loss %d", total, spent)
	}
	// The same command starts it again.
	r.kill(two)
	r.launch(two)
	serves(two.url, "after its restart")
}
