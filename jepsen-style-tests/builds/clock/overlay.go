package clock

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed faultclock.go.txt
var reader []byte

// What Files changes: the only place where Now asks the runtime.
const (
	before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	after  = "func Now() Time {\n\tsec, nsec, mono := faultNow()\n"
)

// Files returns what go build's overlay has to put over an installation of Go, by
// the paths in it: package time with a Now that believes the file of Variable. It is
// an error when time.Now there is not written as is expected.
func Files(goroot string) (map[string][]byte, error) {
	dir := filepath.Join(goroot, "src", "time")
	path := filepath.Join(dir, "time.go")
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	if n := bytes.Count(source, []byte(before)); n != 1 {
		return nil, fmt.Errorf("clock: %s has the beginning of time.Now %d times as it is expected: see what this Go does, and bring package clock up to date", path, n)
	}
	return map[string][]byte{
		path:                                bytes.Replace(source, []byte(before), []byte(after), 1),
		filepath.Join(dir, "faultclock.go"): reader,
	}, nil
}
