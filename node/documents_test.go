package node

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryErrorCodeIsDocumented looks for the codes of the request path and of
// the edge in docs/errors.md, as rows with their status.
func TestEveryErrorCodeIsDocumented(t *testing.T) {
	text := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	reference := text("../docs/errors.md")
	found := 0
	for file, pattern := range map[string]*regexp.Regexp{
		"../proxy/dialect/errors.go": regexp.MustCompile(`(?m)^\tCode\w+\s+Code = "(\w+)"`),
		"../api/edge/errors.go":      regexp.MustCompile(`(?m)= refusal\{http\.\w+, "(\w+)"`),
	} {
		for _, m := range pattern.FindAllStringSubmatch(text(file), -1) {
			found++
			if !strings.Contains(reference, "| `"+m[1]+"` | ") {
				t.Errorf("docs/errors.md has no row for %s of %s", m[1], file)
			}
		}
	}
	if found < 40 {
		t.Errorf("found only %d codes: do the patterns still fit the files?", found)
	}
}
