package simprovider

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// OpenAI's dialect: https://platform.openai.com/docs/api-reference, as the Go
// SDK v3 reads it.
var openAI = dialect{key: bearerKey, headers: openAIHeaders, errorBody: openAIError, cache: cachePrefix}

func bearerKey(x *call) string {
	const scheme = "bearer "
	h := unsafeString(x.c.req.Header.Peek("Authorization"))
	if len(h) < len(scheme) || !strings.EqualFold(h[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimSpace(h[len(scheme):])
}

// shownTokenLimit is OpenAI's highest published tokens per minute; only shown.
const shownTokenLimit = 180_000_000

func openAIHeaders(x *call) {
	w := &x.w
	w.out = append(append(w.out, "X-Request-Id: req_"...), x.id...)
	w.out = append(w.out, "\r\nOpenai-Version: 2020-10-01\r\nOpenai-Organization: simulated\r\n"...)
	w.headerInt("Openai-Processing-Ms", x.p.now().Sub(x.at).Milliseconds())
	limit := x.p.cfg.RequestsPerMinute
	if limit == 0 {
		limit = shownRequestLimit
	}
	w.headerInt("X-Ratelimit-Limit-Requests", int64(limit))
	w.headerInt("X-Ratelimit-Remaining-Requests", int64(max(x.left, 0)))
	w.headerInt("X-Ratelimit-Limit-Tokens", shownTokenLimit)
	w.headerInt("X-Ratelimit-Remaining-Tokens", shownTokenLimit-x.gen.input)
	reset := strconv.FormatInt(60-x.at.Unix()%60, 10) + "s"
	w.header("X-Ratelimit-Reset-Requests", reset)
	w.header("X-Ratelimit-Reset-Tokens", reset)
}

func openAIError(b []byte, e *apiError) []byte {
	field := func(name, value string) {
		b = append(append(b, name...), ':')
		if value == "" {
			b = append(b, "null"...)
			return
		}
		b = appendJSONString(b, value)
	}
	b = append(b, `{"error":{`...)
	field(`"message"`, e.message)
	field(`,"type"`, e.kind)
	field(`,"param"`, e.param)
	field(`,"code"`, e.code)
	return append(b, "}}"...)
}

func invalid(code, param, message string) *apiError {
	return &apiError{status: 400, kind: "invalid_request_error", code: code, param: param, message: message}
}

func wrongType(param, want string, got gjson.Result) *apiError {
	return invalid("invalid_type", param, "Invalid type for '"+param+"': expected "+want+", but got "+kindOf(got)+" instead.")
}

func kindOf(v gjson.Result) string {
	switch {
	case v.IsArray():
		return "an array"
	case v.IsObject():
		return "an object"
	case v.IsBool():
		return "a boolean"
	case v.Type == gjson.String:
		return "a string"
	case v.Type == gjson.Number:
		return "a number"
	}
	return "null"
}

// tierOf is the tier an answer states for the tier a request asks: what is billed.
func tierOf(asked gjson.Result) (string, *apiError) {
	switch asked.Str {
	case "", "auto", "default":
		return "default", nil
	case "flex", "priority", "scale", "ultrafast":
		return strings.Clone(asked.Str), nil
	case "fast":
		return "priority", nil
	}
	return "", invalid("invalid_value", "service_tier", "Invalid value for 'service_tier'.")
}

// findModel chooses the plan and the model by the name in the request.
func (x *call) findModel(name gjson.Result, embedding bool) *apiError {
	if !name.Exists() || name.Type == gjson.String && name.Str == "" {
		return invalid("", "", "you must provide a model parameter")
	}
	if name.Type != gjson.String {
		return wrongType("model", "a string", name)
	}
	id, err := x.choosePlan(name.Str)
	if err != nil {
		return err
	}
	m := x.p.models[id]
	if m == nil || m.API != x.d.api {
		return &apiError{status: 404, kind: "invalid_request_error", code: "model_not_found",
			message: "The model `" + id + "` does not exist or you do not have access to it."}
	}
	if embedding != (m.Dimensions > 0) {
		return &apiError{status: 404, kind: "invalid_request_error", param: "model",
			message: "This model is not supported in this endpoint."}
	}
	x.gen.model = m
	return nil
}

func (m *Model) served() string {
	if m.Served != "" {
		return m.Served
	}
	return m.ID
}

// modelEpoch is the creation time models state: the project has no better one.
const modelEpoch = 1_715_367_049

// serveModels answers the list of models, or one of them. Of plans only the
// request's own applies, so that set plans and mixes are for billable calls.
func (x *call) serveModels(id string) *apiError {
	if h := x.c.req.Header.Peek(modeHeader); x.p.cfg.RequestModes && len(h) > 0 {
		plan, err := ParsePlan(string(h))
		if err != nil {
			return invalid("invalid_mode", "", err.Error())
		}
		x.setPlan(plan)
		if e := plan.refusal(); e != nil {
			return e
		}
	}
	b := x.body[:0]
	if id != "" {
		m := x.p.models[id]
		if m == nil {
			return &apiError{status: 404, kind: "invalid_request_error", param: "model", code: "model_not_found",
				message: "The model '" + id + "' does not exist"}
		}
		b = appendModel(b, m)
	} else {
		b = append(b, `{"object":"list","data":[`...)
		for i := range x.p.cfg.Models {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendModel(b, &x.p.cfg.Models[i])
		}
		b = append(b, "]}"...)
	}
	x.body = b
	x.w.head(200, "application/json")
	x.d.headers(x)
	x.w.body(b)
	return nil
}

func appendModel(b []byte, m *Model) []byte {
	b = append(b, `{"id":`...)
	b = appendJSONString(b, m.ID)
	b = append(b, `,"object":"model","created":`...)
	b = strconv.AppendInt(b, modelEpoch, 10)
	return append(b, `,"owned_by":"simulated"}`...)
}
