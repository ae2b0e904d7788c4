package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// Envelope is an event as it is sent in the form json. It has the three fields of
// Standard Webhooks' payload (type, timestamp, data) and what they leave open.
type Envelope struct {
	ID        string         `json:"id"` // also the header webhook-id; the same at every attempt
	Type      string         `json:"type"`
	Timestamp string         `json:"timestamp"` // when it arose, RFC 3339
	Source    string         `json:"source"`    // the cluster, or the node that is alone
	Severity  Severity       `json:"severity"`
	Summary   string         `json:"summary"`
	Data      map[string]any `json:"data"`
}

// Render writes an event in a form.
func Render(f Form, e *Event, source string) ([]byte, error) {
	at := time.Unix(0, int64(e.At)).UTC().Format(time.RFC3339Nano)
	if f == Slack {
		return slack(e, source, e.At)
	}
	return json.Marshal(Envelope{e.ID, e.Type, at, source, e.Severity, e.Summary, e.Data})
}

// message is what Slack's incoming webhooks take; text is for notifications, and
// for receivers that know no blocks (Mattermost, Rocket.Chat, Discord's /slack).
type message struct {
	Text   string  `json:"text"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// maxHeader and maxField keep blocks within Slack's limits (150 characters of a
// header, 3,000 of a section).
const (
	maxHeader = 140
	maxSlack  = 2800
)

func slack(e *Event, source string, at ledger.Instant) ([]byte, error) {
	mark := map[Severity]string{Info: "Info", Warning: "Warning", Critical: "Critical"}[e.Severity]
	m := message{
		Text: escaped(fmt.Sprintf("%s: %s", mark, e.Summary)),
		Blocks: []block{
			{Type: "header", Text: &text{plainText, clip(mark+": "+e.Type, maxHeader)}},
			{Type: "section", Text: plain(e.Summary)},
		},
	}
	if fields := fieldsOf(e.Data); fields != "" {
		m.Blocks = append(m.Blocks, block{Type: "section", Text: plain(fields)})
	}
	m.Blocks = append(m.Blocks, block{Type: "context", Elements: []text{*plain(fmt.Sprintf("%s · %s · %s", source, clock(at), e.ID))}})
	return json.Marshal(m)
}

// escaped keeps names of customers from becoming links and mentions.
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// plain is text in which nothing is a link, a mention or emphasis.
func plain(s string) *text { return &text{plainText, clip(s, maxSlack)} }

const plainText = "plain_text"

func fieldsOf(data map[string]any) string {
	var lines []string
	for name, v := range data {
		if split, ok := v.(map[string]any); ok {
			for dim, value := range split {
				lines = append(lines, fmt.Sprintf("%s.%s: %v", name, dim, value))
			}
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %v", name, v))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
