package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"purser/internal/access"
)

// Efficiency says of what was spent whether it was justified.
type Efficiency interface {
	// Efficiency reads the records of a time twice. progress, unless it is nil, is called
	// now and then; an error of it ends the reading.
	Efficiency(ctx context.Context, q EfficiencyQuery, progress func(EfficiencyProgress) error) (EfficiencyReport, error)
}

// EfficiencyQuery is what is to be judged.
type EfficiencyQuery struct {
	From   string              // RFC 3339; empty: 24 hours ago, or around the request
	To     string              // RFC 3339; empty: now
	Group  []string            // ranked too, beside the usual dimensions: one value of each, together
	Filter map[string]string   // what is added up; what is judged is everything within the reach
	AnyOf  map[string][]string // the same, of several values of a dimension
	Limit  int                 // most rows of a rank; 0: 10
	Raw    bool                // groups and filters are of what was recorded: no mapping, no "unallocated"

	Class   string // findings of this class alone, with more requests
	Request string // the id of a request that is explained

	// Reach is whose requests are judged. It is the caller's and not sent.
	Reach access.Reach
}

// EfficiencyProgress is how far a report is.
type EfficiencyProgress struct {
	Pass    int   `json:"pass"`    // 1 or 2
	Records int64 `json:"records"` // read in it
}

// EfficiencySum is what some records come to. Total is Justified and Wasted; Justified is
// Confirmed, Fruitless and Unjudged.
type EfficiencySum struct {
	Records   int64            `json:"records"` // that cost something
	Wasteful  int64            `json:"wasteful"`
	Total     Money            `json:"total_nanousd"`
	Justified Money            `json:"justified_nanousd"`
	Confirmed Money            `json:"confirmed_nanousd"` // of which a success or a value was reported
	Fruitless Money            `json:"fruitless_nanousd"` // of which failures were
	Unjudged  Money            `json:"unjudged_nanousd"`  // of which nothing is known
	Wasted    Money            `json:"wasted_nanousd"`
	Classes   map[string]Money `json:"classes_nanousd,omitempty"`
	Score     *float64         `json:"score"` // Justified of Total; null where nothing was spent
}

// EfficiencyReport is the answer to an EfficiencyQuery.
type EfficiencyReport struct {
	From string        `json:"from"`
	To   string        `json:"to"`
	Sum  EfficiencySum `json:"sum"`

	Findings []EfficiencyFinding `json:"findings"`
	Ranks    []EfficiencyRank    `json:"ranks,omitempty"`
	// Request is what became of the records of the request that was asked for.
	Request []EfficiencyVerdict `json:"request,omitempty"`

	Notes    []string     `json:"notes,omitempty"` // limits that were met
	Nodes    []NodeAnswer `json:"nodes,omitempty"`
	Complete bool         `json:"complete"`
}

// EfficiencyFinding is one class of waste that one lever would recover.
type EfficiencyFinding struct {
	Class    string               `json:"class"`
	Lever    string               `json:"lever,omitempty"`
	Wasted   Money                `json:"wasted_nanousd"`
	Records  int64                `json:"records"`
	Saving   *Money               `json:"saving_nanousd"` // less what the lever costs; null where it cannot be told
	Requests []EfficiencyEvidence `json:"requests"`       // the dearest
}

