package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestEveryMutantHasItsPlace: a change of the source that moves the text of a mutant
// is seen when it is made, and not when all mutants are run.
func TestEveryMutantHasItsPlace(t *testing.T) {
	names := map[string]bool{}
	for i := range table {
		m := &table[i]
		source, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if n := bytes.Count(source, []byte(m.from)); n != 1 {
			t.Errorf("%s: %s has its text %d times: bring the table up to date", m.name, m.file, n)
		}
		if m.from == m.to || names[m.name] {
			t.Errorf("%s: it changes nothing, or there is another of its name", m.name)
		}
		names[m.name] = true
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w*|Fuzz\w*)\(`)

// TestEveryMutantIsGivenToATest: a pattern that fits no test any more would find
// nothing, and look like a mutant that survives.
func TestEveryMutantIsGivenToATest(t *testing.T) {
	for i := range table {
		m := &table[i]
		files, err := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(m.run, "/")
		pattern, err := regexp.Compile(top)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		found := false
		for _, f := range files {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range testFunc.FindAllSubmatch(source, -1) {
				found = found || pattern.Match(name[1])
			}
		}
		if !found {
			t.Errorf("%s: no test in %s is called like %q", m.name, m.pkg, m.run)
		}
	}
}

// TestContributingCountsTheMutants: the number of bugs is told to newcomers.
func TestContributingCountsTheMutants(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("puts %d known bugs back", len(table)); !bytes.Contains(text, []byte(want)) {
		t.Errorf("CONTRIBUTING.md does not say: %s", want)
	}
}
