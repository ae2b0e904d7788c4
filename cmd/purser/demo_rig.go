package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/ledger"
	"purser/node"
)

// rig is the processes of a demo: this binary as provider and as nodes.
type rig struct {
	dir, bill, config string
	providerURL       string
	provider          *exec.Cmd
	nodes             []*demoNode
	kills             int
}

// demoNode is one node of the demo, with the addresses that it keeps.
type demoNode struct {
	id, url, port, gossip string
	cmd                   *exec.Cmd // nil while it is down
}

// startTime bounds how long a process may take to be ready.
const startTime = 30 * time.Second

// stopTime bounds how long a process may take to end in peace.
const stopTime = 60 * time.Second

func startRig(ctx context.Context, dir string, seed uint64, nodes int) (*rig, error) {
	r := &rig{dir: dir, bill: filepath.Join(dir, "bill.jsonl"), config: filepath.Join(dir, "node.yaml")}
	var err error
	r.provider, r.providerURL, err = r.launch(ctx, "provider", "at ", "simprovider", "--listen", "127.0.0.1:0", "--bill", r.bill,
		"--seed", fmt.Sprint(seed), "--key", "sk-demo", "--first-byte", "15ms", "--chunk-tokens", "8", "--no-control")
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("node:\n  id: demo-1\n  data_dir: %q\nlisten:\n  client: 127.0.0.1:0\ncluster:\n  listen: 127.0.0.1:0\n  stable: 1s\nadmin:\n  token: %s\npurse:\n  idle: 1s\nupstreams:\n  - name: sim\n    base_url: %s\n    key: sk-demo\n",
		r.data("demo-1"), demoToken, r.providerURL)
	if err := os.WriteFile(r.config, []byte(config), 0o600); err != nil {
		r.stop()
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	if err := r.found(ctx, nodes); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *rig) data(id string) string { return filepath.Join(r.dir, id) }

// found begins a cluster and has the other nodes join it, each with a token and
// one command.
func (r *rig) found(ctx context.Context, nodes int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this binary: %w", err)
	}
	if out, err := exec.CommandContext(ctx, self, "cluster", "init", "--config", r.config, "--name", "demo").CombinedOutput(); err != nil {
		return fmt.Errorf("beginning the cluster: %w: %s", err, out)
	}
	for i := range nodes {
		n := &demoNode{id: fmt.Sprintf("demo-%d", i+1), port: "127.0.0.1:0", gossip: "127.0.0.1:0"}
		args := []string{"serve", "--config", r.config}
		if i > 0 {
			token, err := r.admin(0).NewToken(ctx, admin.NewToken{})
			if err != nil {
				return fmt.Errorf("making a join token: %w", err)
			}
			args = append([]string{"join", "--token", token.Token}, n.flags(r)...)
		}
		r.nodes = append(r.nodes, n)
		if err := r.start(ctx, n, args...); err != nil {
			return err
		}
	}
	return r.waitVoters(ctx)
}

// flags are the command line of a node that joined; with them it also starts again.
func (n *demoNode) flags(r *rig) []string {
	listen := "127.0.0.1:0"
	if n.url != "" {
		listen = strings.TrimPrefix(n.url, "http://")
	}
	return []string{"--id", n.id, "--data-dir", r.data(n.id), "--listen", listen, "--cluster-listen", n.port, "--gossip", n.gossip}
}

func (r *rig) start(ctx context.Context, n *demoNode, args ...string) error {
	var err error
	if n.cmd, n.url, err = r.launch(ctx, n.id, "serves at ", args...); err != nil {
		return err
	}
	return waitReady(ctx, n.url)
}

func (r *rig) admin(i int) *admin.Client {
	return &admin.Client{URL: r.nodes[i].url, Token: demoToken}
}

// waitVoters waits until every node votes, and notes where their ports are, so
// that a node that is killed comes back where it was.
func (r *rig) waitVoters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		m, err := r.admin(0).Members(ctx)
		if err != nil {
			return fmt.Errorf("asking for the members: %w", err)
		}
		voters := 0
		for _, member := range m.Nodes {
			for _, n := range r.nodes {
				if n.id == member.ID {
					n.port = member.Address
					if member.Gossip != nil {
						n.gossip = member.Gossip.Address
					}
				}
			}
			if member.Role == "leader" || member.Role == "voter" {
				voters++
			}
		}
		if voters == len(r.nodes) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d nodes vote after %v", voters, len(r.nodes), startTime)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// leader is the node that leads; another one is whichever comes after it.
func (r *rig) leader(ctx context.Context) (leader, other *demoNode, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		for i := range r.nodes {
			if s, err := r.admin(i).Status(ctx); err == nil {
				for j, n := range r.nodes {
					if n.id == s.Leader {
						return n, r.nodes[(j+1)%len(r.nodes)], nil
					}
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("no node leads after %v", startTime)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// launch starts this binary with args; its address stands behind marker in the
// first line it prints, and its log goes to the rig's directory.
func (r *rig) launch(ctx context.Context, name, marker string, args ...string) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("finding this binary: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(r.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("opening a log: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("starting the %s: %w", name, err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), marker); ok {
			return cmd, strings.TrimSpace(url), nil
		}
	}
	_ = cmd.Wait() // the log says why it ended
	tail, _ := os.ReadFile(filepath.Join(r.dir, name+".log"))
	return nil, "", fmt.Errorf("the %s ended before it was ready; its log:\n%s", name, tail)
}

func waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the node at %s was not ready within %v", url, startTime)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends a node without warning and starts it again.
func (r *rig) kill(ctx context.Context, n *demoNode) error {
	if err := n.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing node %s: %w", n.id, err)
	}
	_ = n.cmd.Wait() // "signal: killed" is what was asked for
	r.kills++
	args := []string{"serve"}
	if n == r.nodes[0] {
		args = append(args, "--config", r.config)
	}
	return r.start(ctx, n, append(args, n.flags(r)...)...)
}

// sameDigests waits until all nodes have applied the same entries, and compares
// what came of them.
func (r *rig) sameDigests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		entries, digests := map[uint64]bool{}, map[string]bool{}
		for i := range r.nodes {
			s, err := r.admin(i).Status(ctx)
			if err != nil {
				return fmt.Errorf("asking node %s: %w", r.nodes[i].id, err)
			}
			entries[s.AppliedLog], digests[s.Digest] = true, true
		}
		if len(entries) == 1 && len(digests) == 1 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the nodes' ledgers have %d digests at %d entries", len(digests), len(entries))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stopNodes ends the nodes in peace.
func (r *rig) stopNodes() error {
	var errs []error
	for _, n := range r.nodes {
		errs = append(errs, stopProcess("node "+n.id, n.cmd))
	}
	return errors.Join(errs...)
}

func stopProcess(name string, cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the %s: %w", name, err)
	}
	timer := time.AfterFunc(stopTime, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the %s ended badly: %w", name, err)
	}
	return nil
}

// stop ends whatever still runs.
func (r *rig) stop() {
	all := []*exec.Cmd{r.provider}
	for _, n := range r.nodes {
		all = append(all, n.cmd)
	}
	for _, cmd := range all {
		if cmd != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
}

// billed sums the bill as far as it is written.
func (r *rig) billed() int64 {
	rows, err := simprovider.ReadBill(r.bill)
	if err != nil {
		return 0 // a row half written; the next look sees it whole
	}
	var sum int64
	for _, row := range rows {
		sum += int64(row.Cost)
	}
	return sum
}

func (r *rig) capOf(text string) int64 {
	cap, err := node.ParseLimit(text, ledger.USD)
	if err != nil {
		return 0
	}
	return int64(cap)
}
