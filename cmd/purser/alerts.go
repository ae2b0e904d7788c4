package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"purser/api/admin"
)

type alertsCmd struct {
	List       alertsListCmd       `cmd:"" help:"List the newest alerts."`
	Deliveries alertsDeliveriesCmd `cmd:"" help:"List what became of alerts at webhooks."`
	Test       alertsTestCmd       `cmd:"" help:"Send a test to a webhook, and say how it went."`
}

type alertsListCmd struct {
	remote
	Limit int `help:"How many." default:"50"`
}

// Run lists alerts.
func (c *alertsListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListAlerts(ctx, c.Limit)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "AT\tSEVERITY\tTYPE\tSTATE\tSUMMARY\tID")
		for _, a := range list {
			state := "told"
			if a.Open {
				state = "open"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.At, a.Severity, a.Type, state, a.Summary, a.ID)
		}
	})
}

type alertsDeliveriesCmd struct {
	remote
	Alert   string `help:"Of one alert, by its id."`
	Webhook string `help:"To one webhook."`
	State   string `help:"In one state: pending, delivered, abandoned."`
	Limit   int    `help:"How many." default:"50"`
}

// Run lists deliveries.
func (c *alertsDeliveriesCmd) Run(ctx context.Context) error {
	list, err := c.client().ListDeliveries(ctx, admin.DeliveryQuery{Alert: c.Alert, Webhook: c.Webhook, State: c.State, Limit: c.Limit})
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) { deliveryRows(w, list) })
}

func deliveryRows(w *tabwriter.Writer, list []admin.Delivery) {
	fmt.Fprintln(w, "RAISED\tTYPE\tWEBHOOK\tSTATE\tATTEMPTS\tLAST\tSTATUS\tFAULT\tALERT")
	for _, d := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.Raised, d.Type, d.Webhook, d.State, d.Attempts, dash(d.Last), statusText(d.Status), dash(d.Fault), d.Alert)
	}
}

type alertsTestCmd struct {
	remote
	Webhook string        `arg:"" help:"The webhook."`
	Wait    time.Duration `help:"How long to wait for the receiver's answer." default:"30s"`
}

// askEvery is how often a test asks how it went.
const askEvery = 500 * time.Millisecond

// Run sends the test. It fails unless the receiver took it.
func (c *alertsTestCmd) Run(ctx context.Context) error {
	client := c.client()
	id, err := client.TestWebhook(ctx, c.Webhook)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	t := time.NewTicker(askEvery)
	defer t.Stop()
	var last []admin.Delivery
	for {
		if list, err := client.ListDeliveries(ctx, admin.DeliveryQuery{Alert: id}); err == nil {
			last = list
		}
		if len(last) > 0 && last[0].State == "delivered" {
			return c.print(last, func(w *tabwriter.Writer) { deliveryRows(w, last) })
		}
		if len(last) > 0 && last[0].State == "abandoned" {
			return fmt.Errorf("webhook %s did not take the test: %s", c.Webhook, said(last[0]))
		}
		select {
		case <-ctx.Done():
			if len(last) == 0 {
				return fmt.Errorf("webhook %s: no attempt is noted yet; look at: purser alerts deliveries --alert %s", c.Webhook, id)
			}
			return fmt.Errorf("webhook %s has not taken the test yet, and is tried again: %s", c.Webhook, said(last[0]))
		case <-t.C:
		}
	}
}

// statusText is a receiver's answer; none is a dash.
func statusText(status uint16) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(int(status))
}

// faultWords are the faults of an attempt, and what to look at (docs/alerts.md).
var faultWords = map[string]string{
	"status":          "it answered",
	"redirect":        "it answered with a redirect, and none is followed: put the address that it names",
	"gone":            "it answered 410: it wants no more",
	"timeout":         "it did not answer in ten seconds",
	"connection":      "no connection to it could be made",
	"tls":             "its certificate, or its TLS, is not accepted",
	"name":            "its name does not resolve",
	"refused_address": "its address is this machine's or a private network's: alerts.allow_private lets those be",
	"address":         "its address cannot be read",
	"no_secret":       "the leader's configuration has no usable alerts.secrets of the name that the webhook gives",
}

// said is how the last attempt went.
func said(d admin.Delivery) string {
	words := cmp.Or(faultWords[d.Fault], d.Fault)
	if d.Status != 0 {
		words += " (HTTP " + strconv.Itoa(int(d.Status)) + ")"
	}
	return fmt.Sprintf("%s; %d attempts", words, d.Attempts)
}
