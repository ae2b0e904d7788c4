package reconcile

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// anthropicPage is a page of GET /v1/organizations/cost_report
// (https://platform.claude.com/docs/en/api/admin/cost_report). Amounts are decimal
// strings in the lowest unit of the currency: "123.45" is 1.2345 dollars.
type anthropicPage struct {
	Data *[]struct {
		Start   string `json:"starting_at"`
		End     string `json:"ending_at"`
		Results []struct {
			Amount      *string `json:"amount"`
			Currency    string  `json:"currency"`
			Type        string  `json:"cost_type"`
			Description string  `json:"description"`
			Model       string  `json:"model"`
			Token       string  `json:"token_type"`
			Tier        string  `json:"service_tier"`
			Workspace   string  `json:"workspace_id"`
		} `json:"results"`
	} `json:"data"`
	HasMore bool   `json:"has_more"`
	Next    string `json:"next_page"`
}

// ReadAnthropic reads the pages of Anthropic's cost report, one after the other in one
// file or in a list. Lines name a model where the pages were asked for with
// group_by[]=description, and a key with group_by[]=workspace_id.
func ReadAnthropic(raw []byte) (*Report, error) {
	r := &Report{Provider: "anthropic"}
	return r, eachPage(raw, func(n int, p *anthropicPage) (more string, err error) {
		if p.Data == nil {
			return "", fmt.Errorf("page %d: it has no data: is it an answer of /v1/organizations/cost_report?", n)
		}
		for i, b := range *p.Data {
			at := fmt.Sprintf("page %d, bucket %d", n, i+1)
			from, err := time.Parse(time.RFC3339, b.Start)
			if err != nil {
				return "", fmt.Errorf("%s: starting_at %q is no time as RFC 3339 has it", at, b.Start)
			}
			to, err := time.Parse(time.RFC3339, b.End)
			if err != nil {
				return "", fmt.Errorf("%s: ending_at %q is no time as RFC 3339 has it", at, b.End)
			}
			day, err := wholeDay(from, to)
			if err != nil {
				return "", fmt.Errorf("%s: %w", at, err)
			}
			if err := r.day(day); err != nil {
				return "", fmt.Errorf("%s: %w", at, err)
			}
			for j, c := range b.Results {
				l := Line{At: fmt.Sprintf("%s, result %d", at, j+1), Day: day, Model: c.Model, Key: c.Workspace, Item: strings.TrimSpace(cmp.Or(c.Token, c.Description, c.Type) + " " + c.Tier)}
				if c.Amount == nil {
					return "", fmt.Errorf("%s: it has no amount", l.At)
				}
				if err := r.add(l, *c.Amount, cmp.Or(c.Currency, "USD"), centsBelow); err != nil {
					return "", err
				}
			}
		}
		if p.HasMore {
			return cmp.Or(p.Next, "?"), nil
		}
		return "", nil
	})
}

// centsBelow says that a cent is 10^-2 dollars.
const centsBelow = 2
