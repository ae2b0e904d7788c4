package qdrant

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Config says where the server is and how it is spoken to.
type Config struct {
	Address     string        // host:port of the gRPC API; the port is 6334 if it is left out
	APIKey      string        // "" is none
	TLS         bool          // speak TLS 1.2 or later
	CAFile      string        // PEM; with TLS, the authorities to believe instead of the system's
	PlainAPIKey bool          // send the key without TLS
	Timeout     time.Duration // of a lookup, 5 ms to 1 s
	Prefix      string        // of collections' names: letters, digits, _ and -, up to 32
	Replicas    int           // replication_factor of a collection that is made, 1 to 16
}

// Default returns a configuration without an address.
func Default() Config {
	return Config{Timeout: 50 * time.Millisecond, Prefix: "sem_", Replicas: 1}
}

// defaultPort is of Qdrant's gRPC API.
const defaultPort = 6334

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Validate reports everything that is wrong, by the names of the keys.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := c.hostPort(); err != nil {
		errs = append(errs, fmt.Errorf("address: %w", err))
	}
	if c.APIKey != "" && !c.TLS && !c.PlainAPIKey {
		errs = append(errs, errors.New("api_key: it would be sent in the clear; set tls, or plain_api_key if the network is trusted"))
	}
	if c.CAFile != "" && !c.TLS {
		errs = append(errs, errors.New("ca_file: it needs tls"))
	}
	if c.Timeout < 5*time.Millisecond || c.Timeout > time.Second {
		errs = append(errs, errors.New("timeout: it must be 5ms to 1s"))
	}
	if !prefixForm.MatchString(c.Prefix) {
		errs = append(errs, errors.New("prefix: it must be 1 to 32 letters, digits, _ or -"))
	}
	if c.Replicas < 1 || c.Replicas > 16 {
		errs = append(errs, errors.New("replicas: it must be 1 to 16"))
	}
	return errors.Join(errs...)
}

// hostPort splits the address.
func (c Config) hostPort() (host string, port int, err error) {
	if c.Address == "" {
		return "", 0, errors.New("it is empty; write host:port")
	}
	host, text, err := net.SplitHostPort(c.Address)
	if missing := (*net.AddrError)(nil); errors.As(err, &missing) && missing.Err == "missing port in address" {
		return c.Address, defaultPort, nil
	}
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, fmt.Errorf("%q is not host:port", c.Address)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // as the client library has to have it
	}
	return host, int(n), nil
}

// tlsConfig is nil without TLS.
func (c Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s has no certificate", c.CAFile)
	}
	return t, nil
}
