package builds

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Mutation is a known bug that only processes show: in File, the text Old, which has
// to be there once, is New.
type Mutation struct {
	Name    string // lower case and hyphens
	What    string // what is wrong with it
	File    string // from the root of the tree
	Old     string
	New     string
	Faults  []string // nemeses that show it; none: a run without faults does
	Checker string   // what says so
}

// apply returns the file with the bug in it.
func (m *Mutation) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(source, []byte(m.Old)); n != 1 || m.Old == m.New {
		return nil, fmt.Errorf("%s has the text of %s %d times: bring the table of mutations up to date", m.File, m.Name, n)
	}
	return bytes.Replace(source, []byte(m.Old), []byte(m.New), 1), nil
}
