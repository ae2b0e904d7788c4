package builds

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Mutation is a known bug that is put back into a program: in File, the text Old,
// which has to be there once, is New.
type Mutation struct {
	Name    string // lower case and hyphens
	What    string // what is wrong with it
	File    string // from the root of the tree
	Old     string
	New     string
	More    []Edit   // where one place does not show, because another makes up for it
	Faults  []string // the nemeses of a run that shows it
	Checker string   // what says so
	Finds   string   // what it says: a regular expression that "checker: finding" matches
}

// Edit is one more place of a bug.
type Edit struct {
	File, Old, New string
}

// apply returns the files with the bug in them, by their paths below root.
func (m *Mutation) apply(root string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, e := range append([]Edit{{m.File, m.Old, m.New}}, m.More...) {
		path := filepath.Join(root, e.File)
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if n := bytes.Count(source, []byte(e.Old)); n != 1 || e.Old == e.New || out[path] != nil {
			return nil, fmt.Errorf("%s has the text of %s %d times: bring the table of mutations up to date", e.File, m.Name, n)
		}
		out[path] = bytes.Replace(source, []byte(e.Old), []byte(e.New), 1)
	}
	return out, nil
}
