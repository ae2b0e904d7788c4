package ui

import (
	"encoding/json"
	"net/http"
	"net/url"

	"purser/api/admin"
)

var webhookKind = kind{plural: "webhooks", one: "webhook",
	about:   "Where alerts are sent. The signing secret is kept under a name, as docs/alerts.md says.",
	example: `{"url": "https://hooks.example.com/purser", "events": ["budget.*"], "secret": "hooks"}`}

// webhookRow is a webhook in the list.
type webhookRow struct {
	ID     string   `json:"-"`
	Path   string   `json:"-"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	Test   *form    `json:"-"`
}

type alertsView struct {
	Alerts     []admin.Alert
	Deliveries []admin.Delivery
	Webhooks   []webhookRow
	MayWrite   bool
}

// alertsPage shows what operators were told, how that went, and who is told.
func alertsPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewObject(c, webhookKind, nil)
	}
	v := alertsView{MayWrite: c.CanAll("webhooks:write")}
	var alerts struct{ Alerts []admin.Alert }
	if err := c.Get("/alerts", url.Values{"limit": {"50"}}, &alerts); err != nil {
		return err
	}
	var deliveries struct{ Deliveries []admin.Delivery }
	if err := c.Get("/alerts/deliveries", url.Values{"limit": {"50"}}, &deliveries); err != nil {
		return err
	}
	v.Alerts, v.Deliveries = alerts.Alerts, deliveries.Deliveries
	list, err := c.objects("webhooks")
	if err != nil {
		return err
	}
	for _, o := range list {
		r := webhookRow{ID: o.ID, Path: webhookKind.path(o.ID)}
		if err := json.Unmarshal(o.Spec, &r); err != nil {
			return err
		}
		if v.MayWrite {
			r.Test = &form{ID: "test-" + o.ID, Action: webhookKind.path(o.ID), Submit: "Send a test", Quiet: true, Fields: []field{doing("test")}}
		}
		v.Webhooks = append(v.Webhooks, r)
	}
	return c.Render("alerts", "Alerts", &v)
}

// makeWebhook makes a webhook.
func makeWebhook(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	return creating(c, webhookKind, v)
}

func webhookPage(c *Call) error { return showWebhook(c, nil) }

func showWebhook(c *Call, wrong *refused) error {
	o, err := c.object(webhookKind, c.R.PathValue("id"), wrong)
	if err != nil {
		return err
	}
	return c.RenderAs(wrong.status(), "webhook", o.ID, o)
}

// changeWebhook changes a webhook, or sends it a test.
func changeWebhook(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	if v.Get("do") != "test" {
		return changing(c, webhookKind, showWebhook)
	}
	if err := c.Do(http.MethodPost, "/alerts/test/"+url.PathEscape(c.R.PathValue("id")), nil, nil); err != nil {
		return again(err, "test", v, func(r *refused) error { return c.Redirect("/ui/webhooks", "bad", r.fault.message) })
	}
	return c.Redirect("/ui/webhooks", "good", "A test is on its way; its delivery says how it went.")
}
