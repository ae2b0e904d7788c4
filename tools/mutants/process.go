package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"purser/jepsen-style-tests/builds"
)

// outside has the test that runs processes of a mutated program under the faults
// that show its bug. It passes when a checker has found it, and says which in a line
// that begins as finding does; its control is every other run of these processes.
const outside = "./jepsen-style-tests/outside"

// processLimit bounds one run: what is to be found is found within minutes.
const processLimit = 10 * time.Minute

var finding = regexp.MustCompile(`(?m)^\s*(?:\S+\.go:\d+: )?caught by (.+)$`)

func ofProcesses() (bugs []bug) {
	for i := range builds.Mutations {
		m := &builds.Mutations[i]
		args := []string{"test", "-count=1", "-timeout", processLimit.String(), "-run", "^TestMutant$", "-v", outside, "-args", "-mutant", m.Name}
		bugs = append(bugs, bug{
			name:    m.Name,
			tests:   fmt.Sprintf("%s; %s", strings.Join(m.Faults, ", "), m.Checker),
			control: func() error { return nil },
			try:     func(verbose bool) (string, time.Duration, error) { return tryProcess(args, verbose) },
		})
	}
	return bugs
}

// tryProcess returns what the test says has found the bug, or "".
func tryProcess(args []string, verbose bool) (found string, took time.Duration, err error) {
	began := time.Now()
	out, failed := exec.Command("go", args...).CombinedOutput()
	if verbose {
		fmt.Printf("%s\n", out)
	}
	f := finding.FindSubmatch(out)
	switch {
	case failed == nil && f != nil:
		return string(f[1]), time.Since(began), nil
	case failed == nil:
		return "", 0, errors.New("the test passes and does not say what it has found")
	case bytes.Contains(out, []byte("--- FAIL: TestMutant")):
		return "", time.Since(began), nil
	default:
		return "", 0, fmt.Errorf("go test: %w: %s", failed, bytes.TrimSpace(out[max(0, len(out)-1000):]))
	}
}
