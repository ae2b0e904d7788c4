package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
	"purser/proxy"
)

type routeCmd struct {
	Explain  routeExplainCmd  `cmd:"" help:"Ask a node where a request would go, and why; nothing is sent."`
	Simulate routeSimulateCmd `cmd:"" help:"Send requests of the past through a route, and say what they would have cost."`
	Train    routeTrainCmd    `cmd:"" help:"Learn from prompts of known quality, or from outcomes, which candidate answers which kind of prompt."`
	Canary   routeCanaryCmd   `cmd:"" help:"Give one candidate of a router a share of the requests until its outcomes say that it is no good."`
}

type routeExplainCmd struct {
	remote
	Key     string            `required:"" help:"Id of the key that would send the request."`
	Route   string            `arg:"" optional:"" help:"The route; without it, the one that the body names."`
	Path    string            `help:"Path of the request." default:"/v1/chat/completions"`
	Body    string            `help:"File with the request's body; - for standard input." xor:"what"`
	Prompt  string            `help:"What is asked, instead of a body." xor:"what"`
	Address string            `help:"Address from which the request would come."`
	Header  map[string]string `help:"A header of the request: --header x-purser-session=7 (repeat)."`
}

// Run asks the node.
func (c *routeExplainCmd) Run(ctx context.Context) error {
	call, err := c.call()
	if err != nil {
		return err
	}
	a, err := c.client().ExplainRoute(ctx, call)
	if err != nil {
		return err
	}
	return c.print(a, func(w *tabwriter.Writer) { printRoute(w, &a) })
}

func (c *routeExplainCmd) call() (call admin.PolicyCall, err error) {
	call = admin.PolicyCall{Key: c.Key, Path: c.Path, Address: c.Address, Headers: c.Header}
	body := map[string]any{}
	switch {
	case c.Body != "":
		b, err := readInput(c.Body)
		if err != nil {
			return call, err
		}
		if err := json.Unmarshal(b, &body); err != nil {
			return call, fmt.Errorf("%s is no JSON object", c.Body)
		}
	case c.Route == "":
		return call, errors.New("name the route, or give the request's --body")
	default:
		body["messages"] = []map[string]string{{"role": "user", "content": c.Prompt}}
	}
	if c.Route != "" {
		body["model"] = c.Route
	}
	call.Body, err = json.Marshal(body)
	return call, err
}

func printRoute(w *tabwriter.Writer, a *proxy.RouteAnswer) {
	fmt.Fprintf(w, "route\t%s\nstrategy\t%s\nreason\t%s\n\n", dash(a.Route), dash(a.Strategy), dash(a.Reason))
	fmt.Fprintln(w, "\tMODEL\tUPSTREAM\tSCORE\tWHY")
	for i, p := range a.Order {
		why := p.Why
		if p.Denied != "" {
			why += "; passed over: " + p.Denied
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", i+1, p.Model, p.Upstream, p.Score, why)
	}
	for _, p := range a.Out {
		fmt.Fprintf(w, "out\t%s\t%s\t\t%s\n", p.Model, dash(p.Upstream), p.Why)
	}
}
