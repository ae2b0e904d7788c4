package e2e

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
)

// Long forms of the suites, set by the make targets.
var (
	kills      = flag.Int("kills", 5, "seeds of the kill test")
	firstSeed  = flag.Uint64("seed", 1, "first seed")
	saturation = flag.Duration("saturate", 3*time.Second, "length of the saturation test")
	trials     = flag.Int("trials", 100, "trials of the disconnect test")
)

const adminToken = "e2e-admin-token-of-one-run-k7w2q9"

// patience bounds every wait for something that should come at once.
const patience = 30 * time.Second

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "purser-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "purser")
	build := exec.Command("go", "build", "-o", binary, "./cmd/purser")
	build.Dir, build.Stderr = "..", os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the binary:", err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// rig is a simulated provider and a node, as processes.
type rig struct {
	t         *testing.T
	dir, bill string
	provider  *process
	node      *process
	url       string // of the node
	upstream  string // of the provider, with /v1
	admin     *admin.Client
	options   rigOptions
	joined    []*process // further nodes of a cluster
}

type rigOptions struct {
	provider []string // more flags of the provider
	config   string   // more YAML of the node; PROVIDER stands for the provider's URL
	upstream string   // another base URL
	api      string   // the wire format of the upstream, "" for OpenAI's
	cluster  bool     // the node is the first of a cluster
	purse    string   // more YAML of its section "purse"
	admin    string   // more YAML of its section "admin"
	token    string   // another admin.token
	listen   string   // more YAML of its section "listen"
	address  string   // where the node listens, if not anywhere
	disk     int      // MiB of a file system of the node's own; 0 shares the machine's
}

// process is one child.
type process struct {
	cmd  *exec.Cmd
	done chan error
	log  string
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "purser-e2e-rig-")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, bill: filepath.Join(dir, "bill.jsonl"), options: o}
	t.Cleanup(r.cleanup)
	if o.disk > 0 {
		r.mountDisk(o.disk)
	}
	args := append([]string{"simprovider", "--listen", "127.0.0.1:0", "--bill", r.bill, "--key", "sk-e2e", "--request-modes"}, o.provider...)
	r.provider, r.upstream = r.start("provider", "provider at ", args...)
	if o.upstream == "" {
		r.options.upstream = r.upstream
	}
	if o.cluster {
		r.options.config += "cluster:\n  listen: 127.0.0.1:0\n  stable: 500ms\n"
	}
	r.writeConfig(cmp.Or(o.address, "127.0.0.1:0"))
	if o.cluster {
		if out, err := exec.Command(binary, "cluster", "init", "--config", r.configFile(), "--name", "e2e").CombinedOutput(); err != nil {
			t.Fatalf("cluster init: %v\n%s", err, out)
		}
	}
	r.startNode()
	r.writeConfig(strings.TrimPrefix(r.url, "http://"))
	return r
}

func (r *rig) writeConfig(listen string) {
	r.t.Helper()
	text := fmt.Sprintf("node:\n  id: e2e-1\n  data_dir: %q\nlisten:\n  client: %s\n%sadmin:\n  token: %s\n  open_metrics: true\n%spurse:\n  idle: 1s\n%supstreams:\n  - name: sim\n    api: %s\n    base_url: %s\n    key: sk-e2e\n%s",
		filepath.Join(r.dir, "data"), listen, r.options.listen, cmp.Or(r.options.token, adminToken), r.options.admin, r.options.purse, cmp.Or(r.options.api, "openai"), r.options.upstream, strings.ReplaceAll(r.options.config, "PROVIDER", strings.TrimSuffix(r.upstream, "/v1")))
	if err := os.WriteFile(r.configFile(), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) configFile() string { return filepath.Join(r.dir, "node.yaml") }

func (r *rig) startNode() {
	r.t.Helper()
	r.node, r.url = r.start("node", "serves at ", "serve", "--config", r.configFile())
	r.admin = &admin.Client{URL: r.url, Token: cmp.Or(r.options.token, adminToken)}
	r.eventually("the node is ready", func() error {
		res, err := http.Get(r.url + "/readyz")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != 200 {
			return fmt.Errorf("readyz answers %d", res.StatusCode)
		}
		return nil
	})
}

// start runs the binary; what follows marker in its output is its address.
func (r *rig) start(name, marker string, args ...string) (*process, string) {
	r.t.Helper()
	p := &process{cmd: exec.Command(binary, args...), done: make(chan error, 1), log: filepath.Join(r.dir, name+".log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), marker); ok {
			go func() {
				_, _ = io.Copy(io.Discard, out) // until the process ends
				p.done <- p.cmd.Wait()
			}()
			return p, strings.TrimSpace(url)
		}
	}
	err = p.cmd.Wait()
	tail, _ := os.ReadFile(p.log)
	r.t.Fatalf("%s ended before it was ready: %v\n%s", name, err, tail)
	return nil, ""
}

func (p *process) signal(t *testing.T, s syscall.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		t.Fatalf("the process did not end on %v within %v", s, patience)
		return nil
	}
}

