package builds

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var plainName = regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)

func TestEveryMutationHasItsPlace(t *testing.T) {
	names := map[string]bool{}
	for i := range Mutations {
		m := &Mutations[i]
		if _, err := m.apply(root); err != nil {
			t.Error(err)
		}
		if !plainName.MatchString(m.Name) || names[m.Name] || m.What == "" || m.Checker == "" || len(m.Faults) == 0 {
			t.Errorf("%q has a name that is not plain or not its own, or says too little", m.Name)
		}
		names[m.Name] = true
		if _, err := regexp.Compile(m.Finds); err != nil || m.Finds == "" {
			t.Errorf("%s does not say what finds it: %v", m.Name, err)
		}
	}
}

// TestEveryMutationCompiles checks the types of each mutated package, against what
// Go's build cache has of those that it imports.
func TestEveryMutationCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all that the mutated packages import")
	}
	var dirs []string
	for _, m := range Mutations {
		for _, e := range append([]Edit{{File: m.File}}, m.More...) {
			dirs = append(dirs, "./"+filepath.Dir(e.File))
		}
	}
	exports := map[string]string{} // files of export data, by import path
	files := map[string][]string{} // of a directory
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	out, err := output(t.Context(), root, "go", append([]string{"list", "-export", "-deps", "-f", `{{.ImportPath}} {{.Export}} {{.Dir}} {{join .GoFiles " "}}`}, dirs...)...)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue // unsafe
		}
		exports[f[0]] = f[1]
		if dir, ok := strings.CutPrefix(f[2], abs+"/"); ok {
			files[filepath.Join(root, dir)] = f[3:]
		}
	}
	set := token.NewFileSet()
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for i := range Mutations {
		m := &Mutations[i]
		mutated, err := m.apply(root)
		if err != nil {
			t.Fatal(err)
		}
		dirs := map[string]bool{}
		for path := range mutated {
			dirs[filepath.Dir(path)] = true
		}
		for dir := range dirs {
			var parsed []*ast.File
			for _, name := range files[dir] {
				path := filepath.Join(dir, name)
				var text any
				if b, ok := mutated[path]; ok {
					text = b
				}
				f, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
				if err != nil {
					t.Fatalf("%s: %v", m.Name, err)
				}
				parsed = append(parsed, f)
			}
			if _, err := (&types.Config{Importer: imports}).Check(dir, set, parsed, nil); err != nil || len(parsed) == 0 {
				t.Errorf("%s does not compile: %v", m.Name, err)
			}
		}
	}
}
