package edge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// recheck is how often, at most, the files are looked at during handshakes.
const recheck = 10 * time.Second

// Certificates is a certificate on disk that may be replaced while it is in use.
// Renewed files are noticed within 10 s by the next handshake; a pair that cannot
// be read or does not match leaves the present one in force. Safe for concurrent use.
type Certificates struct {
	certFile, keyFile string
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate]
	looked  atomic.Int64 // when the files were last looked at, Unix nanoseconds

	mu    sync.Mutex // one reload at a time
	stamp [2]fileStamp
}

// fileStamp tells a replaced file from the one that was read.
type fileStamp struct {
	at   time.Time
	size int64
}

// LoadCertificates reads a PEM chain and its key. log may be nil.
func LoadCertificates(certFile, keyFile string, log *slog.Logger) (*Certificates, error) {
	if log == nil {
		log = slog.Default()
	}
	c := &Certificates{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files now. On an error the present certificate stays.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reloadLocked()
}

func (c *Certificates) reloadLocked() error {
	stamp, err := c.stat()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", c.certFile, err)
	}
	c.stamp = stamp
	c.current.Store(&pair)
	c.looked.Store(time.Now().UnixNano())
	return nil
}

func (c *Certificates) stat() (out [2]fileStamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return out, err
		}
		out[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return out, nil
}

// get is tls.Config's GetCertificate.
func (c *Certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.refresh(time.Now())
	return c.current.Load(), nil
}

// refresh reloads changed files. One handshake does it; the others go on with what there is.
func (c *Certificates) refresh(now time.Time) {
	last := c.looked.Load()
	if now.UnixNano()-last < int64(recheck) || !c.looked.CompareAndSwap(last, now.UnixNano()) || !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	stamp, err := c.stat()
	if err == nil && stamp == c.stamp {
		return
	}
	if err == nil {
		err = c.reloadLocked()
	}
	if err != nil {
		c.log.Error("certificate not reloaded, the present one stays", slog.String("error", err.Error()))
		return
	}
	c.log.Info("certificate reloaded", slog.String("file", c.certFile))
}
