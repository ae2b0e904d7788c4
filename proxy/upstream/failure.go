package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/valyala/fasthttp"
)

// Phase is where in an attempt a failure happened.
type Phase uint8

const (
	// PhaseStart: the request cannot be sent as it is, no credential proves it, or the client is closed.
	PhaseStart Phase = iota
	// PhaseWait: no connection became free. The limit is ours, not the upstream's fault.
	PhaseWait
	// PhaseConnect: the dial or the TLS handshake.
	PhaseConnect
	// PhaseWrite: writing the request.
	PhaseWrite
	// PhaseFirstByte: between the request's last byte and the end of the answer's headers.
	PhaseFirstByte
	// PhaseBody: reading the answer's body.
	PhaseBody
)

var phaseNames = [...]string{"start", "wait", "connect", "write", "first byte", "body"}

// String names the phase for logs and metrics.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase %d", p)
}

// Causes that a Failure's Err can be. Network errors keep their system error
// beneath, so errors.Is finds syscall.ECONNREFUSED and the like.
var (
	ErrClosed          = errors.New("client is closed")
	ErrBusy            = errors.New("no connection became free in time")
	ErrTimeout         = errors.New("time limit reached")
	ErrHungUp          = errors.New("connection closed before the answer began")
	ErrTruncated       = errors.New("answer broke off before its end")
	ErrMalformed       = errors.New("answer is not valid http")
	ErrHeadersTooLarge = errors.New("answer's headers are too large")
	ErrTooLarge        = errors.New("answer is larger than its limit")
	ErrEncoding        = errors.New("answer has a content encoding that was not asked for and is not known")
	ErrBadRequest      = errors.New("request holds bytes that cannot be sent")
	ErrHandshake       = errors.New("tls handshake")
)

// Failure is the end of an attempt that has no complete answer. It is an error.
type Failure struct {
	// Sent is false only when surely not a byte of the request reached the upstream, so that nothing can be billed.
	Sent bool
	// Timeout says that one of the time limits ended the attempt.
	Timeout bool
	Phase   Phase
	// Err is the cause; its text is safe to log.
	Err error
}

// Error describes the failure without naming the request.
func (f *Failure) Error() string {
	if f.Sent {
		return fmt.Sprintf("upstream failed at %s, request sent: %v", f.Phase, f.Err)
	}
	return fmt.Sprintf("upstream failed at %s, request not sent: %v", f.Phase, f.Err)
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func fail(sent bool, at Phase, err error) *Failure {
	f := &Failure{Sent: sent, Phase: at, Err: cause(at, err)}
	f.Timeout = f.Err == ErrTimeout
	return f
}

// cause reduces an error to one whose text is known to be harmless. The wire
// code below quotes the bytes it could not parse, and those may be prompts.
func cause(at Phase, err error) error {
	var (
		dns   *net.DNSError
		errno syscall.Errno
		small *fasthttp.ErrSmallBuffer
	)
	switch {
	case isKnown(err):
		return err
	case isTimeout(err):
		return ErrTimeout
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return ErrClosed
	case errors.As(err, &dns):
		return fmt.Errorf("host cannot be resolved: %s", dns.Err)
	case errors.As(err, &errno):
		return errno
	case at == PhaseConnect:
		return connectCause(err)
	case errors.As(err, &small):
		return ErrHeadersTooLarge
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if at == PhaseBody {
			return ErrTruncated
		}
		return ErrHungUp
	}
	return ErrMalformed
}

// connectCause keeps what an operator needs to mend a broken TLS set-up. The
// text of these errors names hosts and certificates, nothing of a request.
func connectCause(err error) error {
	var (
		verify *tls.CertificateVerificationError
		host   x509.HostnameError
		alert  tls.AlertError
		record tls.RecordHeaderError
		remote *net.OpError // an alert that came from the other side
	)
	if errors.As(err, &verify) || errors.As(err, &host) || errors.As(err, &alert) || errors.As(err, &record) ||
		errors.As(err, &remote) && remote.Op == "remote error" {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrHungUp
	}
	return errors.New("connection could not be set up")
}

var known = [...]error{ErrClosed, ErrBusy, ErrTimeout, ErrHungUp, ErrTruncated, ErrMalformed, ErrHeadersTooLarge, ErrTooLarge, ErrEncoding, ErrBadRequest, ErrCredential}

func isKnown(err error) bool {
	for _, k := range known {
		if err == k {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
