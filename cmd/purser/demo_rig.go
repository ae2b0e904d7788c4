package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"purser/internal/simprovider"
	"purser/ledger"
	"purser/node"
)

// rig is the processes of a demo: this binary as provider and as node.
type rig struct {
	dir, bill, config    string
	providerURL, nodeURL string
	provider, node       *exec.Cmd
	kills                int
}

// startTime bounds how long a process may take to be ready.
const startTime = 30 * time.Second

// stopTime bounds how long a process may take to end in peace.
const stopTime = 60 * time.Second

func startRig(ctx context.Context, dir string, seed uint64) (*rig, error) {
	r := &rig{dir: dir, bill: filepath.Join(dir, "bill.jsonl"), config: filepath.Join(dir, "node.yaml")}
	var err error
	r.provider, r.providerURL, err = r.launch(ctx, "provider", "at ", "simprovider", "--listen", "127.0.0.1:0", "--bill", r.bill,
		"--seed", fmt.Sprint(seed), "--key", "sk-demo", "--first-byte", "15ms", "--chunk-tokens", "8", "--no-control")
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("node:\n  id: demo-1\n  data_dir: %q\nlisten:\n  client: 127.0.0.1:0\nadmin:\n  token: %s\npurse:\n  idle: 1s\nupstreams:\n  - name: sim\n    base_url: %s\n    key: sk-demo\n",
		filepath.Join(dir, "data"), demoToken, r.providerURL)
	if err := os.WriteFile(r.config, []byte(config), 0o600); err != nil {
		r.stop()
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	if err := r.startNode(ctx); err != nil {
		r.stop()
		return nil, err
	}
	// After a restart the node must be found where the agents look for it.
	addr := strings.TrimPrefix(r.nodeURL, "http://")
	if err := os.WriteFile(r.config, []byte(strings.Replace(config, "client: 127.0.0.1:0", "client: "+addr, 1)), 0o600); err != nil {
		r.stop()
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	return r, nil
}

func (r *rig) startNode(ctx context.Context) error {
	var err error
	r.node, r.nodeURL, err = r.launch(ctx, "node", "serves at ", "serve", "--config", r.config)
	if err != nil {
		return err
	}
	return waitReady(ctx, r.nodeURL)
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

// killNode ends the node without warning and starts it again.
func (r *rig) killNode(ctx context.Context) error {
	if err := r.node.Process.Signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing the node: %w", err)
	}
	_ = r.node.Wait() // "signal: killed" is what was asked for
	r.kills++
	return r.startNode(ctx)
}

// stopNode ends the node in peace.
func (r *rig) stopNode() error {
	cmd := r.node
	r.node = nil
	return stopProcess("node", cmd)
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
	for _, cmd := range []*exec.Cmd{r.node, r.provider} {
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
