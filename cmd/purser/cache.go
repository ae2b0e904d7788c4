package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type cacheCmd struct {
	Stats cacheStatsCmd `cmd:"" help:"What the response caches of the nodes have and did since their start."`
	Purge cachePurgeCmd `cmd:"" help:"Delete answers from the response caches of all nodes."`
}

type cacheStatsCmd struct{ remote }

// Run shows the counts, a column for each node.
func (c *cacheStatsCmd) Run(ctx context.Context) error {
	nodes, err := c.client().CacheStats(ctx)
	if err != nil {
		return err
	}
	return c.print(nodes, func(w *tabwriter.Writer) {
		names := map[string]bool{}
		fmt.Fprint(w, "COUNT")
		for _, n := range nodes {
			fmt.Fprint(w, "\t", strings.ToUpper(n.Node))
			for name := range n.Counts {
				names[name] = true
			}
		}
		fmt.Fprintln(w)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			fmt.Fprint(w, name)
			for _, n := range nodes {
				if n.Error != "" {
					fmt.Fprint(w, "\t-")
					continue
				}
				fmt.Fprintf(w, "\t%d", n.Counts[name])
			}
			fmt.Fprintln(w)
		}
		for _, n := range nodes {
			if n.Error != "" {
				fmt.Fprintf(w, "%s did not answer: %s\n", n.Node, n.Error)
			}
		}
	})
}

type cachePurgeCmd struct {
	remote
	All    bool   `help:"Every answer."`
	Tenant string `help:"Answers of a tenant: org:<org>, or key:<id> of a virtual key without an org."`
	Model  string `help:"Answers of a model, as the upstream was asked for it or as the provider named it."`
	Tag    string `help:"Answers with a tag."`
	Key    string `help:"One answer, by the header x-purser-cache-key of a hit."`
}

// errPurgeIncomplete has the command fail where a node may still give what was purged.
var errPurgeIncomplete = errors.New("some nodes did not answer; what they have may be given until they hear of the purge from another")

// Run purges, and fails where a node did not answer.
func (c *cachePurgeCmd) Run(ctx context.Context) error {
	nodes, err := c.client().PurgeCache(ctx, admin.CachePurge{All: c.All, Tenant: c.Tenant, Model: c.Model, Tag: c.Tag, Key: c.Key})
	if err != nil {
		return err
	}
	var incomplete error
	for _, n := range nodes {
		if n.Error != "" {
			incomplete = errPurgeIncomplete
		}
	}
	return errors.Join(c.print(nodes, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "NODE\tDELETED\t")
		for _, n := range nodes {
			fmt.Fprintf(w, "%s\t%d\t%s\n", n.Node, n.Deleted, n.Error)
		}
	}), incomplete)
}
