package alerting

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"purser/internal/alert"
	"purser/ledger"
)

const (
	// attemptTime bounds one attempt, from the name to the end of the answer.
	attemptTime = 10 * time.Second
	// maxAnswer bounds what is read of an answer, so that its connection is kept.
	maxAnswer = 64 << 10
	// idleConns are kept for the next event, for a while.
	idleConns = 8
	idleTime  = 30 * time.Second
)

// Sender sends events over HTTP. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	agent  string
	source string
}

// NewSender returns a sender that says source in its events. Without allowPrivate
// it sends to public addresses alone.
func NewSender(source, version string, allowPrivate bool) *Sender {
	dialer := &net.Dialer{Timeout: attemptTime, Control: guard(allowPrivate)}
	return &Sender{
		source: source,
		agent:  "purser/" + version,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
				MaxIdleConns: idleConns, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: maxAnswer, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close lets go of connections that are kept.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt. at is the time that the receiver is told.
func (s *Sender) Send(ctx context.Context, w *alert.Webhook, e *alert.Event, at time.Time) alert.Answer {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if w.Broken || w.Form != alert.Slack && len(w.Keys) == 0 {
		return alert.Answer{Fault: "no_secret"}
	}
	body, err := alert.Render(w.Form, e, s.source)
	if err != nil {
		return alert.Answer{Fault: "render", Gone: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return alert.Answer{Fault: "address"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.agent)
	seconds := at.Unix()
	req.Header.Set(alert.HeaderID, e.ID)
	req.Header.Set(alert.HeaderTimestamp, strconv.FormatInt(seconds, 10))
	if len(w.Keys) > 0 {
		req.Header.Set(alert.HeaderSignature, alert.Sign(w.Keys, e.ID, seconds, body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return alert.Answer{Fault: fault(err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // what it says besides its status is nobody's affair
	out := alert.Answer{Status: uint16(res.StatusCode), RetryAfter: retryAfter(res.Header.Get("Retry-After"), at)}
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		out.OK = true
	case res.StatusCode >= 300 && res.StatusCode < 400:
		out.Fault = "redirect"
	case res.StatusCode == http.StatusGone:
		out.Fault, out.Gone = "gone", true
	default:
		out.Fault = "status"
	}
	return out
}

// fault names an error in a word: errors of the client repeat the address.
func fault(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alertErr tls.AlertError
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.Is(err, errAddress):
		return "refused_address"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "broken_off"
	case errors.As(err, &dns):
		return "name"
	case errors.As(err, &record), errors.As(err, &alertErr), errors.As(err, &certificate), errors.As(err, &unknown):
		return "tls"
	default:
		return "connection"
	}
}

// retryAfter reads the header in either form; 0 for none.
func retryAfter(v string, now time.Time) ledger.Instant {
	v = strings.TrimSpace(v)
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return ledger.Instant(seconds) * ledger.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return ledger.Instant(max(at.Sub(now), 0))
	}
	return 0
}
