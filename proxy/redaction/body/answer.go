package body

import (
	"cmp"
	"slices"

	"purser/proxy/redaction"
)

// NewAnswer makes a redactor of what a model answers: what the plan finds is replaced,
// and then placeholders become their values. plan may be nil, and values too.
func NewAnswer(plan *redaction.Plan, h redaction.Hasher, values *redaction.Values) *Redactor {
	r := &Redactor{plan: plan, hasher: h, values: values}
	if plan != nil {
		r.scanner = plan.NewScanner()
	}
	return r
}

// Answer redacts a whole answer, as Request does a request.
func (r *Redactor) Answer(doc []byte) ([]byte, error) {
	edits, err := r.AnswerEdits(doc, nil)
	if err != nil || len(edits) == 0 {
		return doc, err
	}
	return apply(make([]byte, 0, len(doc)+256), doc, edits), nil
}

// Apply appends a document with edits.
func Apply(dst, doc []byte, edits []Edit) []byte { return apply(dst, doc, edits) }

// AnswerEdits are the edits of an answer, but for the strings that skip names by where
// their inside begins.
func (r *Redactor) AnswerEdits(doc []byte, skip func(start int) bool) ([]Edit, error) {
	d, err := read(doc, 0, normal, true, skip)
	if err != nil {
		return nil, err
	}
	if !r.plan.Changes() {
		d.nulled = nil
	}
	found := map[*leaf][]redaction.Finding{}
	if r.plan != nil {
		if found, err = r.search(d); err != nil {
			return nil, err
		}
	}
	var fault error
	edits := d.edits(func(l *leaf) []Edit {
		text := l.searched()
		edits, err := r.edit(text, found[l], l.inJSON)
		fault = cmpError(fault, err)
		return edits
	})
	return edits, fault
}

func cmpError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// edit makes the edits of a text: its findings, and the placeholders between them.
func (r *Redactor) edit(text []byte, found []redaction.Finding, inJSON bool) (edits []Edit, fault error) {
	for i := range found {
		f := &found[i]
		with, changed, err := f.Replacement(text[f.Start:f.End], r.hasher, nil)
		if err != nil {
			fault = err
		} else if changed {
			edits = append(edits, Edit{f.Start, f.End, with})
		}
	}
	own := len(edits)
	r.values.Each(text, inJSON, func(start, end int, value string) {
		if !slices.ContainsFunc(edits[:own], func(e Edit) bool { return e.Start < end && start < e.End }) {
			edits = append(edits, Edit{start, end, value})
		}
	})
	slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) })
	return edits, fault
}
