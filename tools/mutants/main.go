// Command mutants puts known bugs back, one at a time, and runs the tests that
// should find them. A bug that no test finds is a failure.
//
// A bug is a change of one place of the source (table.go). It is compiled in by
// go test -overlay: nothing in the tree changes, and no switch for it is in the
// product. Bugs are those that others had (LiteLLM, gubernator, Antidote, etcd,
// CockroachDB; hashicorp/raft's open issues) and those this design is built to
// keep out.
//
// Bugs that only processes show, such as those of a machine's clock or of a stop
// signal, are in jepsen-style-tests/builds; with -process they are put back, one at a
// time, into the program that jepsen-style-tests/outside runs (process.go).
//
// Usage: go run ./tools/mutants [-process] [-run regexp] [-list] [-v]
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mutant is a known bug: in file, the text from, which must be there once, is to.
type mutant struct {
	name string // what is wrong with it
	file string
	from string
	to   string
	pkg  string // whose tests should find it
	run  string // which tests; "" is all
	args string // more flags of the tests
}

// bug is a mutant of either kind.
type bug struct {
	name    string
	tests   string // what it is given to
	control func() error
	try     func(verbose bool) (found string, took time.Duration, err error)
}

func main() {
	only := flag.String("run", "", "only mutants whose name matches")
	process := flag.Bool("process", false, "those that only processes show")
	list := flag.Bool("list", false, "show their names and what they are given to, and run nothing")
	verbose := flag.Bool("v", false, "show what the tests print")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	bugs := ofTests()
	if *process {
		bugs = ofProcesses()
	}
	bugs = slices.DeleteFunc(bugs, func(b bug) bool { return !pattern.MatchString(b.name) })
	if *list {
		for _, b := range bugs {
			fmt.Printf("%-62s %s\n", b.name, b.tests)
		}
		return
	}
	began := time.Now()
	caught := run(bugs, *verbose)
	fmt.Printf("%d of %d mutants caught in %.0f s\n", caught, len(bugs), time.Since(began).Seconds())
	if caught < len(bugs) || len(bugs) == 0 {
		os.Exit(1)
	}
}

// run tries them all, and returns how many were caught.
func run(bugs []bug, verbose bool) (caught int) {
	sound := map[string]error{} // of the tests, without a mutant
	for _, b := range bugs {
		if _, known := sound[b.tests]; !known {
			sound[b.tests] = b.control()
		}
		found, took, err := b.try(verbose)
		if err == nil {
			err = sound[b.tests]
		}
		switch {
		case err != nil:
			fmt.Printf("BROKEN    %-62s %v\n", b.name, err)
		case found == "":
			fmt.Printf("SURVIVED  %-62s %s\n", b.name, b.tests)
		default:
			caught++
			fmt.Printf("caught    %-62s by %s, %.1f s\n", b.name, found, took.Seconds())
		}
	}
	return caught
}

// ofTests are those of the table.
func ofTests() (bugs []bug) {
	for i := range table {
		m := &table[i]
		bugs = append(bugs, bug{m.name, m.tests(), m.control, m.try})
	}
	return bugs
}

// limit bounds the tests of one mutant: a bug may be an endless loop.
const limit = "60s"

// tests names what a mutant is given to.
func (m *mutant) tests() string { return fmt.Sprintf("%s -run %q %s", m.pkg, m.run, m.args) }

// control runs the tests on the code as it is: what fails there finds nothing.
func (m *mutant) control() error {
	args := append([]string{"test", "-vet=off", "-count=1", "-timeout", limit, "-run", m.run, m.pkg}, strings.Fields(m.args)...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("the tests fail without it: %s", finder(out))
	}
	return nil
}

// try returns the test that found the mutant, or "".
func (m *mutant) try(verbose bool) (found string, took time.Duration, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", 0, err
	}
	if n := bytes.Count(source, []byte(m.from)); n != 1 {
		return "", 0, fmt.Errorf("%s has its text %d times: bring the table up to date", m.file, n)
	}
	dir, err := os.MkdirTemp("", "purser-mutant-")
	if err != nil {
		return "", 0, err
	}
	defer os.RemoveAll(dir)
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(m.from), []byte(m.to), 1), 0o600); err != nil {
		return "", 0, err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", 0, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", 0, err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", 0, err
	}
	args := append([]string{"test", "-overlay", list, "-vet=off", "-count=1", "-failfast", "-timeout", limit, "-run", m.run, m.pkg}, strings.Fields(m.args)...)
	began := time.Now()
	out, failed := exec.Command("go", args...).CombinedOutput()
	if verbose {
		fmt.Printf("%s\n", out)
	}
	if failed == nil {
		return "", time.Since(began), nil
	}
	if bytes.Contains(out, []byte("[build failed]")) {
		return "", 0, fmt.Errorf("it does not compile: %s", bytes.TrimSpace(out))
	}
	return finder(out), time.Since(began), nil
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

var seed = regexp.MustCompile(`seed (\d{1,9}):`)

// finder names the test that failed first, and how many seeds it took where they
// are counted from 1.
func finder(out []byte) string {
	if f := failure.FindSubmatch(out); f != nil {
		if s := seed.FindSubmatch(out); s != nil {
			return fmt.Sprintf("%s, seed %s", f[1], s[1])
		}
		return string(f[1])
	}
	if bytes.Contains(out, []byte("panic: test timed out")) {
		return "the time limit"
	}
	return "a panic"
}
