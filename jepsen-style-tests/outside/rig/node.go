package rig

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/builds/clock"
	"purser/jepsen-style-tests/faultfs"
	"purser/jepsen-style-tests/netlab"
)

// Node is one place of the cluster: a host with its disk. The node that runs there
// may be replaced by another.
type Node struct {
	Place string // "n1" ..., which it keeps
	Host  *netlab.Host
	Disk  *faultfs.FS  // nil: its directory is on the machine's disk
	Clock *clock.Clock // of its build; nil: it goes by the machine's

	c        *Cluster
	dir      string // its data
	url      string
	port     string // of the cluster, as it listens
	gossip   string
	told     string // where others reach its cluster's port
	binary   string
	first    bool   // it began the cluster, from a configuration file
	lives    int    // nodes that have been at this place
	listenAt string // of clients

	mu     sync.Mutex
	is     string // the node's id
	proc   *process
	paused bool
}

// ID is the id of the node that is there.
func (n *Node) ID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.is
}

// Dir is where the node that is there has its data.
func (n *Node) Dir() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dir
}

// URL is where clients reach it, on the clients' host.
func (n *Node) URL() string { return n.url }

// Admin asks the node as an administrator would: what it reads is linearizable.
func (n *Node) Admin() *admin.Client {
	return &admin.Client{URL: n.url, Token: AdminToken, HTTP: n.c.http}
}

// Here asks the node what it has itself.
func (n *Node) Here() *admin.Client {
	return &admin.Client{URL: n.url, Token: AdminToken, HTTP: n.c.http, Read: admin.Stale}
}

// Up says that its process runs and is not paused.
func (n *Node) Up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc != nil && n.proc.running() && !n.paused
}

// PID is that of its process, 0 if there is none.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil || !n.proc.running() {
		return 0
	}
	return n.proc.cmd.Process.Pid
}

// Kill ends its process without warning. One that is not there is none the less dead.
func (n *Node) Kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return nil
	}
	if err := n.proc.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing %s: %w", n.Place, err)
	}
	if !n.proc.wait(patience) {
		return fmt.Errorf("%s did not die within %v", n.Place, patience)
	}
	n.proc, n.paused = nil, false
	return nil
}

// Pause stops its process; it does not know.
func (n *Node) Pause() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return fmt.Errorf("%s does not run", n.Place)
	}
	n.paused = true
	return n.proc.signal(syscall.SIGSTOP)
}

// Resume lets it go on.
func (n *Node) Resume() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused = false
	if n.proc == nil {
		return nil
	}
	return n.proc.signal(syscall.SIGCONT)
}

// ErrLeasesOut is a node that has ended and could not give back what it held, since it
// reached no quorum. It says so, and gives it back when it starts again.
var ErrLeasesOut = errors.New("the node ended with its leases out")

const leasesOut = "they stay outstanding until this node starts again"

// Stop ends it in peace, which it must do well.
func (n *Node) Stop() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return nil
	}
	if err := n.proc.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Place, err)
	}
	const drain = 75 * time.Second // above listen.drain_time and what follows it
	well := n.proc.wait(drain)
	err := n.proc.ended()
	n.proc = nil
	switch {
	case !well:
		return fmt.Errorf("%s did not end within %v of SIGTERM", n.Place, drain)
	case err != nil && strings.Contains(tail(n.log()), leasesOut):
		return ErrLeasesOut
	case err != nil:
		return fmt.Errorf("%s ended badly on SIGTERM: %w; its log:\n%s", n.Place, err, tail(n.log()))
	}
	return nil
}

// Ended says whether its process has ended by itself, and waits for that at most so
// long.
func (n *Node) Ended(within time.Duration) (bool, error) {
	n.mu.Lock()
	p := n.proc
	n.mu.Unlock()
	if p == nil {
		return true, nil
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.proc == p {
			n.proc = nil
		}
		return true, p.ended()
	case <-timer.C:
		return false, nil
	}
}

func (n *Node) log() string { return filepath.Join(n.c.Dir, n.Place+".log") }

// Expect says that the process of now may end by itself: what was done to it is a
// reason to. Any other that does is among the cluster's Deaths.
func (n *Node) Expect() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc != nil {
		n.proc.expect()
	}
}

// Start starts its process, if it does not run. It listens later, once it has caught
// up with the others, for which it needs a majority of them.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc != nil && n.proc.running() {
		return nil
	}
	args := []string{"serve"}
	if n.first {
		args = append(args, "--config", n.c.configFile())
	}
	return n.launch(append(args, n.flags()...))
}

