package openai

import (
	"bytes"
	"strconv"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ErrorAnswer gives the status, headers and body that tell e to the client.
//
// A refusal for money is a 402 with x-should-retry: false, which no SDK tries
// again; Codex gets the 429 usage_limit_reached that it stops on. Of a denial by a
// policy it gets a 400: it tries a 403 again. A rate limit
// is a 429 with retry-after, retry-after-ms and the x-ratelimit- headers.
func ErrorAnswer(e *dialect.Error, c dialect.Client) (int, []dialect.Header, []byte) {
	header := make([]dialect.Header, 0, 8)
	header = append(header, dialect.Header{Name: "content-type", Value: "application/json"})
	header = e.AppendRetry(header)
	if b := e.RateLimit(); b != nil {
		header = appendRateLimit(header, b, e.RetryAfterMillis)
	}
	if c == dialect.Codex && (e.Code == dialect.CodeQuota || e.Code == dialect.CodeLoop) {
		return 429, header, appendUsageLimit(nil, e)
	}
	if c == dialect.Codex && e.Code == dialect.CodePolicy {
		e.Status = 400
	}
	return e.Status, header, AppendError(make([]byte, 0, 512), e)
}

// appendRateLimit appends OpenAI's headers of a limit that is reached. The reset
// is a duration, such as 6m0s.
func appendRateLimit(header []dialect.Header, b *dialect.Budget, resetMillis int64) []dialect.Header {
	const prefix = "x-ratelimit-"
	header = append(header,
		dialect.Header{Name: prefix + "limit-" + b.Unit, Value: strconv.FormatInt(b.Limit, 10)},
		dialect.Header{Name: prefix + "remaining-" + b.Unit, Value: strconv.FormatInt(b.Left(), 10)})
	if resetMillis > 0 {
		header = append(header, dialect.Header{Name: prefix + "reset-" + b.Unit, Value: (time.Duration(resetMillis) * time.Millisecond).String()})
	}
	return header
}

// kindOf is the type and code that e is told by. A refusal for money with the
// status 429 has LiteLLM's: clients that were written for it look for them.
func kindOf(e *dialect.Error) (kind, code string) {
	if e.Code == dialect.CodeQuota && e.Status == 429 {
		return "budget_exceeded", "429"
	}
	return e.Type, string(e.Code)
}

// AppendError appends e as OpenAI's error body. A refusal for money adds the
// budget, in the budget's own unit.
func AppendError(dst []byte, e *dialect.Error) []byte {
	kind, code := kindOf(e)
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonscan.AppendString(dst, e.Message)
	dst = append(dst, `,"type":`...)
	dst = jsonscan.AppendString(dst, kind)
	dst = append(dst, `,"param":`...)
	if e.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonscan.AppendString(dst, e.Param)
	}
	dst = append(dst, `,"code":`...)
	dst = jsonscan.AppendString(dst, code)
	if e.Budget != nil {
		dst = e.Budget.AppendJSON(append(dst, `,"budget":`...))
	}
	return append(dst, "}}"...)
}

// appendUsageLimit appends a refusal for money in Codex's form.
func appendUsageLimit(dst []byte, e *dialect.Error) []byte {
	dst = append(dst, `{"error":{"type":"usage_limit_reached","message":`...)
	dst = jsonscan.AppendString(dst, e.Message)
	if e.Budget != nil && e.Budget.ResetsAt != 0 {
		dst = append(dst, `,"resets_at":`...)
		dst = strconv.AppendInt(dst, e.Budget.ResetsAt, 10)
	}
	return append(dst, "}}"...)
}

// AppendStreamError appends e as an event, for a stream that has begun. No
// [DONE] follows it: the stream did not end well.
func AppendStreamError(dst []byte, e *dialect.Error) []byte {
	dst = append(dst, "data: "...)
	dst = AppendError(dst, e)
	return append(dst, "\n\n"...)
}

// ReadError reads the body of an answer whose status is not 2xx. A body of
// another form gives its beginning as the message.
func ReadError(body []byte) dialect.UpstreamError {
	cur := jsonscan.Cursor{Doc: body, LoneSurrogates: true}
	if cur.Kind() == jsonscan.Object && cur.Open() == nil {
		for first := true; ; first = false {
			key, more, err := cur.Member(first)
			if !more || err != nil {
				break
			}
			start, end, err := cur.Value()
			if err != nil {
				break
			}
			if string(cur.Name(key)) == "error" {
				return readErrorValue(body[start:end])
			}
		}
	}
	return dialect.UpstreamError{Message: dialect.ClipError(string(bytes.TrimSpace(body[:min(len(body), dialect.MaxErrorText)])))}
}

// readErrorValue reads the value of an error member: an object, or only a text.
func readErrorValue(raw []byte) (e dialect.UpstreamError) {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() == jsonscan.String {
		if s, err := cur.String(); err == nil {
			e.Message = dialect.ClipError(cur.Text(s))
		}
		return e
	}
	if cur.Kind() != jsonscan.Object || cur.Open() != nil {
		return e
	}
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if !more || err != nil {
			return e
		}
		text, ok := scalar(&cur)
		if !ok {
			return e
		}
		switch string(cur.Name(key)) {
		case "message":
			e.Message = text
		case "type":
			e.Type = text
		case "code":
			e.Code = text
		case "param":
			e.Param = text
		}
	}
}

// scalar reads a value and gives its text if it is a string or a number.
func scalar(cur *jsonscan.Cursor) (string, bool) {
	switch cur.Kind() {
	case jsonscan.String:
		s, err := cur.String()
		if err != nil {
			return "", false
		}
		return dialect.ClipError(cur.Text(s)), true
	case jsonscan.Number:
		start, end, err := cur.Number()
		return dialect.ClipError(string(cur.Doc[start:end])), err == nil
	}
	return "", cur.Skip() == nil
}
