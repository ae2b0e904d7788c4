package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
)

const (
	startTime   = 30 * time.Second // for a process to be ready
	stopTime    = 60 * time.Second // for a process to end in peace
	adminToken  = "bench-admin-token-of-one-run"
	providerKey = "sk-bench"
)

// rig is the processes of a run.
type rig struct {
	dir              string
	provider, proxy  *process
	node, governed   *process // alike, but that more governs the second
	key, governedKey string   // a virtual key of each node
}

// process is one of them; its log is a file of the rig's directory.
type process struct {
	name, url string
	cmd       *exec.Cmd
}

func (p *process) addr() string {
	return strings.TrimPrefix(strings.TrimSuffix(p.url, "/v1"), "http://")
}
func (p *process) pid() int { return p.cmd.Process.Pid }

// startRig starts all processes. With profile, the node runs in a child of this
// binary that writes a CPU profile there when it ends.
func startRig(ctx context.Context, bin, dir, profile string, chunksPerWrite int) (r *rig, err error) {
	r = &rig{dir: dir}
	defer func() {
		if err != nil {
			r.kill()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return r, fmt.Errorf("finding this binary: %w", err)
	}
	if r.provider, err = r.launch(ctx, "provider", " at ", bin, "simprovider", "--listen", "127.0.0.1:0", "--tokens", "bytes4", "--key", providerKey, "--request-modes",
		"--output-min", fmt.Sprint(outputTokens), "--output-max", fmt.Sprint(outputTokens), "--chunk-tokens", "1", "--chunks-per-write", fmt.Sprint(chunksPerWrite)); err != nil {
		return r, err
	}
	if r.proxy, err = r.launch(ctx, "proxy", "serves at ", self, "-role", "proxy", "-upstream", "http://"+r.provider.addr()); err != nil {
		return r, err
	}
	if r.node, r.key, err = r.startNode(ctx, "node", bin, self, profile); err != nil {
		return r, err
	}
	if profile != "" {
		profile += ".governed"
	}
	if r.governed, r.governedKey, err = r.startNode(ctx, "governed", bin, self, profile); err != nil {
		return r, err
	}
	return r, r.govern(ctx)
}

// startNode starts a node, with the chain of four budgets and a key.
func (r *rig) startNode(ctx context.Context, name, bin, self, profile string) (p *process, key string, err error) {
	config := filepath.Join(r.dir, name+".yaml")
	text := fmt.Sprintf("node:\n  data_dir: %q\nlisten:\n  client: 127.0.0.1:0\nadmin:\n  token: %s\n  open_metrics: true\nupstreams:\n  - name: sim\n    base_url: %s\n    key: %s\n",
		filepath.Join(r.dir, name+"-data"), adminToken, r.provider.url, providerKey)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", fmt.Errorf("writing the configuration of the %s: %w", name, err)
	}
	command := []string{bin, "serve", "--config", config}
	if profile != "" {
		command = []string{self, "-role", "node", "-config", config, "-profile", profile}
	}
	if p, err = r.launch(ctx, name, "serves at ", command...); err != nil {
		return nil, "", err
	}
	key, err = r.prepare(ctx, p)
	return p, key, err
}

// prepare makes the key and the chain of four budgets, none of which is reached.
func (r *rig) prepare(ctx context.Context, p *process) (string, error) {
	client := r.client(p)
	for _, b := range []admin.Budget{
		{ID: "all"}, {ID: "per-key", Each: []string{"key"}}, {ID: "per-customer", Each: []string{"customer"}},
		{ID: "per-agent", Match: map[string][]string{"customer": customers()}, Each: []string{"agent"}},
	} {
		b.Unit, b.Limit, b.Window = "usd", json.Number("1000000"), "month"
		if _, err := client.PutBudget(ctx, b); err != nil {
			return "", fmt.Errorf("making the budget %s: %w", b.ID, err)
		}
	}
	key, err := client.CreateKey(ctx, admin.NewKey{Name: "bench", Required: []string{"customer", "agent"}})
	return key.Secret, err
}

func customers() (out []string) {
	for i := range kindsOfUser {
		out = append(out, fmt.Sprintf("customer-%d", i))
	}
	return out
}

func (*rig) client(p *process) *admin.Client { return &admin.Client{URL: p.url, Token: adminToken} }

// launch starts a command; its address stands behind marker in a line it prints.
func (r *rig) launch(ctx context.Context, name, marker string, command ...string) (*process, error) {
	path := filepath.Join(r.dir, name+".log")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	timer := time.AfterFunc(startTime, func() { _ = cmd.Process.Kill() }) // ends the scan
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, url, ok := strings.Cut(lines.Text(), marker); ok {
			return &process{name: name, url: strings.TrimSpace(url), cmd: cmd}, nil
		}
	}
	_ = cmd.Wait() // the log says why it ended
	text, _ := os.ReadFile(path)
	return nil, fmt.Errorf("the %s ended before it was ready; its log:\n%s", name, text)
}

// close ends the processes in peace, the nodes first.
func (r *rig) close() error {
	var errs []error
	for _, p := range []*process{r.node, r.governed, r.proxy, r.provider} {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			errs = append(errs, fmt.Errorf("stopping the %s: %w", p.name, err))
			continue
		}
		timer := time.AfterFunc(stopTime, func() { _ = p.cmd.Process.Kill() })
		if err := p.cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("the %s ended badly: %w", p.name, err))
		}
		timer.Stop()
	}
	return errors.Join(errs...)
}

// kill ends whatever still runs.
func (r *rig) kill() {
	for _, p := range []*process{r.node, r.governed, r.proxy, r.provider} {
		if p != nil && p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
}

// billed is the provider's own account of what it answered.
func (r *rig) billed(ctx context.Context) (t simprovider.BillTotals, err error) {
	b, err := get(ctx, "http://"+r.provider.addr()+"/_sim/bill")
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(b, &t)
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers status %d: %s", url, res.StatusCode, bytes.TrimSpace(b))
	}
	return b, err
}
