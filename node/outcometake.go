package node

import (
	"context"
	"errors"
	"net/http"

	"purser/internal/outcomes"
	"purser/internal/outcomes/form"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

// Topics about outcomes, beside topicOutcomes.
const (
	topicOutcomesFind   = "outcomes.find"   // marks; the answer is the reports that are kept under them
	topicOutcomesBrings = "outcomes.brings" // reports that say the quality of a request: canaries are judged by it
)

// keptOutcome is what there is under the id of an outcome, as clients read it.
type keptOutcome struct {
	Object   string   `json:"object"` // "outcome"
	ID       string   `json:"id"`
	State    string   `json:"state"` // recorded, known, conflict
	Recorded bool     `json:"recorded"`
	Differs  string   `json:"differs,omitempty"` // the first field in which what was reported is not what is kept
	Name     string   `json:"name"`
	At       string   `json:"at"`
	Count    int64    `json:"count"`
	Success  *bool    `json:"success"`
	Quality  *float64 `json:"quality"`
	Value    *int64   `json:"value_nanousd"`
	Of       string   `json:"of"` // the requests, in words

	Error *keptError `json:"error,omitempty"`
}

type keptError struct {
	Code    dialect.Code `json:"code"`
	Message string       `json:"message"`
}

// keptOutcomes is the answer to a list.
type keptOutcomes struct {
	Object   string        `json:"object"` // "list"
	Outcomes []keptOutcome `json:"outcomes"`
	Error    *keptError    `json:"error,omitempty"`
}

func keptText(k *outcomes.Kept) keptOutcome {
	r := &k.Report
	out := keptOutcome{Object: "outcome", ID: r.ID, State: k.State.String(), Recorded: k.State == outcomes.Recorded, Differs: k.Differs, Name: r.Name, At: timeText(r.At), Count: r.Count, Of: r.Join.String()}
	if r.Success != outcomes.Unsaid {
		success := r.Success == outcomes.Succeeded
		out.Success = &success
	}
	if r.Judged {
		q := float64(r.Quality) / outcomes.Whole
		out.Quality = &q
	}
	if r.Valued {
		v := int64(r.Value)
		out.Value = &v
	}
	return out
}

func conflictError() *keptError {
	return &keptError{dialect.CodeOutcomeConflict, "an outcome of this id says something else, and stays: report another under another id"}
}

// Take implements proxy.Outcomes.
func (j *judged) Take(ctx context.Context, c proxy.OutcomeCall) (status int, answer any, e *dialect.Error) {
	t := form.Teller{Key: c.Key, Org: c.Org, Source: outcomes.ByClient, Now: c.At, Oldest: c.At - j.retention}
	switch c.Form {
	case proxy.StripeEvent, proxy.StripeMeter:
		return j.takeStripe(ctx, c, t)
	case proxy.LangfuseScore:
		if !j.config.Langfuse.Enabled {
			return 0, nil, notOpen("outcomes.langfuse")
		}
		t.Source = outcomes.ByLangfuse
		reads := j.config.Langfuse.reads()
		r, fault := reads.Score(c.Body, t)
		if fault != nil {
			return 0, nil, notAnOutcome(fault)
		}
		return j.takeOne(ctx, r, map[string]string{"id": r.ID})
	}
	list, many, fault := form.JSON(c.Body, t)
	if fault != nil {
		return 0, nil, notAnOutcome(fault)
	}
	if !many {
		return j.takeOne(ctx, list[0], nil)
	}
	kept, err := j.keep(ctx, list)
	if err != nil {
		return 0, nil, j.notKept(err)
	}
	out := keptOutcomes{Object: "list"}
	for i := range kept {
		if kept[i].State == outcomes.Conflict {
			out.Error = conflictError()
		}
		out.Outcomes = append(out.Outcomes, keptText(&kept[i]))
	}
	if out.Error != nil {
		return http.StatusConflict, out, nil
	}
	return http.StatusOK, out, nil
}

// takeOne keeps one outcome, and answers with what is kept, or as its program expects.
func (j *judged) takeOne(ctx context.Context, r outcomes.Report, answer any) (int, any, *dialect.Error) {
	kept, err := j.keep(ctx, []outcomes.Report{r})
	if err != nil {
		return 0, nil, j.notKept(err)
	}
	out := keptText(&kept[0])
	switch {
	case kept[0].State == outcomes.Conflict:
		out.Error = conflictError()
		return http.StatusConflict, out, nil
	case answer != nil:
		return http.StatusOK, answer, nil
	}
	return http.StatusOK, out, nil
}

// takeStripe takes a meter event: signed, or with a key.
func (j *judged) takeStripe(ctx context.Context, c proxy.OutcomeCall, t form.Teller) (int, any, *dialect.Error) {
	s := &j.config.Stripe
	reads, err := s.reads()
	if !s.Enabled || err != nil {
		return 0, nil, notOpen("outcomes.stripe")
	}
	t.Source = outcomes.ByStripe
	if c.Form == proxy.StripeMeter {
		r, event, fault := reads.Form(c.Body, t)
		if fault != nil {
			return 0, nil, notAnOutcome(fault)
		}
		return j.takeOne(ctx, r, event)
	}
	if len(s.Secrets) == 0 {
		return 0, nil, notOpen("outcomes.stripe.secrets")
	}
	if err := form.Signed(c.Signature, c.Body, s.Secrets, c.At, ledger.Instant(s.Tolerance)); err != nil {
		return 0, nil, dialect.NewError(dialect.CodeInvalidKey, "", "%v", err)
	}
	t.Org = s.Org
	r, ours, fault := reads.Event(c.Body, t)
	switch {
	case fault != nil:
		return 0, nil, notAnOutcome(fault)
	case !ours: // Stripe sends again, for days, what is refused
		return http.StatusOK, map[string]string{"object": "event", "state": "ignored"}, nil
	}
	return j.takeOne(ctx, r, nil)
}

func notOpen(key string) *dialect.Error {
	return dialect.NewError(dialect.CodeRouteNotFound, "", "this route is not open here: %s is not configured", key)
}

func notAnOutcome(f *form.Error) *dialect.Error {
	if f.Field == "" {
		return dialect.NewError(dialect.CodeInvalidJSON, "", "%s", f.Message)
	}
	return dialect.NewError(dialect.CodeInvalidValue, f.Field, "%s", f.Message)
}

func (j *judged) notKept(err error) *dialect.Error {
	j.log.Warn("outcomes were not kept", "error", err)
	return dialect.NewError(dialect.CodeStorage, "", "whether the outcomes are kept is not certain; report them again: each counts once")
}

// keep keeps reports, each unless this node or another that answers has one of its id, and
// has canaries judged by those that say the quality of a request.
func (j *judged) keep(ctx context.Context, list []outcomes.Report) ([]outcomes.Kept, error) {
	out := make([]outcomes.Kept, len(list))
	elsewhere, err := j.elsewhere(ctx, list)
	if err != nil {
		return nil, err
	}
	var put []outcomes.Report
	var at []int
	for i := range list {
		if kept, found := elsewhere[list[i].Mark()]; found {
			out[i] = outcomes.Compared(&kept, &list[i])
			continue
		}
		put, at = append(put, list[i]), append(at, i)
	}
	kept, err := j.reports.Put(put)
	if err != nil {
		return nil, err
	}
	var brings []outcomes.Report
	for i, k := range kept {
		out[at[i]] = k
		if _, ok := k.Report.Brings(); ok && k.State == outcomes.Recorded {
			brings = append(brings, k.Report)
		}
	}
	j.bring(ctx, brings)
	return out, nil
}

// elsewhere are the reports that other nodes keep under the ids of these. Of several the
// first counts, as in a question about them. A node that does not answer may have more.
func (j *judged) elsewhere(ctx context.Context, list []outcomes.Report) (map[outcomes.Mark]outcomes.Report, error) {
	var body []byte
	for i := range list {
		m := list[i].Mark()
		_, found, err := j.reports.Get(m)
		if err != nil {
			return nil, err
		}
		if !found {
			body = append(body, m[:]...)
		}
	}
	if len(body) == 0 || j.others == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	found := map[outcomes.Mark]outcomes.Report{}
	j.others.ask(ctx, topicOutcomesFind, body, func(_ string, piece []byte) error {
		return outcomes.Frames(piece, func(r outcomes.Report) error {
			m := r.Mark()
			if have, twice := found[m]; !twice || r.Before(&have) {
				found[m] = r
			}
			return nil
		})
	})
	return found, nil
}

var errMarks = errors.New("those are not the marks of outcomes")

// findOutcomes answers topicOutcomesFind.
func (n *Node) findOutcomes(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	j := n.outcomes.Load()
	if j == nil {
		return errNoOutcomes
	}
	var m outcomes.Mark
	if len(body)%len(m) != 0 || len(body) > form.MaxItems*len(m) {
		return errMarks
	}
	var piece []byte
	for ; len(body) > 0; body = body[len(m):] {
		copy(m[:], body)
		r, found, err := j.reports.Get(m)
		if err != nil {
			return err
		}
		if found {
			piece = outcomes.AppendFrame(piece, &r)
		}
	}
	if len(piece) == 0 {
		return nil
	}
	return say(piece)
}

// bring has canaries judged by what reports say of requests: here, and where there are
// records of the requests. It is not known whether anybody has one; then nothing follows.
func (j *judged) bring(ctx context.Context, list []outcomes.Report) {
	var body []byte
	for i := range list {
		if !j.brought(ctx, &list[i]) {
			body = outcomes.AppendFrame(body, &list[i])
		}
	}
	if len(body) == 0 || j.others == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	for node, err := range j.others.ask(ctx, topicOutcomesBrings, body, func(string, []byte) error { return nil }) {
		j.log.Warn("canaries on another node were not told of outcomes", "node", node, "error", err)
	}
}

// brought judges by one report, if this node has a record of its request.
func (j *judged) brought(ctx context.Context, r *outcomes.Report) bool {
	o, ok := r.Brings()
	if !ok || r.Key == "" && r.Org == "" {
		return true
	}
	_, _, known, err := j.take(ctx, o.Request, proxy.Outcome{Request: o.Request.String(), Key: r.Key, Org: r.Org, Quality: o.Quality, At: o.At})
	if err != nil {
		j.log.Warn("a canary was not told of an outcome", "error", err)
	}
	return known
}

// broughtOutcomes answers topicOutcomesBrings.
func (n *Node) broughtOutcomes(ctx context.Context, _ string, body []byte, _ func([]byte) error) error {
	j := n.outcomes.Load()
	if j == nil {
		return errNoOutcomes
	}
	return outcomes.Frames(body, func(r outcomes.Report) error {
		j.brought(ctx, &r)
		return nil
	})
}
