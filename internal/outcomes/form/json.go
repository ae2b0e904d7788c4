package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"purser/internal/outcomes"
)

// MaxItems is how many outcomes are reported at once.
const MaxItems = 1000

// Outcome is an outcome as JSON has it.
type Outcome struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	At       string          `json:"at,omitempty"` // RFC 3339; absent: when it is reported
	Success  *bool           `json:"success,omitempty"`
	Quality  json.RawMessage `json:"quality,omitempty"` // 0 to 1
	Value    json.RawMessage `json:"value,omitempty"`   // dollars, a number or a string, of all of them
	Currency string          `json:"currency,omitempty"`
	Count    *int64          `json:"count,omitempty"` // outcomes alike; absent: 1
	Join     Join            `json:"join"`
}

// Join is what requests it is of: one of its fields, but that from and to go with
// dimensions and tags.
type Join struct {
	Request    string            `json:"request_id,omitempty"`
	Run        string            `json:"run,omitempty"`
	Session    string            `json:"session,omitempty"`
	Trace      string            `json:"trace_id,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	From       string            `json:"from,omitempty"` // RFC 3339
	To         string            `json:"to,omitempty"`
}

const shape = `{"id": "...", "name": "ticket_resolved", "success": true, "join": {"run": "..."}}, a list of those, or {"outcomes": [...]}`

// JSON reads one outcome, or a list. Of a list with a fault nothing is read.
func JSON(body []byte, t Teller) (list []outcomes.Report, many bool, fault *Error) {
	var in struct {
		Outcomes []Outcome `json:"outcomes"`
	}
	var err error
	body = bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("[")):
		many, err = true, strict(body, &in.Outcomes)
	case hasMember(body, "outcomes"):
		many, err = true, strict(body, &in)
	default:
		in.Outcomes = make([]Outcome, 1)
		err = strict(body, &in.Outcomes[0])
	}
	switch {
	case err != nil:
		return nil, many, bad("", "the body is not outcomes: %s (%v)", shape, err)
	case len(in.Outcomes) == 0:
		return nil, many, bad("outcomes", "there is no outcome in the list")
	case len(in.Outcomes) > MaxItems:
		return nil, many, bad("outcomes", "there are %d outcomes; at most %d are reported at once", len(in.Outcomes), MaxItems)
	}
	for i := range in.Outcomes {
		r, fault := in.Outcomes[i].report(t)
		if fault != nil {
			fault.Item = i
			if many {
				fault.Message = fmt.Sprintf("outcome %d of the list: %s; none of the list is kept", i, fault.Message)
			}
			return nil, many, fault
		}
		list = append(list, r)
	}
	return list, many, nil
}

// hasMember says whether a JSON object has a member of a name.
func hasMember(body []byte, name string) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(body, &members) == nil && members[name] != nil
}

// strict reads one JSON value without members that are not known.
func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it is more than one JSON value")
	}
	return nil
}

// literal is the text of a number, or of a string that has one; "" for null and for
// nothing.
func literal(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return string(raw), nil
	}
	return "", errors.New("it is neither a number nor a string")
}

func (o *Outcome) report(t Teller) (r outcomes.Report, fault *Error) {
	r.ID, r.Name = o.ID, o.Name
	if o.Count != nil {
		if r.Count = *o.Count; r.Count < 1 {
			return r, bad("count", "count is a whole number from 1 to %d", outcomes.MaxCount)
		}
	}
	if o.Success != nil {
		r.Success = outcomes.Failed
		if *o.Success {
			r.Success = outcomes.Succeeded
		}
	}
	judged, err := literal(o.Quality)
	if err != nil {
		return r, bad("quality", "quality: %v", err)
	}
	value, err := literal(o.Value)
	if err != nil {
		return r, bad("value", "value: %v", err)
	}
	if fault := said(&r, o.At, judged, value, o.Currency); fault != nil {
		return r, fault
	}
	if fault := o.Join.read(&r); fault != nil {
		return r, fault
	}
	return r, t.report(&r)
}

// said reads what texts say of an outcome; "" says nothing.
func said(r *outcomes.Report, at, judged, value, currency string) *Error {
	var err error
	if at != "" {
		if r.At, err = Instant(at); err != nil {
			return bad("at", "at: %v", err)
		}
		r.Told = true
	}
	if judged != "" {
		if r.Quality, err = quality(judged); err != nil {
			return bad("quality", "%v", err)
		}
		r.Judged = true
	}
	if value != "" {
		if r.Value, err = Dollars(value); err != nil {
			return bad("value", "value: %v", err)
		}
		r.Valued = true
	}
	if err := inDollars(currency); err != nil {
		return bad("currency", "%v", err)
	}
	return nil
}

func (j *Join) read(r *outcomes.Report) *Error {
	for kind, name := range map[outcomes.JoinKind]string{outcomes.OfRequest: j.Request, outcomes.OfRun: j.Run, outcomes.OfSession: j.Session, outcomes.OfTrace: strings.ToLower(j.Trace)} {
		if name == "" {
			continue
		}
		if r.Join.Kind != 0 {
			return bad("join", "join has more than one of request_id, run, session, trace_id, dimensions")
		}
		r.Join.Kind, r.Join.Name = kind, name
	}
	var err error
	if j.From != "" {
		if r.Join.From, err = Instant(j.From); err != nil {
			return bad("join", "join.from: %v", err)
		}
	}
	if j.To != "" {
		if r.Join.To, err = Instant(j.To); err != nil {
			return bad("join", "join.to: %v", err)
		}
	}
	of := maps.Clone(j.Dimensions)
	for name, value := range j.Tags {
		if of == nil {
			of = map[string]string{}
		}
		of["tag:"+name] = value
	}
	if len(of) > 0 {
		return matches(&r.Join, of, r.At)
	}
	if j.From != "" || j.To != "" {
		return bad("join", "join.from and join.to go with join.dimensions")
	}
	return nil
}
