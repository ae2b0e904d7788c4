package main

import "testing"

func TestAFindingIsRead(t *testing.T) {
	for out, want := range map[string]string{
		"=== RUN   TestMutant\n    mutant_test.go:31: caught by C8 after 3 faults\n--- PASS: TestMutant (9.1s)\n": "C8 after 3 faults",
		"caught by C1\nPASS\n":                      "C1",
		"    mutant_test.go:31: not caught by C1\n": "",
	} {
		got := ""
		if f := finding.FindStringSubmatch(out); f != nil {
			got = f[1]
		}
		if got != want {
			t.Errorf("in %q it finds %q", out, got)
		}
	}
}