// EfficiencyEvidence is what one class takes of one record, and why.
type EfficiencyEvidence struct {
	ID         string            `json:"id"`
	Attempt    int               `json:"attempt,omitempty"`
	At         string            `json:"at"`
	Class      string            `json:"class"`
	Lever      string            `json:"lever,omitempty"`
	Wasted     Money             `json:"wasted_nanousd"`
	Cost       Money             `json:"cost_nanousd"`
	Repeats    string            `json:"repeats,omitempty"` // the id of an earlier request
	Why        string            `json:"why"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
}

// EfficiencyRank is the records by the values of a dimension, the most wasteful first.
type EfficiencyRank struct {
	By   string            `json:"by"`
	Rows []EfficiencyGroup `json:"rows"`
	Rest *EfficiencySum    `json:"rest,omitempty"`
}

// EfficiencyGroup is the records with one value.
type EfficiencyGroup struct {
	Value string `json:"value"`
	EfficiencySum
}

// EfficiencyVerdict is what became of the cost of one record.
type EfficiencyVerdict struct {
	ID        string               `json:"id"`
	Attempt   int                  `json:"attempt,omitempty"`
	Cost      Money                `json:"cost_nanousd"`
	Justified Money                `json:"justified_nanousd"`
	Standing  string               `json:"standing"` // of what is justified: confirmed, fruitless or unjudged
	Parts     []EfficiencyEvidence `json:"parts,omitempty"`
}

func (a *API) efficiency(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, watched, fault := parseEfficiency(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	if !watched {
		out, err := a.Efficiency.Efficiency(r.Context(), q, nil)
		a.reply(w, r, http.StatusOK, out, err)
		return
	}
	a.lines(w, r, "application/x-ndjson", "an efficiency report", func(out io.Writer) error {
		e := json.NewEncoder(out)
		report, err := a.Efficiency.Efficiency(r.Context(), q, func(p EfficiencyProgress) error {
			err := e.Encode(efficiencyLine{Progress: &p})
			if f, ok := out.(interface{ Flush() error }); ok && err == nil {
				err = f.Flush()
			}
			return err
		})
		var f *Fault
		if errors.As(err, &f) { // said in a line, for the answer may have begun
			return e.Encode(efficiencyLine{Error: &ProblemDetail{Code: f.Code, Message: f.Message}})
		}
		if err != nil {
			return err
		}
		return e.Encode(efficiencyLine{Report: &report})
	})
}

// efficiencyLine is one line of a report whose progress is told: the last has the report,
// or why there is none.
type efficiencyLine struct {
	Progress *EfficiencyProgress `json:"progress,omitempty"`
	Error    *ProblemDetail      `json:"error,omitempty"`
	Report   *EfficiencyReport   `json:"report,omitempty"`
}

func parseEfficiency(r *http.Request) (q EfficiencyQuery, watched bool, fault *Fault) {
	v := r.URL.Query()
	for name := range v {
		switch name {
		case "from", "to", "group", "filter", "limit", "raw", "class", "request", "progress":
		default:
			return q, false, Invalid("unknown parameter " + strconv.Quote(name) + "; known are from, to, group, filter, limit, raw, class, request, progress")
		}
	}
	if fault := readSwitch(v, "progress", &watched); fault != nil {
		return q, false, fault
	}
	q.Class, q.Request = v.Get("class"), v.Get("request")
	for _, own := range [...]string{"class", "request", "progress"} {
		v.Del(own)
	}
	u, fault := parseUsageQuery(v)
	q.From, q.To, q.Group, q.Filter, q.AnyOf, q.Limit, q.Raw = u.From, u.To, u.Group, u.Filter, u.AnyOf, u.Limit, u.Raw
	return q, watched, fault
}

// Efficiency asks whether what was spent was justified. progress is told how far the node
// is; nil: nobody is.
func (c *Client) Efficiency(ctx context.Context, q EfficiencyQuery, progress func(EfficiencyProgress)) (out EfficiencyReport, err error) {
	u := UsageQuery{From: q.From, To: q.To, Group: q.Group, Filter: q.Filter, AnyOf: q.AnyOf, Limit: q.Limit, Raw: q.Raw}
	v, err := url.ParseQuery(u.encode())
	if err != nil {
		return out, err
	}
	for name, value := range map[string]string{"class": q.Class, "request": q.Request} {
		if value != "" {
			v.Set(name, value)
		}
	}
	v.Set("progress", "true")
	whole := false
	err = c.stream(ctx, "/economics/efficiency?"+v.Encode(), func(body io.Reader) error {
		d := json.NewDecoder(io.LimitReader(body, maxAnswer))
		for {
			var line efficiencyLine
			switch err := d.Decode(&line); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("read the report: %w", err)
			case line.Error != nil:
				return &Fault{Status: http.StatusBadRequest, Code: line.Error.Code, Message: line.Error.Message}
			case line.Report != nil:
				out, whole = *line.Report, true
			case line.Progress != nil && progress != nil:
				progress(*line.Progress)
			}
		}
	})
	if err == nil && !whole {
		err = errors.New("the report broke off before its end; ask again")
	}
	return out, err
}

// Explained splits what is to be explained: a class, a dimension's value ("agent=x"), or a
// request's id. It is in one of the three.
func Explained(what string) (class string, filter map[string]string, request string) {
	switch name, value, ok := strings.Cut(what, "="); {
	case ok:
		return "", map[string]string{name: value}, ""
	case strings.HasPrefix(what, "req_"):
		return "", nil, what
	default:
		return what, nil, ""
	}
}