func (n *Node) flags() []string {
	return []string{"--id", n.is, "--data-dir", n.dir, "--listen", n.listenAt, "--cluster-listen", n.port, "--advertise", n.told, "--gossip", n.gossip}
}

func (n *Node) launch(args []string) error {
	var env []string
	if n.Clock != nil {
		env = append(env, n.Clock.Env())
	}
	p, err := launch(n.Host, n.log(), "serves at ", env, n.c.died, n.binary, args...)
	if err != nil {
		return err
	}
	n.proc, n.paused = p, false
	return nil
}

// Use has the node run another binary from its next start on.
func (n *Node) Use(binary string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.binary = binary
}

// Ready waits until the node says that it is.
func (n *Node) Ready(ctx context.Context) error {
	return Eventually(ctx, patience, n.Place+" is ready", func() error {
		if n.PID() == 0 {
			return fmt.Errorf("it does not run; its log:\n%s", tail(n.log()))
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := n.c.http.Do(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz answers %d", res.StatusCode)
		}
		return nil
	})
}

// Replace has another node take the place of one that is not to come back: its process
// is killed, its disk emptied; the others fence it and let the new one join.
func (n *Node) Replace(ctx context.Context, wipe bool) error {
	if err := n.Kill(); err != nil {
		return err
	}
	old := n.ID()
	if err := n.c.eventuallyAt(ctx, n, "node "+old+" is fenced", func(a *admin.Client) error {
		return gone(a.ChangeNode(ctx, old, admin.FenceNode))
	}); err != nil {
		return err
	}
	if wipe {
		if err := n.Empty(); err != nil {
			return err
		}
	}
	return n.Join(ctx)
}

// Leave has the others let the node go for good, waits until it has gone, and empties its
// disk.
func (n *Node) Leave(ctx context.Context) error {
	old := n.ID()
	tell := func(change admin.NodeChange) error {
		return n.c.eventuallyAt(ctx, n, old+" is to "+string(change), func(a *admin.Client) error { return gone(a.ChangeNode(ctx, old, change)) })
	}
	if err := tell(admin.DrainNode); err != nil {
		return err
	}
	// As docs/operating.md has it: what it has written must be on its peer first.
	if err := Eventually(ctx, patience, "the copies of "+old+" are on its peer", func() error { return n.copied(ctx) }); err != nil {
		return err
	}
	if err := tell(admin.RemoveNode); err != nil {
		return err
	}
	n.Expect()
	if ended, _ := n.Ended(patience); !ended { // how it ends is not said: it is to go
		if err := n.Kill(); err != nil {
			return err
		}
	}
	return n.Empty()
}

// copied is nil when the node has no record left to send to its peer.
func (n *Node) copied(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/metrics", nil)
	if err != nil {
		return err
	}
	res, err := n.c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if left, ok := strings.CutPrefix(lines.Text(), "purser_usage_copy_unsent "); ok {
			if left == "0" {
				return nil
			}
			return fmt.Errorf("%s are not sent yet", left)
		}
	}
	return errors.New("it does not say how many are not sent yet")
}

// gone takes it for done that there is no such node: a try before was carried out.
func gone(err error) error {
	if fault := (*admin.Fault)(nil); errors.As(err, &fault) && fault.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// newest has a node that joins a cluster which is being upgraded run the newest build: it
// is given the configuration of a member, which an older one may not know.
func (n *Node) newest() {
	if n.c.founded {
		n.binary = cmp.Or(n.c.o.Biller, n.binary)
	}
}

// Empty takes everything from its disk.
func (n *Node) Empty() error {
	if n.Disk != nil {
		return n.Disk.Wipe()
	}
	disk := n.c.diskOf(n)
	return errors.Join(os.RemoveAll(disk), os.MkdirAll(disk, 0o700))
}

// Join has a node with a new id join at this place, with a token and one command.
func (n *Node) Join(ctx context.Context) error {
	var token string
	if err := n.c.eventuallyAt(ctx, n, "a join token", func(a *admin.Client) error {
		t, err := a.NewToken(ctx, admin.NewToken{})
		token = t.Token
		return err
	}); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lives++
	n.is, n.first = fmt.Sprintf("%s-%d", n.Place, n.lives), false
	n.newest()
	n.dir = filepath.Join(n.c.diskOf(n), "data-"+n.is)
	if err := n.launch(append([]string{"join", "--token", token}, n.flags()...)); err != nil {
		return err
	}
	_, err := n.proc.await(patience)
	return err
}
