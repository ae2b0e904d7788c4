package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"purser/internal/directory"
	"purser/ledger"
)

// Form is how an event is written for a receiver.
type Form string

// The forms.
const (
	JSON  Form = "json"  // the envelope of docs/alerts.md
	Slack Form = "slack" // a message, as Slack's incoming webhooks and those like them take it
)

// Limits of a webhook's fields.
const (
	MaxWebhooks = directory.MaxAlertTargets
	maxURL      = 2048
	maxGlobs    = 32
	maxMatch    = 16
	maxValues   = 64
	maxName     = 128
	// minSecret is that of Standard Webhooks.
	minSecret = 24
	maxSecret = 64
)

// Spec is a webhook as operators write it.
type Spec struct {
	URL       string              `json:"url" yaml:"url"`
	Form      Form                `json:"form,omitempty" yaml:"form"`             // json (default) or slack
	Events    []string            `json:"events,omitempty" yaml:"events"`         // types, with * and ?; none means all
	Match     map[string][]string `json:"match,omitempty" yaml:"match"`           // fields of data, or split.<dimension>, to the values they may have
	Secret    string              `json:"secret,omitempty" yaml:"secret"`         // name of the one that signs, in alerts.secrets of the configuration
	AllowHTTP bool                `json:"allow_http,omitempty" yaml:"allow_http"` // send without TLS
	Disabled  bool                `json:"disabled,omitempty" yaml:"disabled"`
}

// Webhook is a receiver that events are sent to.
type Webhook struct {
	ID string
	Spec
	Created ledger.Instant // it gets nothing that arose before
	Keys    [][]byte       // that sign, the newest first; none: not signed
}

// Validate reports everything that is wrong with a spec. Whether its address may be
// sent to is seen when it is.
func (s *Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.URL) > maxURL {
		bad("url: has more than %d bytes", maxURL)
	}
	switch u, err := url.Parse(s.URL); {
	case err != nil, u.Host == "", u.Opaque != "":
		bad("url: is not an absolute address") // which is not repeated: it may hold a secret
	case u.Scheme != "https" && u.Scheme != "http":
		bad("url: its scheme is not https")
	case u.Scheme == "http" && !s.AllowHTTP:
		bad("url: events are not sent without TLS; use https, or set allow_http: true")
	case u.User != nil:
		bad("url: has a user or password; receivers verify the signature instead")
	}
	if s.Form != "" && s.Form != JSON && s.Form != Slack {
		bad("form: %q is not json or slack", clip(string(s.Form), maxText))
	}
	if s.Secret == "" && s.Form != Slack {
		bad("secret: the name of a signing secret is missing")
	}
	if len(s.Secret) > maxName || strings.HasPrefix(s.Secret, secretPrefix) {
		bad("secret: is to be a name under alerts.secrets of the configuration, not the secret")
	}
	if len(s.Events) > maxGlobs {
		bad("events: there are more than %d", maxGlobs)
	}
	for _, g := range s.Events {
		if !slices.ContainsFunc(Types, func(t string) bool { return glob(g, t) }) {
			bad("events: %q matches no type of event", clip(g, maxText))
		}
	}
	if len(s.Match) > maxMatch {
		bad("match: there are more than %d fields", maxMatch)
	}
	for name, values := range s.Match {
		if name == "" || len(name) > maxName || len(values) == 0 || len(values) > maxValues {
			bad("match: %q has not 1 to %d values", clip(name, maxText), maxValues)
		}
	}
	return errors.Join(errs...)
}

// glob matches * and ?; a pattern is never an error, for [ and \ are no types.
func glob(pattern, name string) bool {
	if len(pattern) > maxName || strings.ContainsAny(pattern, `[\`) {
		return false
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Event is an alert with its content.
type Event struct {
	*directory.Alert
	ID       string
	Severity Severity
	Summary  string
	Data     map[string]any
}

// Read reads what an alert says.
func Read(a *directory.Alert) (Event, error) {
	e := Event{Alert: a, ID: a.ID()}
	var b struct {
		Severity Severity       `json:"severity"`
		Summary  string         `json:"summary"`
		Data     map[string]any `json:"data"`
	}
	d := json.NewDecoder(strings.NewReader(string(a.Body)))
	d.UseNumber() // amounts are beyond what a float holds
	if err := d.Decode(&b); err != nil {
		return e, fmt.Errorf("alert %d: %w", a.Seq, err)
	}
	e.Severity, e.Summary, e.Data = b.Severity, b.Summary, b.Data
	return e, nil
}

// Wants reports whether an event goes to this webhook. A test goes to the one it
// names.
func (w *Webhook) Wants(e *Event) bool {
	switch {
	case e.Type == Test:
		return e.Data["webhook"] == w.ID
	case w.Disabled, e.At < w.Created:
		return false
	case len(w.Events) > 0 && !slices.ContainsFunc(w.Events, func(g string) bool { return glob(g, e.Type) }):
		return false
	}
	for name, values := range w.Match {
		if v, ok := e.field(name); !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

// field is a text of the data, or one of its split.
func (e *Event) field(name string) (string, bool) {
	from := e.Data
	if dim, ok := strings.CutPrefix(name, "split."); ok {
		split, _ := e.Data["split"].(map[string]any)
		from, name = split, dim
	}
	v, ok := from[name].(string)
	return v, ok
}

// NewTest is the event that tries a webhook.
func NewTest(webhook, key string, now ledger.Instant) (directory.Raise, error) {
	return Once("test/"+key, now, Notice{Test, Info, "this is a test of webhook " + webhook, Data{"webhook": webhook}})
}
