package tidy

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxFileLines is the hard cap of a hand-written Go file; most are far shorter.
const maxFileLines = 600

func TestFilesAreShort(t *testing.T) {
	for _, f := range goFiles(t) {
		b := read(t, f)
		if generated.Match(b) {
			continue
		}
		if n := bytes.Count(b, []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines; the cap is %d: find the second concept in it", f, n, maxFileLines)
		}
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestEveryPackageSaysWhatItIsOnce(t *testing.T) {
	docs := map[string]int{}
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		docs[path.Dir(f)] += hasDoc(parsed)
	}
	for pkg, n := range docs {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want 1", pkg, n)
		}
	}
}

func hasDoc(f *ast.File) int {
	if f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) > 0 {
		return 1
	}
	return 0
}

// TestInvariantsAreNamedByTests looks for a test of each invariant that a package's
// comment lists, and for its row in ARCHITECTURE.md.
func TestInvariantsAreNamedByTests(t *testing.T) {
	names := strings.Join(testNames(t), "\n")
	index := string(read(t, "ARCHITECTURE.md"))
	ids := map[string]string{}
	for _, f := range goFiles(t) {
		if path.Base(f) != "doc.go" {
			continue
		}
		for _, m := range invariant.FindAllSubmatch(read(t, f), -1) {
			ids[string(m[1])] = f
		}
	}
	if ids["L1"] == "" || ids["K3"] == "" || ids["R1"] == "" {
		t.Errorf("the invariants of %d were found, not all: %v", len(ids), ids)
	}
	for id, f := range ids {
		if !regexp.MustCompile(`(?m)^Test` + id + `[A-Z]`).MatchString(names) {
			t.Errorf("no test is named after invariant %s of %s (Test%s…)", id, f, id)
		}
		if !strings.Contains(index, "| "+id+" |") {
			t.Errorf("ARCHITECTURE.md has no row of invariant %s of %s", id, f)
		}
	}
}

// TestDocumentsNameTestsThatExist keeps what documents say is shown by a test true.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	there := map[string]bool{}
	for _, name := range testNames(t) {
		there[name] = true
	}
	for _, f := range filesWith(t, ".md") {
		for _, m := range mdTest.FindAllSubmatch(read(t, f), -1) {
			if !there[string(m[1])] {
				t.Errorf("%s names %s, which is no test", f, m[1])
			}
		}
	}
}

// testNames are the names of all tests and fuzz targets.
func testNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range goFiles(t) {
		if !strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range testName.FindAllSubmatch(read(t, f), -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}

var (
	invariant = regexp.MustCompile(`(?m)^//\s+- ([A-Z]\d+)\b`)
	mdTest    = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
)

var testName = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

var (
	mdLink = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	mdPath = regexp.MustCompile("`((?:[a-z0-9_.-]+/)+[A-Za-z0-9_.-]*)`")
)

// TestDocumentsPointAtFiles checks the relative links of every document, and
// the paths in back quotes that begin with a folder of this tree.
func TestDocumentsPointAtFiles(t *testing.T) {
	for _, f := range filesWith(t, ".md") {
		text := string(read(t, f))
		for _, m := range mdLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if !exists(path.Join(path.Dir(f), m[1])) {
				t.Errorf("%s links to %s, which does not exist", f, m[1])
			}
		}
		for _, m := range mdPath.FindAllStringSubmatch(text, -1) {
			top := strings.SplitN(m[1], "/", 2)[0]
			if exists(top) && top != "bin" && top != "data" && !exists(m[1]) {
				t.Errorf("%s names %s, which does not exist", f, m[1])
			}
		}
	}
}

// forbidden finds what ties the tree to one machine or one network.
var forbidden = regexp.MustCompile(`(?i)(registry\.npmj[s]|proxy\.golan[g]|pypi\.or[g]|files\.pythonhoste[d]|static\.crates\.i[o]|deb\.debia[n]\.org|/roo[t]/|/wor[k]/|/hom[e]/[a-z]+/)`)

func TestTreeNamesNoRegistryAndNoLocalPath(t *testing.T) {
	for _, suffix := range []string{".go", ".md", ".yaml", ".yml", ".json", ".sh", ".mjs", ".js", ".py", "Makefile", "run", ".txt", ".mod", ".toml"} {
		for _, f := range filesWith(t, suffix) {
			if m := forbidden.Find(read(t, f)); m != nil {
				t.Errorf("%s names %q: no registry hosts or local paths in the tree", f, m)
			}
		}
	}
}

func exists(rel string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(rel)))
	return err == nil
}

func read(t *testing.T, rel string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
