//go:build linux

package faultfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// TestMain runs a program that uses a store, when a test asks for it: stores with
// mmap must not run in the process that serves the file system, and kill -9 needs a process.
func TestMain(m *testing.M) {
	if what := os.Getenv("FAULTFS_CHILD"); what != "" {
		if err := child(what, os.Getenv("FAULTFS_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writes is how many writes a program makes, if it is not killed.
const writes = 5000

func child(what, dir string) error {
	store, verb, _ := strings.Cut(what, " ")
	var put func(uint64) error
	var has func(uint64) (bool, error)
	switch store {
	case "pebble":
		db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 128 << 10, Logger: quiet{}})
		if err != nil {
			return err
		}
		sync := pebble.Sync
		if verb == "unsynced" {
			sync = pebble.NoSync
		}
		put = func(i uint64) error { return db.Set(key(i), value(i), sync) }
		has = func(i uint64) (bool, error) {
			v, c, err := db.Get(key(i))
			if err == pebble.ErrNotFound {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			defer c.Close()
			return bytes.Equal(v, value(i)), nil
		}
	case "bolt":
		db, err := raftboltdb.New(raftboltdb.Options{Path: dir})
		if err != nil {
			return err
		}
		put = func(i uint64) error { return db.StoreLog(&raft.Log{Index: i, Data: value(i)}) }
		has = func(i uint64) (bool, error) {
			var l raft.Log
			err := db.GetLog(i, &l)
			if err == raft.ErrLogNotFound {
				return false, nil
			}
			return bytes.Equal(l.Data, value(i)), err
		}
	}
	if verb == "check" {
		for i := uint64(1); i <= writes; i++ {
			ok, err := has(i)
			if err != nil {
				return err
			}
			if ok {
				fmt.Println(i)
			}
		}
		return nil
	}
	for i := uint64(1); i <= writes; i++ {
		if err := put(i); err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		fmt.Println(i)
	}
	return nil
}

func key(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

// value has pages and parts of pages, and says which it is.
func value(i uint64) []byte { return bytes.Repeat(key(i), int(10+i*37%700)) }

// quiet is a logger that says only what Pebble dies of.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "fatal: "+format+"\n", args...)
	os.Exit(1)
}

// process is a program on a mount.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
	err bytes.Buffer
}

func start(t *testing.T, what, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), "FAULTFS_CHILD="+what, "FAULTFS_DIR="+dir)
	p.cmd.Stderr = &p.err
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	p.out = bufio.NewScanner(out)
	return p
}

// next is the number of the next line; 0 at the end.
func (p *process) next() uint64 {
	if !p.out.Scan() {
		return 0
	}
	i, err := strconv.ParseUint(p.out.Text(), 10, 64)
	if err != nil {
		return 0
	}
	return i
}

// rest is the lines until the end, of which there are no more once it is dead.
func (p *process) rest() (all []uint64, err error) {
	for i := p.next(); i != 0; i = p.next() {
		all = append(all, i)
	}
	return all, p.cmd.Wait()
}

// killedAfter runs a program, kills it after some writes, and returns the last it acknowledged.
func killedAfter(t *testing.T, what, dir string, n uint64) (last uint64) {
	t.Helper()
	p := start(t, what, dir)
	for last < n {
		i := p.next()
		if i == 0 {
			_, err := p.rest()
			t.Fatalf("%s ended by itself: %v: %s", what, err, p.err.String())
		}
		last = i
	}
	must(t, p.cmd.Process.Kill())
	more, err := p.rest()
	if err == nil {
		t.Fatalf("%s was not killed", what)
	}
	if len(more) > 0 {
		last = more[len(more)-1]
	}
	return last
}

// present is what a store has.
func present(t *testing.T, store, dir string) map[uint64]bool {
	t.Helper()
	p := start(t, store+" check", dir)
	all, err := p.rest()
	if err != nil {
		t.Fatalf("%s does not open: %v: %s", store, err, p.err.String())
	}
	has := map[uint64]bool{}
	for _, i := range all {
		has[i] = true
	}
	return has
}
