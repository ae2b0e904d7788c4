// Command tally adds up the summaries of any number of runs, and writes tables of them
// between the marks of a Markdown file:
//
//	go run ./jepsen-style-tests/outside/tally DIR...
//	go run ./jepsen-style-tests/outside/tally -doc "" DIR...    # prints them
//
// DIR is searched for files of JSON, below it too: every one must be a summary, or be
// named end.json. A run that was not fit to be judged is counted as such, and for
// nothing else.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"purser/jepsen-style-tests/outside/report"
)

func main() {
	doc := flag.String("doc", "docs/promises.md", "file with the marks; empty: the tables are printed")
	flag.Parse()
	if err := run(*doc, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

func run(doc string, dirs []string) error {
	if len(dirs) == 0 {
		return errors.New("name one directory of summaries at least, such as that of `make jepsen OUT=DIR`")
	}
	runs, err := read(dirs)
	if err != nil {
		return err
	}
	tables := tablesOf(runs)
	if doc == "" {
		for _, t := range tables {
			fmt.Printf("%s\n\n%s\n", t.name, t.text)
		}
		return nil
	}
	b, err := os.ReadFile(doc)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	text, err := put(string(b), tables)
	if err != nil {
		return fmt.Errorf("%s: %w", doc, err)
	}
	info, err := os.Stat(doc)
	if err != nil {
		return err
	}
	return os.WriteFile(doc, []byte(text), info.Mode())
}

// read reads the summaries below directories, each run once, in the order of their time.
func read(dirs []string) (runs []*report.Summary, err error) {
	type identity struct {
		seed  uint64
		began int64
	}
	seen := map[identity]bool{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" || d.Name() == report.EndFile {
				return err
			}
			s, err := report.Read(path)
			if err != nil {
				return err
			}
			if id := (identity{s.Seed, s.Began.UnixNano()}); !seen[id] {
				seen[id] = true
				runs = append(runs, s)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("no summaries below %s", strings.Join(dirs, ", "))
	}
	slices.SortFunc(runs, func(a, b *report.Summary) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Seed, b.Seed)) })
	return runs, nil
}

// put writes each table between its marks, which must be there once.
func put(text string, tables []table) (string, error) {
	for _, t := range tables {
		begin, end := "<!-- tally "+t.name+" -->\n", "<!-- tally end -->"
		before, rest, ok := strings.Cut(text, begin)
		if !ok {
			return "", fmt.Errorf("there is no mark %q", strings.TrimSpace(begin))
		}
		_, after, ok := strings.Cut(rest, end)
		if !ok {
			return "", fmt.Errorf("the mark %q is not ended by %q", strings.TrimSpace(begin), end)
		}
		text = before + begin + strings.TrimRight(t.text, "\n") + "\n" + end + after
	}
	return text, nil
}
