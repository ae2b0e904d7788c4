package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Kept is what a login leaves for one node's address.
type Kept struct {
	Issuer   string    `json:"issuer"`
	ClientID string    `json:"client_id"`
	IDToken  string    `json:"id_token"`
	Refresh  string    `json:"refresh_token,omitempty"`
	Expires  time.Time `json:"expires"` // of IDToken
}

// Default is the file of the person who runs the program.
func Default() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the place of the login file: %w", err)
	}
	return filepath.Join(dir, "purser", "login.json"), nil
}

// maxFile bounds the file: some kilobytes for each node.
const maxFile = 1 << 20

// Read reads the logins of a file by the node's address; none if there is no file.
func Read(file string) (map[string]Kept, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return map[string]Kept{}, nil
	case err != nil:
		return nil, fmt.Errorf("reading the login file: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the login file %s may be read by others (mode %04o): chmod 600 it, or remove it", file, info.Mode().Perm())
	case info.Size() > maxFile:
		return nil, fmt.Errorf("the login file %s is larger than %d bytes", file, maxFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the login file: %w", err)
	}
	out := map[string]Kept{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("the login file %s is damaged; remove it and log in again: %w", file, err)
	}
	return out, nil
}

// Change writes the file anew, whole or not at all.
func Change(file string, change func(map[string]Kept)) error {
	all, err := Read(file)
	if err != nil {
		return err
	}
	change(all)
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the login file: %w", err)
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the login file: %w", err)
	}
	next, err := os.CreateTemp(dir, ".login-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("writing the login file: %w", err)
	}
	_, err = next.Write(append(text, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("writing the login file: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}
