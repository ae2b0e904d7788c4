package builds

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a module like this one, small, with a commit and a tag.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                    "module purser\n\ngo 1.26\n",
		"cluster/threshold.go":      "//go:build !tinysnapshots\n\npackage cluster\n\nconst Every = 8192\n",
		"cluster/threshold_tiny.go": "//go:build tinysnapshots\n\npackage cluster\n\nconst Every = 10\n",
		"cmd/purser/main.go":        "package main\n\nimport (\n\t\"fmt\"\n\t\"purser/cluster\"\n\t\"time\"\n)\n\nfunc main() { fmt.Println(cluster.Every, \"sound\", time.Now().Unix()) }\n",
	} {
		change(t, root, name, text)
	}
	git(t, root, "init", "-q")
	commit(t, root)
	return root
}

func change(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, root string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@localhost", "-C", root}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v: %s", args, err, out)
	}
}

func commit(t *testing.T, root string) {
	t.Helper()
	git(t, root, "add", ".")
	git(t, root, "commit", "-q", "-m", "x")
}

// says runs a program and returns what it prints: entries, word, seconds.
func says(t *testing.T, path string, env ...string) []string {
	t.Helper()
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func TestVariants(t *testing.T) {
	root := tree(t)
	git(t, root, "tag", "v1")
	b := New(root, t.TempDir())
	build := func(v Variant) string {
		t.Helper()
		path, err := b.Build(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	shipped := build(Variant{})
	if got := says(t, shipped); got[0] != "8192" || got[1] != "sound" {
		t.Errorf("the shipped program says %v", got)
	}
	if got := says(t, build(Variant{TinySnapshots: true})); got[0] != "10" {
		t.Errorf("with tiny snapshots it says %v", got)
	}
	bug := &Mutation{Name: "a-bug", File: "cmd/purser/main.go", Old: "sound", New: "mutant"}
	if got := says(t, build(Variant{TinySnapshots: true, Patch: bug})); got[0] != "10" || got[1] != "mutant" {
		t.Errorf("with a bug it says %v", got)
	}

	change(t, root, "cluster/threshold.go", "//go:build !tinysnapshots\n\npackage cluster\n\nconst Every = 9000\n")
	commit(t, root)
	changed := build(Variant{})
	if got := says(t, changed); got[0] != "9000" {
		t.Errorf("the changed tree says %v", got)
	}
	if changed == shipped || says(t, shipped)[0] != "8192" {
		t.Error("a program that was handed out was written over")
	}
	if again := build(Variant{}); again != changed {
		t.Errorf("the same tree is %s, then %s", changed, again)
	}
	for range 2 {
		if got := says(t, build(Variant{Revision: "v1"})); got[0] != "8192" {
			t.Errorf("the tagged commit says %v", got)
		}
	}
	if tag, err := b.LastTag(t.Context()); tag != "v1" || err != nil {
		t.Errorf("the last tag is %q, %v", tag, err)
	}
}

func TestWhatCannotBeBuilt(t *testing.T) {
	root := tree(t)
	b := New(root, t.TempDir())
	for _, c := range []struct {
		v    Variant
		says string
	}{
		{Variant{Revision: "v7"}, "v7"},
		{Variant{Revision: "--help"}, "help"},
		{Variant{Patch: &Mutation{Name: "x", File: "cmd/purser/main.go", Old: "absent", New: ""}}, "0 times"},
		{Variant{Patch: &Mutation{Name: "x", File: "cmd/purser/main.go", Old: "main", New: "niam"}}, "2 times"},
		{Variant{Patch: &Mutation{Name: "x", File: "cmd/purser/main.go", Old: "func main()", New: "func main("}}, "syntax error"},
	} {
		if path, err := b.Build(t.Context(), c.v); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %q, %v", c.v, path, err)
		}
	}
	if err := os.Remove(filepath.Join(root, "cluster", "threshold_tiny.go")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context(), Variant{TinySnapshots: true}); err == nil {
		t.Error("tiny snapshots of a tree that has none")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Build(ended, Variant{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a build that was cancelled: %v", err)
	}
}

func TestATreeWithoutATagSaysWhy(t *testing.T) {
	root := tree(t)
	if tag, err := New(root, t.TempDir()).LastTag(t.Context()); tag != "" || !errors.Is(err, ErrNoTag) {
		t.Errorf("%q, %v", tag, err)
	}
	git(t, root, "tag", "v1")
	change(t, root, "more", "")
	commit(t, root)
	shallow := filepath.Join(t.TempDir(), "shallow")
	git(t, root, "clone", "-q", "--depth", "1", "file://"+root, shallow)
	if tag, err := New(shallow, t.TempDir()).LastTag(t.Context()); tag != "" || !errors.Is(err, ErrNoTag) || !strings.Contains(err.Error(), "shallow") {
		t.Errorf("%q, %v", tag, err)
	}
	if tag, err := New(t.TempDir(), t.TempDir()).LastTag(t.Context()); tag != "" || !errors.Is(err, ErrNoTag) {
		t.Errorf("%q, %v", tag, err)
	}
}
