package qdrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrOff says that the tier does not ask its server at present: it is not connected,
// its breaker is open, or what it found there does not fit. [Tier.Status] has the reason.
var ErrOff = errors.New("qdrant: the shared tier is off")

// ErrBusy says that as many lookups are under way as may be.
var ErrBusy = errors.New("qdrant: too many lookups are under way")

// ErrClosed says that the tier has been closed.
var ErrClosed = errors.New("qdrant: the shared tier is closed")

// CallError is a call that did not succeed. It has no text of the server's: that may
// repeat what was asked.
type CallError struct {
	Op   string // such as "query"
	Code codes.Code
}

// Error implements error.
func (e *CallError) Error() string { return fmt.Sprintf("qdrant: %s: %s", e.Op, e.Code) }

// callError gives an error of the client library its code.
func callError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &CallError{Op: op, Code: codeOf(err)}
}

// codeOf looks through the client library's errors, and through those of contexts.
func codeOf(err error) codes.Code {
	if limited := (*api.QdrantResourceExhaustedError)(nil); errors.As(err, &limited) {
		return codes.ResourceExhausted
	}
	if s := (interface{ GRPCStatus() *status.Status })(nil); errors.As(err, &s) {
		return s.GRPCStatus().Code()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	default:
		return codes.Unknown
	}
}

// retryAfter is how long a rate limit asks to wait, or 0.
func retryAfter(err error) time.Duration {
	if limited := (*api.QdrantResourceExhaustedError)(nil); errors.As(err, &limited) && limited.RetryAfterS > 0 {
		return min(time.Duration(limited.RetryAfterS)*time.Second, longestRetryAfter)
	}
	return 0
}

// obstacle is why the tier cannot be ready. A lasting one stays until somebody changes
// something.
type obstacle struct {
	reason  Reason
	lasting bool
	text    string
}

// Error implements error.
func (o *obstacle) Error() string { return "qdrant: " + o.text }

// lasting is an obstacle that stays.
func lasting(why Reason, format string, args ...any) *obstacle {
	return &obstacle{why, true, fmt.Sprintf(format, args...)}
}

// stopped judges a call of the set-up that failed.
func stopped(op string, err error) *obstacle {
	switch code := codeOf(err); code {
	case codes.Unauthenticated, codes.PermissionDenied:
		return lasting(ReasonKey, "%s: the server does not accept the API key (%s): set semcache.qdrant.api_key to one that may read and write", op, code)
	case codes.InvalidArgument, codes.Unimplemented, codes.FailedPrecondition:
		return lasting(ReasonSetup, "%s: the server does not take it (%s): %s", op, code, firstOf(status.Convert(innermost(err)).Message()))
	default:
		return &obstacle{ReasonUnreachable, false, fmt.Sprintf("%s: %s", op, code)}
	}
}

// longestMessage bounds what is shown of a server's message about the set-up, which
// has nothing of requests.
const longestMessage = 200

func firstOf(s string) string {
	if len(s) > longestMessage {
		return s[:longestMessage]
	}
	return s
}

// innermost is the innermost error.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
