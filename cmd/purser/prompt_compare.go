package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/proxy/template"
)

type promptCompareCmd struct {
	remote
	A    string `arg:"" help:"name@version, name@environment or name."`
	B    string `arg:"" help:"The same; a version alone is of the same template."`
	From string `help:"From when, RFC 3339 (default 24 hours ago)."`
	To   string `help:"Until when, RFC 3339 (default now)."`
}

// versionUsage is what the requests of one version came to.
type versionUsage struct {
	Version   string  `json:"version"`
	Requests  int64   `json:"requests"`
	Cost      int64   `json:"cost_nanousd"`
	PerCall   int64   `json:"cost_per_request_nanousd"`
	Baseline  int64   `json:"baseline_nanousd"`
	Input     int64   `json:"input_tokens"` // of the calls that were made
	Output    int64   `json:"output_tokens"`
	Read      float64 `json:"provider_cache_read_share"` // of the input tokens
	Answered  float64 `json:"cache_hit_share"`           // of the requests
	Failed    float64 `json:"failed_share"`              // of the records
	FirstByte string  `json:"first_byte_p50"`

	Judged  int64    `json:"judged"`            // requests with a reported quality
	Quality *float64 `json:"quality,omitempty"` // their mean, 0 to 1
}

// Run compares two versions.
func (c *promptCompareCmd) Run(ctx context.Context) error {
	s, err := c.shelf(ctx)
	if err != nil {
		return err
	}
	name, v1, _, err := s.find(c.A)
	if err != nil {
		return err
	}
	other, v2, _, err := s.find(sibling(name, c.B))
	if err != nil {
		return err
	}
	var list []versionUsage
	for _, v := range [...]struct {
		name    string
		version int64
	}{{name, v1}, {other, v2}} {
		report, err := c.client().Usage(ctx, admin.UsageQuery{
			From: c.From, To: c.To, Worth: true, Filter: map[string]string{"prompt": v.name, "prompt_version": strconv.FormatInt(v.version, 10)},
		})
		if err != nil {
			return err
		}
		list = append(list, usageOfVersion(template.VersionID(v.name, v.version), &report.Total))
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "VERSION\tREQUESTS\tCOST\tPER REQUEST\tWITHOUT LEVERS\tINPUT\tREAD FROM CACHE\tOUTPUT\tCACHE HITS\tFAILED\tFIRST BYTE P50\tQUALITY")
		for _, v := range list {
			quality := "-"
			if v.Quality != nil {
				quality = fmt.Sprintf("%.3f of %d", *v.Quality, v.Judged)
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\t%s\n", v.Version, v.Requests, units("usd", v.Cost), units("usd", v.PerCall), units("usd", v.Baseline),
				v.Input, percent(v.Read), v.Output, percent(v.Answered), percent(v.Failed), v.FirstByte, quality)
		}
	})
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func usageOfVersion(version string, r *admin.UsageRow) versionUsage {
	v := versionUsage{Version: version, Requests: r.Requests, Cost: r.Cost, Baseline: r.Baseline, FirstByte: "-", Judged: r.Judged, Quality: r.Quality}
	for _, m := range [...]string{"input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h", "cache_write"} {
		v.Input += r.Tokens[m]
	}
	v.Output = r.Tokens["output"] + r.Tokens["output_reasoning"]
	if v.Input > 0 {
		v.Read = float64(r.Tokens["cache_read"]) / float64(v.Input)
	}
	var records, failed int64
	for o, n := range r.Outcomes {
		records += n
		if o == "upstream_error" || o == "truncated" || o == "undecided" || o == "refused" || o == "denied" {
			failed += n
		}
	}
	if r.Requests > 0 {
		v.PerCall = r.Cost / r.Requests
		v.Answered = float64(r.Outcomes["cache_hit"]+r.Outcomes["coalesced"]) / float64(r.Requests)
	}
	if records > 0 {
		v.Failed = float64(failed) / float64(records)
	}
	if r.FirstP50 > 0 {
		v.FirstByte = time.Duration(r.FirstP50).Round(time.Millisecond / 10).String()
	}
	return v
}
