package outcomes

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
)

// Limits of a report. The numbers are such that the sums over as many reports as a query
// takes ([MaxGathered]) stay far below what 64 bits hold.
const (
	MaxID    = 128 // bytes
	MaxName  = 64
	MaxCount = 1_000_000
	MaxValue = 1_000_000 * ledger.NanoPerUSD // either way
	MaxWhere = 8                             // dimensions of one join

	// Ahead is how long after an outcome requests of its run, session or trace may still
	// come that it is of.
	Ahead = 7 * 24 * ledger.Hour
	// MaxWindow bounds the time that an outcome of dimensions is of.
	MaxWindow = 366 * 24 * ledger.Hour
)

// Verdict is what a report says of success.
type Verdict uint8

// The verdicts.
const (
	Unsaid Verdict = iota
	Succeeded
	Failed
)

// Source is the way by which a report came.
type Source uint8

// The sources.
const (
	ByClient   Source = iota + 1 // with a virtual key
	ByImport                     // of an administrator
	ByStripe                     // a meter event of Stripe's
	ByLangfuse                   // a score of Langfuse's
	ByQuality                    // a quality of one request, which the key's holder reported without an id
)

var sourceNames = [...]string{ByClient: "client", ByImport: "import", ByStripe: "stripe", ByLangfuse: "langfuse", ByQuality: "quality"}

// String is the source's name.
func (s Source) String() string {
	if int(s) < len(sourceNames) && sourceNames[s] != "" {
		return sourceNames[s]
	}
	return fmt.Sprintf("source(%d)", uint8(s))
}

// JoinKind says what requests an outcome is of.
type JoinKind uint8

// The kinds of joins.
const (
	OfRequest JoinKind = iota + 1
	OfRun
	OfSession
	OfTrace // W3C trace id, 32 hexadecimal digits in lower case
	OfWhere // requests with the values of dimensions, within a window
)

// String is the kind's name.
func (k JoinKind) String() string {
	if k < OfRequest || k > OfWhere {
		return fmt.Sprintf("join(%d)", uint8(k))
	}
	return [...]string{OfRequest: "request", OfRun: "run", OfSession: "session", OfTrace: "trace", OfWhere: "dimensions"}[k]
}

// Match is one dimension with the value that it must have.
type Match struct {
	Dim   ledger.DimRef
	Value string
}

// Join says what requests an outcome is of.
type Join struct {
	Kind     JoinKind
	Name     string  // of the request, run, session or trace
	Where    []Match // of OfWhere: by their dimensions, each once
	From, To ledger.Instant
}

// String is the join in words, for messages.
func (j *Join) String() string {
	switch j.Kind {
	case OfRequest:
		return "request " + j.Name
	case OfRun:
		return "run " + j.Name
	case OfSession:
		return "session " + j.Name
	case OfTrace:
		return "trace " + j.Name
	}
	var b strings.Builder
	for _, m := range j.Where {
		fmt.Fprintf(&b, "%s=%s ", m.Dim, m.Value)
	}
	return fmt.Sprintf("%sfrom %s to %s", b.String(), clock(j.From), clock(j.To))
}

func clock(at ledger.Instant) string { return time.Unix(0, int64(at)).UTC().Format(time.RFC3339) }

// Report is what somebody says was had: one outcome, or several alike.
type Report struct {
	ID     string // that its reporter gives it: one for each of what a Speaker says
	Name   string // what was had, such as "ticket_resolved"
	Key    string // id of the key that said so; "" for an administrator, who speaks of all requests
	Org    string // that the key is bound to, or that a webhook speaks for
	At     ledger.Instant
	Told   bool           // At is the reporter's word, else when it was taken
	Taken  ledger.Instant // when this was reported
	Source Source

	Count   int64 // outcomes alike, at least 1
	Success Verdict
	Judged  bool
	Quality int64 // millionths, 0 to [Whole], of each
	Valued  bool
	Value   ledger.Amount // nano-dollars, of all of them

	Join Join
}

// Speaker is whose ids an id is one of: those of an organisation, else of a key, else of
// the administrators.
func (r *Report) Speaker() string {
	switch {
	case r.Org != "":
		return "o" + r.Org
	case r.Key != "":
		return "k" + r.Key
	}
	return "*"
}

// SpeaksOf says whether the report's word counts for requests of a key and an
// organisation: its own, or those of the organisation that it is bound to.
func (r *Report) SpeaksOf(d *ledger.Dimensions) bool {
	return r.Key == "" && r.Org == "" || r.Key != "" && r.Key == d.Values[ledger.DimKey] || r.Org != "" && r.Org == d.Values[ledger.DimOrg]
}

// Mark is what a report is found by: of its id, then of its speaker.
type Mark [24]byte

// Mark is that of the report.
func (r *Report) Mark() (m Mark) {
	copy(m[:], idMark(r.ID))
	speaker := sha256.Sum256([]byte(r.Speaker()))
	copy(m[16:], speaker[:])
	return m
}

func idMark(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:16]
}

// Until is the end of what the report can be of: no request from then on. It is what
// reports are ordered by.
func (r *Report) Until() ledger.Instant {
	switch r.Join.Kind {
	case OfRequest:
		if id, ok := record.ParseID(r.Join.Name); ok {
			return id.At() + 1
		}
	case OfWhere:
		return r.Join.To
	}
	return r.At + Ahead
}

