package governance

import (
	"fmt"
	"slices"
	"strings"

	"purser/internal/alert"
	"purser/internal/directory"
)

// Webhook is where alerts are sent.
type Webhook struct {
	alert.Spec
}

// Validate implements Spec.
func (w *Webhook) Validate() error { return w.Spec.Validate() }

// Refs implements Spec.
func (*Webhook) Refs() []directory.Ref { return nil }

// Webhooks reads the webhooks of a directory, by ID. One that this build cannot
// read gets nothing, and is an error of its own: requests do not depend on it.
func Webhooks(s *directory.State) (list []*alert.Webhook, unreadable []error) {
	k, _ := kindNumbered(directory.ObjectWebhook)
	for o := range s.Objects(directory.ObjectWebhook) {
		spec, err := k.Decode(o.Spec)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("%s is not readable by this build: %w", Named(o.Ref), err))
			continue
		}
		list = append(list, &alert.Webhook{ID: o.ID, Spec: spec.(*Webhook).Spec, Created: o.Created})
	}
	slices.SortFunc(list, func(a, b *alert.Webhook) int { return strings.Compare(a.ID, b.ID) })
	return list, unreadable
}
