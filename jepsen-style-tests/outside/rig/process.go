package rig

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"purser/jepsen-style-tests/netlab"
)

// process is one child on a host of the lab.
type process struct {
	cmd     *exec.Cmd
	name    string
	log     string
	address chan string   // where it listens, once it says so
	done    chan struct{} // closed when it has ended

	mu       sync.Mutex
	expected bool  // it was told to end, or has been given a reason to
	err      error // of its end
}

// launch runs a binary; what follows marker in its output is its address. Its log is
// appended to a file. Dead is called when it ends without having been told to.
func launch(host *netlab.Host, log, marker string, env []string, dead func(*process), binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), name: args[0] + " on " + host.Name(), log: log, address: make(chan string, 1), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	defer f.Close()
	p.cmd.Stderr = f
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := host.Start(p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, at, ok := strings.Cut(lines.Text(), marker); ok {
				p.address <- strings.TrimSpace(at)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // until the process ends
		err := p.cmd.Wait()
		p.mu.Lock()
		p.err = err
		expected := p.expected
		p.mu.Unlock()
		close(p.done)
		if !expected {
			dead(p)
		}
	}()
	return p, nil
}

// await waits until it listens, and returns where.
func (p *process) await(within time.Duration) (string, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case at := <-p.address:
		return at, nil
	case <-p.done:
		return "", fmt.Errorf("%s ended before it was ready: %w; its log:\n%s", p.name, p.ended(), tail(p.log))
	case <-timer.C:
		return "", fmt.Errorf("%s was not ready within %v; its log:\n%s", p.name, within, tail(p.log))
	}
}

// expect says that it may end.
func (p *process) expect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = true
}

// ended is how it ended; nil: well.
func (p *process) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal is an error only if the process is still there and could not be reached.
func (p *process) signal(s syscall.Signal) error {
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		p.expect()
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// wait waits for its end, and kills it when that does not come.
func (p *process) wait(within time.Duration) (ended bool) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		_ = p.signal(syscall.SIGKILL)
		<-p.done
		return false
	}
}

// tail is the last of a log, for an error.
func tail(file string) string {
	const most = 2000
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}
