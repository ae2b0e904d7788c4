package gemini

import (
	"bytes"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ErrorAnswer gives the status, headers and body that tell e to the client.
//
// A refusal for money is a 402 FAILED_PRECONDITION, which no client tries again;
// its QuotaFailure names a quota by the day, on which gemini-cli stops even where
// something in between has made a 429 of it. A rate limit is a 429
// RESOURCE_EXHAUSTED with RetryInfo and retry-after.
func ErrorAnswer(e *dialect.Error, _ dialect.Client) (int, []dialect.Header, []byte) {
	header := make([]dialect.Header, 0, 4)
	header = append(header, dialect.Header{Name: "content-type", Value: "application/json; charset=UTF-8"})
	header = e.AppendRetry(header)
	return e.Status, header, AppendError(make([]byte, 0, 512), e)
}

// statusOf is Google's name of what an HTTP status says.
func statusOf(status int) string {
	switch status {
	case 401:
		return "UNAUTHENTICATED"
	case 402, 412:
		return "FAILED_PRECONDITION"
	case 403:
		return "PERMISSION_DENIED"
	case 404:
		return "NOT_FOUND"
	case 405:
		return "UNIMPLEMENTED"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 500:
		return "INTERNAL"
	case 502, 503:
		return "UNAVAILABLE"
	case 408, 504:
		return "DEADLINE_EXCEEDED"
	}
	return "INVALID_ARGUMENT"
}

// domain is what ErrorInfo calls this gateway.
const domain = "purser"

const detailType = `{"@type":"type.googleapis.com/google.rpc.`

// AppendError appends e as Google's error body. ErrorInfo has the gateway's code
// and, on a refusal, the budget in its own unit.
func AppendError(dst []byte, e *dialect.Error) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = append(dst, `,"message":`...)
	dst = jsonscan.AppendString(dst, e.Message)
	dst = append(append(dst, `,"status":"`...), statusOf(e.Status)...)
	dst = append(dst, `","details":[`...)
	dst = append(dst, detailType+`ErrorInfo","reason":`...)
	dst = jsonscan.AppendString(dst, reason(e.Code))
	dst = append(dst, `,"domain":"`+domain+`","metadata":{"code":`...)
	dst = jsonscan.AppendString(dst, string(e.Code))
	if e.Budget != nil {
		dst = appendBudget(dst, e.Budget)
	}
	dst = append(dst, "}}"...)
	if e.Param != "" {
		dst = append(dst, ","+detailType+`BadRequest","fieldViolations":[{"field":`...)
		dst = jsonscan.AppendString(dst, e.Param)
		dst = append(dst, `,"description":`...)
		dst = jsonscan.AppendString(dst, e.Message)
		dst = append(dst, "}]}"...)
	}
	if e.Budget != nil {
		dst = appendQuotaFailure(dst, e)
	}
	if ms := e.RetryAfterMillis; ms > 0 {
		dst = append(dst, ","+detailType+`RetryInfo","retryDelay":"`...)
		dst = strconv.AppendInt(dst, ms/1000, 10)
		dst = append(dst, '.', '0'+byte(ms/100%10), '0'+byte(ms/10%10), '0'+byte(ms%10))
		dst = append(dst, `s"}`...)
	}
	return append(dst, "]}}"...)
}

// reason is a code in the form that ErrorInfo has: upper case.
func reason(c dialect.Code) string { return string(bytes.ToUpper([]byte(c))) }

// quotaID names the budget as a quota. Clients take one by the day for a reason
// not to ask again whatever RetryInfo says, and one by the minute for a reason to
// wait a minute where nothing says how long. The name of a limit does not have the
// budget's own name in it, in which they could find such a word.
func quotaID(e *dialect.Error) string {
	switch {
	case e.Code == dialect.CodeQuota:
		return "BudgetPerDay-" + e.Budget.ID
	case e.Code == dialect.CodeConcurrency:
		return "LimitAtOnce"
	case e.Budget.Window == "minute":
		return "LimitPerMinute"
	case e.Budget.Window == "hour":
		return "LimitPerHour"
	}
	return "LimitPerDay" // or longer: nobody is to wait for it
}

func appendQuotaFailure(dst []byte, e *dialect.Error) []byte {
	b := e.Budget
	dst = append(dst, ","+detailType+`QuotaFailure","violations":[{"quotaMetric":`...)
	dst = jsonscan.AppendString(dst, domain+"/"+b.Unit)
	dst = append(dst, `,"quotaId":`...)
	dst = jsonscan.AppendString(dst, quotaID(e))
	dst = append(dst, `,"quotaValue":"`...)
	dst = strconv.AppendInt(dst, b.Limit, 10)
	return append(dst, `"}]}`...)
}

// appendBudget appends the budget as members of a map of strings.
func appendBudget(dst []byte, b *dialect.Budget) []byte {
	for _, s := range [...]struct{ name, value string }{
		{"budget", b.ID}, {"account", b.Account}, {"unit", b.Unit}, {"window", b.Window},
	} {
		dst = append(append(append(dst, `,"`...), s.name...), `":`...)
		dst = jsonscan.AppendString(dst, s.value)
	}
	for _, n := range [...]struct {
		name  string
		value int64
	}{
		{"limit", b.Limit}, {"spent", b.Spent}, {"held", b.Held},
		{"unreachable", b.Unreachable}, {"needed", b.Needed}, {"resets_at", b.ResetsAt},
	} {
		if n.name == "resets_at" && n.value == 0 {
			continue // it does not
		}
		dst = append(append(append(dst, `,"`...), n.name...), `":"`...)
		dst = append(strconv.AppendInt(dst, n.value, 10), '"')
	}
	return dst
}

// readErrorValue reads the value of an error member.
func readErrorValue(raw []byte) (e dialect.UpstreamError) {
	a := reader{cur: jsonscan.Cursor{Doc: raw, LoneSurrogates: true}}
	if a.cur.Kind() == jsonscan.String {
		if s, err := a.cur.String(); err == nil {
			e.Message = dialect.ClipError(a.cur.Text(s))
		}
		return e
	}
	_ = a.each(func(key []byte) error { // what is left of a broken one stays empty
		k := a.cur.Kind()
		start := a.cur.Pos
		name := string(key)
		if k == jsonscan.Number && name == "code" {
			err := a.cur.Skip()
			e.Code = dialect.ClipError(string(raw[start:a.cur.Pos]))
			return err
		}
		if k != jsonscan.String {
			return a.cur.Skip()
		}
		s, err := a.cur.String()
		if err != nil {
			return err
		}
		switch name {
		case "message":
			e.Message = dialect.ClipError(a.cur.Text(s))
		case "status":
			e.Type = dialect.ClipError(a.cur.Text(s))
		}
		return nil
	})
	return e
}
