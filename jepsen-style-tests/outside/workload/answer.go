package workload

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"

	"purser/jepsen-style-tests/outside/history"
)

// problem reads the body of an error in OpenAI's, Anthropic's or Gemini's form: its
// code, and the budget that refuses. A provider's own error has its type for a code
// where it names none.
func problem(body []byte) (code string, refusal *history.Budget) {
	var b struct {
		Error struct {
			Code    json.RawMessage `json:"code"` // Gemini's is the status
			Type    string          `json:"type"`
			Status  string          `json:"status"`
			Budget  *history.Budget `json:"budget"`
			Details json.RawMessage `json:"details"` // Anthropic's is an object, Gemini's a list
		} `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil {
		return "", nil
	}
	var text string
	if json.Unmarshal(b.Error.Code, &text) != nil {
		text = ""
	}
	code, refusal = cmp.Or(text, b.Error.Type, b.Error.Status), b.Error.Budget
	var anthropic struct {
		Code   string          `json:"error_code"`
		Budget *history.Budget `json:"budget"`
	}
	if json.Unmarshal(b.Error.Details, &anthropic) == nil {
		if refusal == nil {
			refusal = anthropic.Budget
		}
		return cmp.Or(anthropic.Code, code), refusal
	}
	var gemini []struct {
		Metadata map[string]string `json:"metadata"`
	}
	if json.Unmarshal(b.Error.Details, &gemini) == nil {
		for _, d := range gemini {
			code = cmp.Or(d.Metadata["code"], code)
		}
	}
	return code, refusal
}

// tell reads what the headers of an answer say, or its trailer.
func tell(r *history.Request, h http.Header) {
	r.RequestID = cmp.Or(h.Get("x-purser-request-id"), r.RequestID)
	r.Cache = cmp.Or(h.Get("x-purser-cache"), r.Cache)
	if h.Get("x-purser-idempotent-replayed") != "" {
		r.Replayed = true
	}
	if n, err := strconv.ParseInt(h.Get("x-purser-cost-nanousd"), 10, 64); err == nil {
		r.Cost, r.Costed = n, true
	}
}

// digest is the SHA-256 of a body, in hexadecimal.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// whole says of a stream of server-sent events whether it came to its end, as OpenAI's
// and Anthropic's say it; code is that of the error that it ended with.
func whole(stream []byte) (ok bool, code string) {
	for event := range bytes.SplitSeq(bytes.ReplaceAll(stream, []byte("\r\n"), []byte("\n")), []byte("\n\n")) {
		for line := range bytes.SplitSeq(event, []byte("\n")) {
			data, is := bytes.CutPrefix(line, []byte("data:"))
			if !is {
				continue
			}
			data = bytes.TrimSpace(data)
			if bytes.Equal(data, []byte("[DONE]")) {
				ok = true
				continue
			}
			var e struct {
				Type  string          `json:"type"`
				Error json.RawMessage `json:"error"`
			}
			if json.Unmarshal(data, &e) != nil {
				continue
			}
			if e.Type == "message_stop" {
				ok = true
			}
			if e.Type == "error" || len(e.Error) > 0 && string(e.Error) != "null" {
				code, _ = problem(data)
				return false, cmp.Or(code, "error")
			}
		}
	}
	return ok, ""
}
