package form

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"purser/internal/outcomes"
)

// Langfuse is how scores are read.
type Langfuse struct {
	Scores map[string]Scale // by the score's name
}

// Scale says what the values of a score are worth.
type Scale struct {
	Min, Max   float64            // of a numeric one; both 0: 0 to 1
	Categories map[string]float64 // of a categorical one: quality, 0 to 1, by value
}

// Score is a score as Langfuse's API takes it. What else a score may have says nothing here.
type Score struct {
	ID          string          `json:"id"`
	Trace       string          `json:"traceId"`
	Session     string          `json:"sessionId"`
	Observation string          `json:"observationId"`
	Name        string          `json:"name"`
	Value       json.RawMessage `json:"value"`
	DataType    string          `json:"dataType"` // NUMERIC, BOOLEAN or CATEGORICAL; absent: by the value
	Timestamp   string          `json:"timestamp"`
}

// The types of scores.
const (
	numericScore     = "NUMERIC"
	booleanScore     = "BOOLEAN"
	categoricalScore = "CATEGORICAL"
)

// Score reads one. A boolean one says whether it was a success, the others a quality. One
// without an id has that of what it says, so that it counts once however often it is sent.
func (l *Langfuse) Score(body []byte, t Teller) (r outcomes.Report, fault *Error) {
	var in Score
	if err := json.Unmarshal(body, &in); err != nil {
		return r, bad("", "the body is not a score: it has name, value and traceId or sessionId")
	}
	r.ID, r.Name = "langfuse:"+in.ID, in.Name
	if in.ID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q", in.Trace, in.Session, in.Observation, in.Name, in.Value, in.DataType, in.Timestamp))
		r.ID = "langfuse:" + hex.EncodeToString(sum[:16])
	}
	if fault := said(&r, in.Timestamp, "", "", ""); fault != nil {
		return r, fault
	}
	if fault := l.value(&r, &in); fault != nil {
		return r, fault
	}
	switch {
	case strings.HasPrefix(in.Observation, "req_"):
		r.Join = outcomes.Join{Kind: outcomes.OfRequest, Name: in.Observation}
	case in.Trace != "":
		r.Join = outcomes.Join{Kind: outcomes.OfTrace, Name: strings.ToLower(in.Trace)}
		if b, err := hex.DecodeString(in.Trace); err != nil || len(b) != 16 {
			r.Join = outcomes.Join{Kind: outcomes.OfRun, Name: in.Trace}
		}
	case in.Session != "":
		r.Join = outcomes.Join{Kind: outcomes.OfSession, Name: in.Session}
	default:
		return r, bad("traceId", "the score is of nothing that is known here: it has neither traceId nor sessionId")
	}
	return r, t.report(&r)
}

func (l *Langfuse) value(r *outcomes.Report, in *Score) *Error {
	text, err := literal(in.Value)
	if err != nil || text == "" {
		return bad("value", "value is neither a number nor a string")
	}
	kind := in.DataType
	if kind == "" {
		if kind = numericScore; in.Value[0] == '"' {
			kind = categoricalScore
		}
	}
	scale, known := l.Scores[in.Name]
	switch kind {
	case booleanScore:
		switch text {
		case "1", "1.0", "True":
			r.Success = outcomes.Succeeded
		case "0", "0.0", "False":
			r.Success = outcomes.Failed
		default:
			return bad("value", "a boolean score is 1 or 0")
		}
		return nil
	case numericScore:
		v, err := strconv.ParseFloat(text, 64)
		if scale.Min == 0 && scale.Max == 0 {
			scale.Max = 1
		}
		if q := (v - scale.Min) / (scale.Max - scale.Min); err == nil && q >= 0 && q <= 1 {
			r.Judged, r.Quality = true, int64(math.Round(q*outcomes.Whole))
			return nil
		}
		return bad("value", "the score is not within %v to %v: outcomes.langfuse.scores says between which values scores are", scale.Min, scale.Max)
	case categoricalScore:
		q, ok := scale.Categories[text]
		if !ok || !known {
			return bad("value", "it is not configured what this category of the score is worth: outcomes.langfuse.scores says so")
		}
		r.Judged, r.Quality = true, int64(math.Round(q*outcomes.Whole))
		return nil
	}
	return bad("dataType", "scores are NUMERIC, BOOLEAN or CATEGORICAL here; a text says no quality")
}
