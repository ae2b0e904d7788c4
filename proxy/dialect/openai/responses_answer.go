package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
	"purser/proxy/price"
)

// maxKept bounds the ids taken from one answer.
const maxKept = 1_024

// readResponse reads a whole response, or a compaction, of status 200 into r,
// which it resets.
func readResponse(r *dialect.Report, body []byte) {
	*r = dialect.Report{}
	a := response{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}, report: r}
	if a.read() != nil || a.cur.End() != nil {
		*r = dialect.Report{}
		return
	}
	a.commit()
	r.Done = a.ended()
}

// response reads one response object. What it finds is committed to the report
// only when the whole of it could be read.
type response struct {
	cur    jsonscan.Cursor
	report *dialect.Report

	id, model, tier, status, object jsonscan.Str
	usage, failure, reason          dialect.Span
	searches                        int64 // billable ones, as the provider counts them; -1 when it does not
	output                          bool
	calls                           toolCalls
	text                            int64
	kept                            []jsonscan.Str // ids of the output's items
}

// toolCalls are the calls of tools that the provider ran.
type toolCalls struct{ webSearch, fileSearch, codeExec int64 }

// atLeast raises each count to that of o.
func (t *toolCalls) atLeast(o toolCalls) {
	t.webSearch, t.fileSearch, t.codeExec = max(t.webSearch, o.webSearch), max(t.fileSearch, o.fileSearch), max(t.codeExec, o.codeExec)
}

func (a *response) read() error {
	a.searches = -1
	return a.cur.EachMember(func(key jsonscan.Str) error { return a.member(a.cur.Doc[key.Start:key.End]) })
}

func (a *response) member(name []byte) error {
	k := a.cur.Kind()
	start := a.cur.Pos
	span := func(s *dialect.Span) error {
		err := a.cur.Skip()
		if k != jsonscan.Null {
			*s = dialect.Span{Start: start, End: a.cur.Pos}
		}
		return err
	}
	switch string(name) {
	case "id":
		return text1(&a.cur, &a.id)
	case "object":
		return text1(&a.cur, &a.object)
	case "model":
		return text1(&a.cur, &a.model)
	case "service_tier":
		return text1(&a.cur, &a.tier)
	case "status":
		return text1(&a.cur, &a.status)
	case "usage":
		return span(&a.usage)
	case "error":
		return span(&a.failure)
	case "incomplete_details":
		return span(&a.reason)
	case "tool_usage":
		if k == jsonscan.Object {
			return a.toolUsage()
		}
	case "output":
		if k == jsonscan.Array {
			a.output = true
			return a.items()
		}
	}
	return a.cur.Skip()
}

// toolUsage reads tool_usage.web_search.num_requests.
func (a *response) toolUsage() error {
	raw := a.cur
	if err := a.cur.Skip(); err != nil {
		return err
	}
	return pieces.Members(a.cur.Doc[raw.Pos:a.cur.Pos], func(key, value []byte) error {
		if string(key) != "web_search" || value[0] != '{' {
			return nil
		}
		return pieces.Members(value, func(key, value []byte) error {
			if string(key) == "num_requests" {
				cur := jsonscan.Cursor{Doc: value}
				if n, whole, err := cur.Int(); err == nil && whole && n >= 0 && n <= maxCount {
					a.searches = n
				}
			}
			return nil
		})
	})
}

func (a *response) items() error {
	return a.cur.EachElement(func(int) error {
		if a.cur.Kind() != jsonscan.Object {
			return a.cur.Skip()
		}
		return a.item()
	})
}

// item reads one item of the output.
func (a *response) item() error {
	var id, kind, action jsonscan.Str
	err := a.cur.EachMember(func(key jsonscan.Str) error {
		switch string(a.cur.Doc[key.Start:key.End]) {
		case "id":
			return text1(&a.cur, &id)
		case "type":
			return text1(&a.cur, &kind)
		case "action":
			return a.action(&action)
		case "content", "summary", "arguments", "input":
			return a.outputText()
		}
		return a.cur.Skip()
	})
	if err != nil {
		return err
	}
	if id.Len > 0 && id.Len <= MaxID && len(a.kept) < maxKept {
		a.kept = append(a.kept, id)
	}
	a.calls.count(a.cur.Name(kind), a.cur.Name(action))
	return nil
}

