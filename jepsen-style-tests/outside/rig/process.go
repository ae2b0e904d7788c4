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
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	mu   sync.Mutex
	err  error // of its end
}

// start runs a binary; what follows marker in its output is its address. Its log is
// appended to a file.
func start(host *netlab.Host, log, marker string, within time.Duration, env []string, binary string, args ...string) (*process, string, error) {
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("opening a log: %w", err)
	}
	defer f.Close()
	p.cmd.Stderr = f
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := host.Start(p.cmd); err != nil {
		return nil, "", fmt.Errorf("starting %s on %s: %w", args[0], host.Name(), err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, at, ok := strings.Cut(lines.Text(), marker); ok {
				address <- strings.TrimSpace(at)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // until the process ends
		err := p.cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case at := <-address:
		return p, at, nil
	case <-p.done:
		return nil, "", fmt.Errorf("%s on %s ended before it was ready: %w; its log:\n%s", args[0], host.Name(), p.ended(), tail(log))
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		return nil, "", fmt.Errorf("%s on %s was not ready within %v; its log:\n%s", args[0], host.Name(), within, tail(log))
	}
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
		_ = p.cmd.Process.Kill()
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
