//go:build linux

package netlab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The test binary is also the processes on hosts: what it does then is in its
// environment.
const roleVariable = "NETLAB_TEST_ROLE"

func TestMain(m *testing.M) {
	role, argument, _ := strings.Cut(os.Getenv(roleVariable), " ")
	switch role {
	case "":
		os.Exit(m.Run())
	case "dialler":
		exit(dialler(argument))
	case "harness":
		exit(harness())
	}
}

func exit(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// dialler carries lines between a connection and its own input and output.
func dialler(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(c, os.Stdin) }()
	_, err = io.Copy(os.Stdout, c)
	return err
}

// harness starts a process on a host, says its number, and waits to be killed.
func harness() error {
	l, err := Open(Options{Mode: Loopback})
	if err != nil {
		return err
	}
	a, err := l.Host("a")
	if err != nil {
		return err
	}
	cmd := exec.Command("sleep", "600")
	if err := a.Start(cmd); err != nil {
		return err
	}
	fmt.Println(cmd.Process.Pid)
	return cmd.Wait()
}

func self(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestProcessesObeyTheRulesOfTheirHost: a dials b as c does, and only a's link is cut.
func TestProcessesObeyTheRulesOfTheirHost(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		address := serve(t, host(t, l, "b"), 8080, echo)
		var started [2]*exec.Cmd
		var in [2]io.Writer
		var out [2]*bufio.Reader
		for i, name := range []string{"a", "c"} {
			cmd := self("dialler " + address)
			w, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			r, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host(t, l, name).Start(cmd); err != nil {
				t.Fatal(err)
			}
			started[i], in[i], out[i] = cmd, w, bufio.NewReader(r)
		}
		hears := func(i int, word string) bool {
			if _, err := fmt.Fprintln(in[i], word); err != nil {
				t.Fatal(err)
			}
			got, err := out[i].ReadString('\n')
			return err == nil && got == word+"\n"
		}
		if !hears(0, "hello") || !hears(1, "hello") {
			t.Fatal("the processes do not reach b")
		}
		set(t, l, "a", "b", Rule{Drop: true})
		// A proxy has broken its connection off by then, and it may have ended.
		_, _ = fmt.Fprintln(in[0], "dropped")
		await(t, "the drop to bite", func() bool { return l.Stats()[Pair{"a", "b"}].Dropped > 0 })
		if !hears(1, "still here") {
			t.Error("another host's process was cut off")
		}
		if n := l.Stats()[Pair{"c", "b"}]; n.Dropped != 0 || n.Packets == 0 {
			t.Errorf("c to b: %+v", n)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range started {
			_ = cmd.Wait() // killed, or its connection was broken off
		}
	})
}

func TestAChildIsOnItsHostAndDiesWithTheLab(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		a := host(t, l, "a")
		cmd := exec.Command("sleep", "600")
		if err := a.Start(cmd); err != nil {
			t.Fatal(err)
		}
		ours, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if (ours != its) != (l.Mode() == Namespaces) {
			t.Errorf("the child is in %s, the harness in %s", its, ours)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("the child ended with %v", err)
		}
		if err := a.Start(exec.Command("sleep", "600")); !errors.Is(err, errClosed) {
			t.Errorf("a closed lab starts processes: %v", err)
		}
	})
}

func TestAChildDiesWithTheHarness(t *testing.T) {
	cmd := self("harness")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	_, scanErr := fmt.Fscan(out, &child)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if scanErr != nil {
		t.Fatal(scanErr)
	}
	await(t, "the child's end", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func TestASocketIsFoundInTheKernelsTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C40 65004D7F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0000000000000000 20 4 30 10 -1
`
	local, remote := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.77.0.101:8080")
	if hexed(netip.MustParseAddrPort("127.0.0.1:40000")) != "0100007F:9C40" {
		t.Skip("the table is of a little-endian machine")
	}
	got, err := inodeOf(bufio.NewScanner(strings.NewReader(table)), local, remote)
	if err != nil || got != "2222" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := inodeOf(bufio.NewScanner(strings.NewReader(table)), remote, local); err == nil {
		t.Errorf("the other end is %q", got)
	}
}
