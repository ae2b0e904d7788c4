package anthropic

import (
	"strconv"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ErrorAnswer gives the status, headers and body that tell e to the client.
//
// A refusal for money is a 402 billing_error with x-should-retry: false, which no
// SDK tries again. A rate limit is a 429 with retry-after and the
// anthropic-ratelimit- headers.
func ErrorAnswer(e *dialect.Error) (int, []dialect.Header, []byte) {
	header := make([]dialect.Header, 0, 8)
	header = append(header, dialect.Header{Name: "content-type", Value: "application/json"})
	if e.RequestID != "" {
		header = append(header, dialect.Header{Name: "request-id", Value: e.RequestID})
	}
	header = e.AppendRetry(header)
	if b := e.RateLimit(); b != nil {
		header = appendRateLimit(header, b)
	}
	return e.Status, header, AppendError(make([]byte, 0, 512), e)
}

// appendRateLimit appends Anthropic's headers of a limit that is reached.
func appendRateLimit(header []dialect.Header, b *dialect.Budget) []dialect.Header {
	prefix := "anthropic-ratelimit-" + b.Unit
	header = append(header,
		dialect.Header{Name: prefix + "-limit", Value: strconv.FormatInt(b.Limit, 10)},
		dialect.Header{Name: prefix + "-remaining", Value: strconv.FormatInt(b.Left(), 10)})
	if b.ResetsAt > 0 {
		header = append(header, dialect.Header{Name: prefix + "-reset", Value: time.Unix(b.ResetsAt, 0).UTC().Format(time.RFC3339)})
	}
	return header
}

// AppendError appends e as Anthropic's error body. details has the gateway's code
// and the field at fault; of a refusal for money, the budget in its own unit.
func AppendError(dst []byte, e *dialect.Error) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, typeOf(e)...)
	dst = append(dst, `","message":`...)
	dst = jsonscan.AppendString(dst, e.Message)
	dst = append(dst, `,"details":{"error_code":`...)
	code := string(e.Code)
	if e.Code == dialect.CodeQuota {
		code = "spend_limit_reached"
	}
	dst = jsonscan.AppendString(dst, code)
	if e.Param != "" {
		dst = append(dst, `,"param":`...)
		dst = jsonscan.AppendString(dst, e.Param)
	}
	if e.Budget != nil {
		dst = e.Budget.AppendJSON(append(dst, `,"budget":`...))
	}
	dst = append(dst, "}}"...)
	if e.RequestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = jsonscan.AppendString(dst, e.RequestID)
	}
	return append(dst, '}')
}

// typeOf is Anthropic's type for e: its own where a code has one, else that of
// the status.
func typeOf(e *dialect.Error) string {
	switch e.Code {
	case dialect.CodeQuota:
		return "billing_error"
	case dialect.CodeUndecided, dialect.CodeOverloaded, dialect.CodeShuttingDown:
		return "overloaded_error"
	}
	switch e.Status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 408, 504:
		return "timeout_error"
	case 529:
		return "overloaded_error"
	}
	if e.Status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}
