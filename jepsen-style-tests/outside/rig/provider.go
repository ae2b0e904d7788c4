package rig

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"purser/internal/simprovider"
)

// startProvider starts the simulated provider and notes where it is reached.
func (c *Cluster) startProvider() error {
	url, err := c.launchProvider()
	if err != nil {
		return err
	}
	host, err := c.Lab.Host(ProviderHost)
	if err != nil {
		return err
	}
	told, err := host.Advertise(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/v1"))
	if err != nil {
		return err
	}
	c.control, c.upstream = "http://"+told, "http://"+told+"/v1"
	return nil
}

func (c *Cluster) launchProvider() (url string, err error) {
	host, err := c.Lab.Host(ProviderHost)
	if err != nil {
		return "", err
	}
	args := append([]string{"simprovider", "--listen", host.Address(providerPort), "--bill", c.Bill(), "--key", "sk-outside", "--request-modes",
		"--seed", fmt.Sprint(c.o.Seed), "--tokens", "bytes4", "--output-max", "60", "--first-byte", "20ms"}, c.o.Provider...)
	if c.provider, err = launch(host, filepath.Join(c.Dir, "provider.log"), "provider at ", nil, c.died, cmp.Or(c.o.Biller, c.o.Binary), args...); err != nil {
		return "", err
	}
	return c.provider.await(patience)
}

// KillProvider ends the provider's process without warning. What it has billed stays.
// One caller at a time, as for StartProvider.
func (c *Cluster) KillProvider() error {
	if c.provider == nil {
		return nil
	}
	if err := c.provider.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing the provider: %w", err)
	}
	if !c.provider.wait(patience) {
		return fmt.Errorf("the provider did not die within %v", patience)
	}
	c.provider = nil
	return nil
}

// StartProvider starts it again at its place, if it does not run; its bill goes on.
func (c *Cluster) StartProvider() error {
	if c.provider != nil && c.provider.running() {
		return nil
	}
	_, err := c.launchProvider()
	return err
}

// BillSize is how many bytes of the bill there are.
func (c *Cluster) BillSize() (int64, error) {
	info, err := os.Stat(c.Bill())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking at the bill: %w", err)
	}
	return info.Size(), nil
}

// RowsSince reads the rows of the bill that are beyond a size that it had.
func (c *Cluster) RowsSince(size int64) (rows []simprovider.Row, err error) {
	f, err := os.Open(c.Bill())
	if err != nil {
		return nil, fmt.Errorf("opening the bill: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the bill: %w", err)
	}
	for d := json.NewDecoder(f); ; {
		var r simprovider.Row
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return rows, nil // the last line may be under way
		case err != nil:
			return nil, fmt.Errorf("reading the bill: %w", err)
		}
		rows = append(rows, r)
	}
}

// Dial connects from the clients' host.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.clients.DialContext(ctx, network, address)
}