// Evidence is what the report says was had.
func (r *Report) Evidence() (e economics.Evidence) {
	e.Outcomes = r.Count
	switch r.Success {
	case Succeeded:
		e.Successes = r.Count
	case Failed:
		e.Failures = r.Count
	}
	if r.Judged {
		e.Judged, e.Quality = r.Count, r.Count*r.Quality
	}
	if r.Valued {
		e.Valued, e.Value = r.Count, r.Value
	}
	return e
}

// Differs says in what a report of the same id says something else; "" where it says the
// same. When it was taken, and by which way, is no difference.
func (r *Report) Differs(o *Report) string {
	switch {
	case r.ID != o.ID || r.Speaker() != o.Speaker():
		return "id"
	case r.Name != o.Name:
		return "name"
	case r.Told && o.Told && r.At != o.At:
		return "at"
	case r.Count != o.Count:
		return "count"
	case r.Success != o.Success:
		return "success"
	case r.Judged != o.Judged || r.Quality != o.Quality:
		return "quality"
	case r.Valued != o.Valued || r.Value != o.Value:
		return "value"
	case r.Join.Kind != o.Join.Kind || r.Join.Name != o.Join.Name || r.Join.From != o.Join.From || r.Join.To != o.Join.To || !slices.Equal(r.Join.Where, o.Join.Where):
		return "join"
	}
	return ""
}

// Brings is the quality of one request that a report says: what a canary is judged by.
// False where it says none.
func (r *Report) Brings() (o Outcome, ok bool) {
	id, ok := record.ParseID(r.Join.Name)
	if !ok || r.Join.Kind != OfRequest || !r.Judged && r.Success == Unsaid {
		return o, false
	}
	o = Outcome{Request: id, At: r.Taken, Quality: r.Quality}
	if !r.Judged && r.Success == Succeeded {
		o.Quality = Whole
	}
	return o, true
}

// Report is the outcome as a report. Who reported it was known when it was kept.
func (o *Outcome) Report() Report {
	id := o.Request.String()
	return Report{
		ID: "quality:" + id, Name: "quality", At: o.At, Taken: o.At, Source: ByQuality,
		Count: 1, Judged: true, Quality: o.Quality, Join: Join{Kind: OfRequest, Name: id},
	}
}

// Before says that, of two reports of one id, this one counts: it was taken first.
func (r *Report) Before(o *Report) bool { return r.before(o) < 0 }

// before is the order in which, of several reports of one id, the first counts.
func (r *Report) before(o *Report) int {
	return cmp.Or(cmp.Compare(r.Taken, o.Taken), cmp.Compare(string(r.appendValue(nil)), string(o.appendValue(nil))))
}

// Check says what keeps the report from being kept, in words for its reporter, with the
// name of the field. It puts Where in order.
func (r *Report) Check() (field string, err error) {
	switch {
	case !text(r.ID, MaxID):
		return "id", fmt.Errorf("id has 1 to %d bytes of text", MaxID)
	case !text(r.Name, MaxName):
		return "name", fmt.Errorf("name has 1 to %d bytes of text", MaxName)
	case r.Count < 1 || r.Count > MaxCount:
		return "count", fmt.Errorf("count is a whole number from 1 to %d", MaxCount)
	case r.Quality < 0 || r.Quality > Whole:
		return "quality", errors.New("quality is not within 0 to 1")
	case r.Value < -MaxValue || r.Value > MaxValue:
		return "value", fmt.Errorf("value is beyond %d dollars", MaxValue/ledger.NanoPerUSD)
	case r.At <= 0:
		return "at", errors.New("at is not a time since 1970")
	}
	return "join", r.Join.check()
}

func (j *Join) check() error {
	switch j.Kind {
	case OfRequest:
		if _, ok := record.ParseID(j.Name); !ok {
			return errors.New("join.request_id is not the id of a request: answers have it in the header x-purser-request-id")
		}
	case OfRun, OfSession:
		if !text(j.Name, ledger.MaxDimValue) {
			return fmt.Errorf("the name of a run or session has 1 to %d bytes of text", ledger.MaxDimValue)
		}
	case OfTrace:
		if b, err := hex.DecodeString(j.Name); err != nil || len(b) != 16 || j.Name != strings.ToLower(j.Name) {
			return errors.New("join.trace_id is not a W3C trace id of 32 hexadecimal digits in lower case")
		}
	case OfWhere:
		return j.checkWhere()
	default:
		return errors.New("join says nothing: give one of request_id, run, session, trace_id, dimensions")
	}
	return nil
}

func (j *Join) checkWhere() error {
	if len(j.Where) == 0 || len(j.Where) > MaxWhere {
		return fmt.Errorf("join.dimensions has 1 to %d dimensions", MaxWhere)
	}
	slices.SortFunc(j.Where, func(a, b Match) int { return compareDims(a.Dim, b.Dim) })
	for i, m := range j.Where {
		if m.Value == "" || len(m.Value) > ledger.MaxDimValue || !utf8.ValidString(m.Value) {
			return fmt.Errorf("join.dimensions: the value of %s has 1 to %d bytes of text", m.Dim, ledger.MaxDimValue)
		}
		if i > 0 && compareDims(j.Where[i-1].Dim, m.Dim) == 0 {
			return fmt.Errorf("join.dimensions: %s is there twice", m.Dim)
		}
	}
	if j.From < 0 || j.To <= j.From || j.To-j.From > MaxWindow {
		return errors.New("join.from is before join.to, by 366 days at the most")
	}
	return nil
}

func compareDims(a, b ledger.DimRef) int {
	return cmp.Or(cmp.Compare(a.Dim, b.Dim), strings.Compare(a.Tag, b.Tag))
}

// text says that s can be a name: valid, of 1 to most bytes, without control characters.
func text(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