// stopNode ends the node in peace; it must end well.
func (r *rig) stopNode() {
	r.t.Helper()
	if err := r.node.signal(r.t, syscall.SIGTERM); err != nil {
		r.t.Fatalf("the node ended badly: %v", err)
	}
	r.node = nil
}

func (r *rig) cleanup() {
	for _, p := range append([]*process{r.node, r.provider}, r.joined...) {
		if p != nil {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	if r.t.Failed() {
		keep := filepath.Join("..", "_fail", strings.ReplaceAll(r.t.Name(), "/", "_"))
		_ = os.RemoveAll(keep)
		if err := os.CopyFS(keep, os.DirFS(r.dir)); err == nil {
			r.t.Logf("data, logs and bill are kept in %s", keep)
		}
	}
	os.RemoveAll(r.dir)
}

// eventually waits until f returns nil.
func (r *rig) eventually(what string, f func() error) {
	r.t.Helper()
	r.eventuallyWithin(patience, what, f)
}

func (r *rig) eventuallyWithin(limit time.Duration, what string, f func() error) {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("waited %v for this: %s; last: %v", limit, what, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (r *rig) key(in admin.NewKey) admin.CreatedKey {
	r.t.Helper()
	k, err := r.admin.CreateKey(context.Background(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

func (r *rig) budget(b admin.Budget) {
	r.t.Helper()
	if _, err := r.admin.PutBudget(context.Background(), b); err != nil {
		r.t.Fatal(err)
	}
}

func usd(id, limit string) admin.Budget {
	return admin.Budget{ID: id, Unit: "usd", Limit: json.Number(limit), Window: "total"}
}

// settled waits until no allowance of the budget's one account is out.
func (r *rig) settled(id string) admin.Account {
	r.t.Helper()
	var account admin.Account
	r.eventually("the leases of "+id+" are back", func() error {
		b, err := r.admin.ShowBudget(context.Background(), id)
		if err != nil {
			return err
		}
		if len(b.Accounts) != 1 || b.Accounts[0].Outstanding != 0 {
			return fmt.Errorf("accounts: %+v", b.Accounts)
		}
		account = b.Accounts[0]
		return nil
	})
	return account
}

func (r *rig) holds() int {
	r.t.Helper()
	s, err := r.admin.Status(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Holds
}

func (r *rig) billRows() []simprovider.Row {
	r.t.Helper()
	rows, err := simprovider.ReadBill(r.bill)
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

func sum(rows []simprovider.Row) int64 {
	var n int64
	for _, row := range rows {
		n += int64(row.Cost)
	}
	return n
}

// ask posts a body to the chat route and reads the answer whole.
func (r *rig) ask(key, body string, headers ...string) (int, string, http.Header) {
	r.t.Helper()
	return r.post("/v1/chat/completions", key, body, headers...)
}

// post posts a body to a route and reads the answer whole.
func (r *rig) post(path, key, body string, headers ...string) (int, string, http.Header) {
	r.t.Helper()
	status, answer, header, err := r.try(path, key, body, headers...)
	if err != nil {
		r.t.Errorf("asking: %v", err)
	}
	return status, answer, header
}

// try is post of what may fail: it gives what there is of the answer, status 0
// for none, and why it broke off.
func (r *rig) try(path, key, body string, headers ...string) (int, string, http.Header, error) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header, err
}
