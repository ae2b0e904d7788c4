package dialect

import (
	"fmt"
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// Code is the stable name of an error on the wire. Codes are never reused or
// renamed; docs list them.
type Code string

// The codes, in the order a request meets them.
const (
	CodeRouteNotFound      Code = "route_not_found"
	CodeUnpricedRoute      Code = "route_not_priced"
	CodeMethod             Code = "method_not_allowed"
	CodeTooLarge           Code = "request_too_large"
	CodeShuttingDown       Code = "shutting_down"
	CodeOverloaded         Code = "overloaded"
	CodeInvalidKey         Code = "invalid_api_key"
	CodeTooManyFailures    Code = "too_many_failures"
	CodeRevokedKey         Code = "api_key_revoked"
	CodeExpiredKey         Code = "api_key_expired"
	CodeSuspendedKey       Code = "api_key_suspended"
	CodeChildKey           Code = "child_key_invalid"
	CodeScope              Code = "scope_missing"
	CodeEndpointNotAllowed Code = "endpoint_not_allowed"
	CodeInvalidJSON        Code = "invalid_json"
	CodeAmbiguous          Code = "ambiguous_field"
	CodeMissingField       Code = "missing_required_parameter"
	CodeInvalidType        Code = "invalid_type"
	CodeInvalidValue       Code = "invalid_value"
	CodeLimit              Code = "limit_exceeded"
	CodeUnsupported        Code = "unsupported_parameter"
	CodeUnsupportedPart    Code = "unsupported_content"
	CodeMissingDim         Code = "missing_dimension"
	CodeInvalidDim         Code = "invalid_dimension"
	CodeBoundDim           Code = "dimension_bound"
	CodeUnknownPrevious    Code = "previous_response_not_found"
	CodeUnknownResponse    Code = "response_not_found"
	CodeUnknownRequest     Code = "request_not_found"
	CodeOutcomeConflict    Code = "outcome_conflict"
	CodeTemplate           Code = "template_not_found"
	CodeModelNotFound      Code = "model_not_found"
	CodeModelNotAllowed    Code = "model_not_allowed"
	CodeProviderNotAllowed Code = "provider_not_allowed"
	CodeChildLimit         Code = "child_limit_reached"
	CodePolicy             Code = "policy_denied"
	CodeRedaction          Code = "redaction_blocked"
	CodeUnpriced           Code = "model_not_priced"
	CodeUnbounded          Code = "cost_not_bounded"
	CodeContextLength      Code = "context_length_exceeded"
	CodeQuota              Code = "insufficient_quota"
	CodeLoop               Code = "loop_detected"
	CodeRateLimit          Code = "rate_limit_exceeded"
	CodeConcurrency        Code = "concurrency_limit_exceeded"
	CodeUndecided          Code = "undecided"
	CodeStorage            Code = "storage_unavailable"
	CodeCredential         Code = "credential_unavailable"
	CodeOnceReused         Code = "idempotency_key_reused"
	CodeOnceConflict       Code = "idempotency_conflict"
	CodeOnceNotKept        Code = "idempotency_answer_not_kept"
	CodeOnceUnknown        Code = "idempotency_outcome_unknown"
	CodeOnceUnavailable    Code = "idempotency_unavailable"
	CodeUpstream           Code = "upstream_unavailable"
	CodeUpstreamTimeout    Code = "upstream_timeout"
	CodeUpstreamInvalid    Code = "upstream_invalid"
	CodeUpstreamError      Code = "upstream_error"
	CodeClientGone         Code = "client_gone"
	CodeInternal           Code = "internal_error"
)

// Error types, as OpenAI names them.
const (
	typeInvalid   = "invalid_request_error"
	typeAuth      = "authentication_error"
	typeForbidden = "permission_error"
	typeQuota     = "insufficient_quota"
	typeRequests  = "requests"
	typeServer    = "server_error"
)

// TypeOf is the type of an error whose status is not that of its code.
func TypeOf(status int) string {
	switch {
	case status == 429:
		return typeRequests
	case status >= 500:
		return typeServer
	}
	return typeInvalid
}

type codeRule struct {
	status  int
	kind    string
	noRetry bool // tell the client not to try again: SDKs know by the status, agents try a 401 ten times
}

var codes = map[Code]codeRule{
	CodeRouteNotFound:      {404, typeInvalid, false},
	CodeUnpricedRoute:      {403, typeForbidden, false},
	CodeMethod:             {405, typeInvalid, false},
	CodeTooLarge:           {413, typeInvalid, false},
	CodeShuttingDown:       {503, typeServer, false},
	CodeOverloaded:         {503, typeServer, false},
	CodeInvalidKey:         {401, typeAuth, true},
	CodeTooManyFailures:    {429, typeRequests, true},
	CodeRevokedKey:         {401, typeAuth, true},
	CodeExpiredKey:         {401, typeAuth, true},
	CodeSuspendedKey:       {401, typeAuth, true},
	CodeChildKey:           {401, typeAuth, true},
	CodeScope:              {403, typeForbidden, false},
	CodeEndpointNotAllowed: {403, typeForbidden, false},
	CodeInvalidJSON:        {400, typeInvalid, false},
	CodeAmbiguous:          {400, typeInvalid, false},
	CodeMissingField:       {400, typeInvalid, false},
	CodeInvalidType:        {400, typeInvalid, false},
	CodeInvalidValue:       {400, typeInvalid, false},
	CodeLimit:              {400, typeInvalid, false},
	CodeUnsupported:        {400, typeInvalid, false},
	CodeUnsupportedPart:    {400, typeInvalid, false},
	CodeMissingDim:         {400, typeInvalid, false},
	CodeInvalidDim:         {400, typeInvalid, false},
	CodeBoundDim:           {403, typeForbidden, false},
	CodeUnknownPrevious:    {400, typeInvalid, false},
	CodeUnknownResponse:    {404, typeInvalid, false},
	CodeUnknownRequest:     {404, typeInvalid, false},
	CodeOutcomeConflict:    {409, typeInvalid, true},
	CodeTemplate:           {404, typeInvalid, false},
	CodeModelNotFound:      {404, typeInvalid, false},
	CodeModelNotAllowed:    {403, typeForbidden, false},
	CodeProviderNotAllowed: {403, typeForbidden, false},
	CodeChildLimit:         {403, typeForbidden, false},
	CodePolicy:             {403, typeForbidden, true},
	CodeRedaction:          {403, typeForbidden, false},
	CodeUnpriced:           {400, typeInvalid, false},
	CodeUnbounded:          {400, typeInvalid, false},
	CodeContextLength:      {400, typeInvalid, false},
	CodeQuota:              {402, typeQuota, true},
	CodeLoop:               {402, typeForbidden, true}, // as final as money: see docs/loops.md
	CodeRateLimit:          {429, typeRequests, false},
	CodeConcurrency:        {429, typeRequests, false},
	CodeUndecided:          {503, typeServer, false},
	CodeStorage:            {503, typeServer, false},
	CodeCredential:         {503, typeServer, false},
	CodeOnceReused:         {422, typeInvalid, true},
	CodeOnceConflict:       {409, typeInvalid, false},
	CodeOnceNotKept:        {409, typeInvalid, true},
	CodeOnceUnknown:        {409, typeInvalid, true},
	CodeOnceUnavailable:    {503, typeServer, false},
	CodeUpstream:           {502, typeServer, false},
	CodeUpstreamTimeout:    {504, typeServer, false},
	CodeUpstreamInvalid:    {502, typeServer, false},
	CodeUpstreamError:      {502, typeServer, false},
	CodeClientGone:         {499, typeServer, false},
	CodeInternal:           {500, typeServer, false},
}

// Budget says where the money of a refused request is. Amounts are in the unit
// of the budget: nano-dollars for usd, else counts.
type Budget struct {
	ID          string // of the budget
	Account     string // which of its accounts, in text
	Unit        string
	Window      string
	Limit       int64
	Spent       int64
	Held        int64
	Unreachable int64 // held by nodes that do not answer
	Needed      int64 // this request's own hold
	ResetsAt    int64 // Unix seconds, 0 when the window never ends

	Breaker *BudgetBreaker // where it refuses, whatever is left
}

// BudgetBreaker is a circuit breaker that is not closed.
type BudgetBreaker struct {
	State  string // open, half_open
	Cause  string
	Reason string
	Since  int64 // Unix seconds
	Until  int64 // the same; 0 for when it is reset
}

// Left is what of the limit nobody has spent or set aside.
func (b *Budget) Left() int64 { return max(0, b.Limit-b.Spent-b.Held-b.Unreachable) }

// AppendJSON appends b as an object. Amounts are in the budget's own unit; resets_at
// is null where the window never ends.
func (b *Budget) AppendJSON(dst []byte) []byte {
	for i, s := range [...]struct{ name, value string }{
		{"id", b.ID}, {"account", b.Account}, {"unit", b.Unit}, {"window", b.Window},
	} {
		dst = append(dst, "{,"[min(i, 1)], '"')
		dst = append(append(dst, s.name...), `":`...)
		dst = jsonscan.AppendString(dst, s.value)
	}
	for _, n := range [...]struct {
		name  string
		value int64
	}{
		{"limit", b.Limit}, {"spent", b.Spent}, {"held", b.Held}, {"unreachable", b.Unreachable}, {"needed", b.Needed},
	} {
		dst = append(append(append(dst, `,"`...), n.name...), `":`...)
		dst = strconv.AppendInt(dst, n.value, 10)
	}
	dst = appendSeconds(append(dst, `,"resets_at":`...), b.ResetsAt)
	if k := b.Breaker; k != nil {
		dst = append(dst, `,"breaker":{"state":`...)
		dst = jsonscan.AppendString(dst, k.State)
		dst = jsonscan.AppendString(append(dst, `,"cause":`...), k.Cause)
		dst = jsonscan.AppendString(append(dst, `,"reason":`...), k.Reason)
		dst = appendSeconds(append(dst, `,"since":`...), k.Since)
		dst = append(appendSeconds(append(dst, `,"until":`...), k.Until), '}')
	}
	return append(dst, '}')
}

// appendSeconds appends a time in Unix seconds, null for 0.
func appendSeconds(dst []byte, at int64) []byte {
	if at == 0 {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, at, 10)
}

// RateLimit is the budget that e refuses a request by, if it is one of requests
// or tokens: dialects have headers of their own for these. Else it is nil.
func (e *Error) RateLimit() *Budget {
	if e.Code != CodeRateLimit {
		return nil
	}
	return e.Budget
}

// Error is an answer that is not the one asked for. The zero Status and Type
// mean those of the code.
type Error struct {
	Status  int
	Type    string
	Code    Code
	Param   string // the field at fault, such as "messages[2].role"
	Message string // for a person: what is wrong and what to do

	NoRetry          bool  // sends x-should-retry: false
	RetryAfterMillis int64 // when above zero, sends retry-after
	Budget           *Budget
	RequestID        string // for dialects whose errors carry it
}

// NewError makes an error with the status and type its code stands for.
func NewError(code Code, param, format string, args ...any) *Error {
	rule, ok := codes[code]
	if !ok {
		panic("dialect: unknown error code " + string(code))
	}
	return &Error{
		Status: rule.status, Type: rule.kind, NoRetry: rule.noRetry,
		Code: code, Param: param, Message: fmt.Sprintf(format, args...),
	}
}

// Error gives the code and message, so that an *Error may travel as an error
// inside a dialect.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Header is one header of an answer.
type Header struct {
	Name, Value string
}

// AppendRetry appends the headers that say whether, and after what time, the
// client may try again, and whose breaker it is that refuses.
func (e *Error) AppendRetry(header []Header) []Header {
	if e.Budget != nil && e.Budget.Breaker != nil {
		header = append(header, Header{Name: "x-purser-budget-breaker", Value: e.Budget.Breaker.State})
	}
	if e.NoRetry {
		header = append(header, Header{Name: "x-should-retry", Value: "false"})
	}
	if ms := e.RetryAfterMillis; ms > 0 {
		header = append(header,
			Header{Name: "retry-after", Value: strconv.FormatInt((ms+999)/1000, 10)},
			Header{Name: "retry-after-ms", Value: strconv.FormatInt(ms, 10)})
	}
	return header
}
