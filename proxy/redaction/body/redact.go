package body

import (
	"fmt"
	"slices"

	"purser/proxy/redaction"
)

// Count is how often a spec found an entity, and what became of that.
type Count struct {
	Spec, Entity, Rule string
	Action             redaction.Action
	Shadow             bool
	N                  int
}

// Counts are what was found, by what became of it.
type Counts []Count

// Add counts a finding.
func (c *Counts) Add(f *redaction.Finding) {
	i := slices.IndexFunc(*c, func(k Count) bool {
		return k.Spec == f.Spec && k.Entity == f.Entity && k.Rule == f.Rule && k.Action == f.Action && k.Shadow == f.Shadow
	})
	if i < 0 {
		*c = append(*c, Count{f.Spec, f.Entity, f.Rule, f.Action, f.Shadow, 0})
		i = len(*c) - 1
	}
	(*c)[i].N++
}

// Blocked says that a value is not to pass. It names the entity, and not the value.
type Blocked struct {
	Finding string
	Spec    string
}

// Error names the entity and the redaction.
func (b *Blocked) Error() string {
	return fmt.Sprintf("there is a value of %s in it, which the redaction %s does not let pass", b.Finding, b.Spec)
}

// HookError says that a hook which has to be asked gave no answer.
type HookError struct {
	Hook string
	Err  error
}

// Error names the hook.
func (e *HookError) Error() string { return "asking the hook " + e.Hook + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *HookError) Unwrap() error { return e.Err }

// Asker asks a hook about texts. It gives spans of each, in bytes.
type Asker func(h *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error)

// Redactor redacts bodies in one direction. It belongs to one goroutine.
type Redactor struct {
	plan    *redaction.Plan
	scanner *redaction.Scanner
	hasher  redaction.Hasher
	values  *redaction.Values
	ask     Asker
	Counts  Counts

	buf []byte // of a value behind its key
}

// NewRequest makes a redactor of what a client sends; values keeps what placeholders
// stand for. ask may be nil where the plan has no hook.
func NewRequest(plan *redaction.Plan, h redaction.Hasher, values *redaction.Values, ask Asker) *Redactor {
	return &Redactor{plan: plan, scanner: plan.NewScanner(), hasher: h, values: values, ask: ask}
}

// Request redacts a request's body; without a finding that changes it, it is given
// back as it is. Errors are *Blocked, *HookError, redaction.ErrTooMany, or of JSON that
// is none.
func (r *Redactor) Request(doc []byte) ([]byte, error) {
	d, err := read(doc, 0, normal, false, nil)
	if err != nil {
		return nil, err
	}
	found, err := r.search(d)
	if err != nil {
		return nil, err
	}
	if err := r.reserve(d, found); err != nil {
		return nil, err
	}
	edits, err := r.replace(d, found)
	if err != nil || len(edits) == 0 {
		return doc, err
	}
	return apply(make([]byte, 0, len(doc)+256), doc, edits), nil
}

// search finds in all leaves what the plan and its hooks do.
func (r *Redactor) search(d *document) (map[*leaf][]redaction.Finding, error) {
	found := map[*leaf][]redaction.Finding{}
	var leaves []*leaf
	total := 0
	err := d.each(func(l *leaf) error {
		leaves = append(leaves, l)
		list, err := r.find(l)
		if len(list) > 0 {
			found[l] = list
		}
		if total += len(list); total > redaction.MaxValues {
			return redaction.ErrTooMany
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, h := range r.plan.Hooks() {
		if err := r.askHook(h, leaves, found); err != nil {
			return nil, err
		}
	}
	for _, l := range leaves {
		for i := range found[l] {
			f := &found[l][i]
			r.Counts.Add(f)
			if f.Action == redaction.Block {
				return nil, &Blocked{f.Name(), f.Spec}
			}
		}
	}
	return found, nil
}

// find searches a leaf. The key of a value of data stands before it, as its context.
func (r *Redactor) find(l *leaf) ([]redaction.Finding, error) {
	text := l.searched()
	if l.context == nil {
		list, full := r.scanner.Scan(text)
		return slices.Clone(list), tooMany(full)
	}
	r.buf = append(append(append(r.buf[:0], l.context...), ": "...), text...)
	before := len(l.context) + 2
	list, full := r.scanner.Scan(r.buf)
	var out []redaction.Finding
	for _, f := range list {
		if f.End > before {
			f.Start, f.End = max(0, f.Start-before), f.End-before
			out = append(out, f)
		}
	}
	return out, tooMany(full)
}

func tooMany(full bool) error {
	if full {
		return redaction.ErrTooMany
	}
	return nil
}

func (r *Redactor) askHook(h *redaction.Hook, leaves []*leaf, found map[*leaf][]redaction.Finding) error {
	texts := make([][]byte, len(leaves))
	for i, l := range leaves {
		texts[i] = l.searched()
	}
	said, err := r.ask(h, texts)
	if err != nil {
		if h.FailOpen || !r.plan.Enforced(h) {
			return nil
		}
		return &HookError{h.Name, err}
	}
	for i, l := range leaves {
		if more := r.scanner.HookFindings(h, texts[i], said[i]); len(more) > 0 {
			found[l] = redaction.Merge(found[l], more)
		}
	}
	return nil
}

// reserve keeps placeholders that the client wrote itself from being given to values.
func (r *Redactor) reserve(d *document, found map[*leaf][]redaction.Finding) error {
	for _, list := range found {
		if slices.ContainsFunc(list, func(f redaction.Finding) bool { return f.Action == redaction.Tokenise }) {
			return d.each(func(l *leaf) error {
				r.values.Reserve(l.searched())
				return nil
			})
		}
	}
	return nil
}

// replace makes the edits of a document.
func (r *Redactor) replace(d *document, found map[*leaf][]redaction.Finding) ([]Edit, error) {
	var fault error
	edits := d.edits(func(l *leaf) (edits []Edit) {
		text := l.searched()
		for i := range found[l] {
			f := &found[l][i]
			with, changed, err := f.Replacement(text[f.Start:f.End], r.hasher, r.values)
			if err != nil {
				fault = err
			} else if changed {
				edits = append(edits, Edit{f.Start, f.End, with})
			}
		}
		return edits
	})
	return edits, fault
}