// count adds an item of the output. Opening a page that was found, and looking
// into it, cost nothing beside the search.
func (t *toolCalls) count(kind, action []byte) {
	switch string(kind) {
	case "web_search_call":
		if a := string(action); a != "open_page" && a != "find_in_page" {
			t.webSearch++
		}
	case "file_search_call":
		t.fileSearch++
	case "code_interpreter_call":
		t.codeExec++
	}
}

// action gives the type of an item's action.
func (a *response) action(kind *jsonscan.Str) error {
	if a.cur.Kind() != jsonscan.Object {
		return a.cur.Skip()
	}
	return a.cur.EachMember(func(key jsonscan.Str) error {
		if string(a.cur.Doc[key.Start:key.End]) == "type" {
			return text1(&a.cur, kind)
		}
		return a.cur.Skip()
	})
}

// outputText counts the strings of a value that are the model's own.
func (a *response) outputText() error {
	r := reader{cur: a.cur}
	err := r.output("")
	a.cur, a.text = r.cur, a.text+r.text
	return err
}

// commit moves what was read into the report.
func (a *response) commit() {
	r := a.report
	if r.ID == "" && a.id.Len <= MaxID {
		r.ID = a.cur.Text(a.id)
	}
	if r.Model == "" && a.model.Len <= MaxModel {
		r.Model = a.cur.Text(a.model)
	}
	if a.tier.Len > 0 && a.tier.Len <= maxTier {
		r.ServiceTier = a.cur.Text(a.tier)
	}
	r.Choices = 1
	r.OutputBytes = max(r.OutputBytes, a.text)
	for _, id := range a.kept {
		keep(r, a.cur.Text(id))
	}
	switch string(a.cur.Name(a.status)) {
	case "completed":
		r.Finished, r.Finish = 1, "stop"
	case "incomplete":
		r.Finished, r.Finish = 1, a.incomplete()
	case "":
		if string(a.cur.Name(a.object)) == "response.compaction" {
			r.Finished, r.Finish = 1, "stop"
		}
	}
	if !a.failure.Empty() {
		failed := readErrorValue(a.cur.Doc[a.failure.Start:a.failure.End])
		r.Failed = &failed
	}
	if a.usage.Empty() {
		return
	}
	readUsage(r, a.cur.Doc[a.usage.Start:a.usage.End], &responseUsage)
	if r.State == dialect.UsageReported {
		a.countCalls(&r.Usage)
	}
}

// countCalls adds the tool calls. The provider's own count of billable searches
// is what it bills.
func (a *response) countCalls(u *price.Usage) {
	u[price.WebSearch], u[price.FileSearch], u[price.CodeExec] = a.calls.webSearch, a.calls.fileSearch, a.calls.codeExec
	if a.searches >= 0 {
		u[price.WebSearch] = a.searches
	}
}

// ended says whether the response will not change any more.
func (a *response) ended() bool {
	switch string(a.cur.Name(a.status)) {
	case "completed", "incomplete", "failed", "cancelled":
		return true
	}
	return a.report.Finished > 0
}

// incomplete is why a response was broken off.
func (a *response) incomplete() string {
	reason := "incomplete"
	_ = pieces.Members(a.cur.Doc[a.reason.Start:a.reason.End], func(key, value []byte) error { // absent: as it is
		if string(key) == "reason" && value[0] == '"' && len(value) <= maxTier {
			reason = string(value[1 : len(value)-1])
		}
		return nil
	})
	return reason
}

func keep(r *dialect.Report, id string) {
	for _, k := range r.Kept {
		if k == id {
			return
		}
	}
	if len(r.Kept) < maxKept {
		r.Kept = append(r.Kept, id)
	}
}

// text1 reads a string into s and any other value over.
func text1(cur *jsonscan.Cursor, s *jsonscan.Str) error {
	if cur.Kind() != jsonscan.String {
		return cur.Skip()
	}
	got, err := cur.String()
	*s = got
	return err
}
