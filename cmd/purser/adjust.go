package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
)

type usageAdjustCmd struct {
	remote
	ID       string            `arg:"" help:"A name for it, once for the whole cluster: posting it again changes nothing."`
	Amount   json.Number       `required:"" help:"Dollars, less than 0 for what was too much: --amount=-1.25"`
	Note     string            `required:"" help:"Why."`
	Corrects string            `help:"The request whose cost is another than recorded."`
	At       string            `help:"When the amount belongs to, RFC 3339, of one that corrects no request."`
	Set      map[string]string `help:"What it is attributed to: --set customer=acme --set tag:job=nightly."`
	Model    string            `help:"The model it is of."`
	Upstream string            `help:"The upstream it is of."`
}

// Run posts the adjustment.
func (c *usageAdjustCmd) Run(ctx context.Context) error {
	out, err := c.client().PostAdjustment(ctx, admin.NewAdjustment{
		ID: c.ID, Corrects: c.Corrects, At: c.At, Amount: c.Amount, Dimensions: c.Set, Model: c.Model, Upstream: c.Upstream, Note: c.Note,
	})
	if err != nil {
		return err
	}
	return c.print(out, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", out.Kind, out.ID, units("usd", out.Amount), out.At, out.Record)
	})
}
