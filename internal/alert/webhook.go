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
	URL       string              `json:"url,omitempty"`
	URLSecret string              `json:"url_secret,omitempty"` // name of the address in alerts.secrets of the configuration: Slack's is a secret
	Form      Form                `json:"form,omitempty"`       // json (default) or slack
	Events    []string            `json:"events,omitempty"`     // types, with * and ?; none means all
	Match     map[string][]string `json:"match,omitempty"`      // fields of data, or split.<dimension>, to the values they may have
	Secret    string              `json:"secret,omitempty"`     // name of the secret that signs, in alerts.secrets
	AllowHTTP bool                `json:"allow_http,omitempty"` // send without TLS
	Disabled  bool                `json:"disabled,omitempty"`
}

// Webhook is a receiver that events are sent to.
type Webhook struct {
	ID string
	Spec
	Created ledger.Instant // it gets nothing that arose before
	Keys    [][]byte       // that sign, the newest first; none: not signed
	Broken  bool           // what its spec names is not there
}

// Validate reports everything that is wrong with a spec. Whether its address may be
// sent to is seen when it is.
func (s *Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case s.URL == "" && s.URLSecret == "", s.URL != "" && s.URLSecret != "":
		bad("url: give it, or url_secret: one of the two")
	case s.URL != "":
		if err := s.checkURL(s.URL); err != nil {
			bad("url: %w", err)
		}
	case len(s.URLSecret) > maxName || strings.Contains(s.URLSecret, "/"):
		bad("url_secret: is to be a name under alerts.secrets of the configuration, not the address")
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

// checkURL says what is wrong with an address, and does not repeat it: it may hold a
// secret.
func (s *Spec) checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case len(address) > maxURL:
		return fmt.Errorf("has more than %d bytes", maxURL)
	case err != nil, u.Host == "", u.Opaque != "":
		return errors.New("is not an absolute address")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("its scheme is not https")
	case u.Scheme == "http" && !s.AllowHTTP:
		return errors.New("events are not sent without TLS; use https, or set allow_http: true")
	case u.User != nil:
		return errors.New("has a user or password; receivers verify the signature instead")
	}
	return nil
}

// CheckSecret says what is wrong with a text that webhooks may name: it signs, or is
// an address. The error does not repeat it.
func CheckSecret(text string) error {
	if strings.HasPrefix(text, secretPrefix) {
		_, err := ParseSecrets(text)
		return err
	}
	if (&Spec{AllowHTTP: true}).checkURL(text) != nil {
		return errors.New("is neither whsec_ and base64 of 24 to 64 bytes nor an address")
	}
	return nil
}

// Resolve gives the webhook what its spec names. An error is a name that is not
// there, or what cannot be used; the webhook gets nothing then.
func (w *Webhook) Resolve(secret func(name string) (string, bool)) error {
	if w.URLSecret != "" {
		address, ok := secret(w.URLSecret)
		if !ok {
			return fmt.Errorf("webhook %s: alerts.secrets has no %q", w.ID, w.URLSecret)
		}
		if err := w.checkURL(address); err != nil {
			return fmt.Errorf("webhook %s: the address %q: %w", w.ID, w.URLSecret, err)
		}
		w.URL = address
	}
	if w.Secret == "" {
		return nil
	}
	text, ok := secret(w.Secret)
	if !ok {
		return fmt.Errorf("webhook %s: alerts.secrets has no %q", w.ID, w.Secret)
	}
	keys, err := ParseSecrets(text)
	if err != nil {
		return fmt.Errorf("webhook %s: the secret %q: %w", w.ID, w.Secret, err)
	}
	w.Keys = keys
	return nil
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
