package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"purser/proxy/price"
)

// meterOf says which meter a price of the source is for, and its unit.
var meterOf = map[string]struct {
	meter price.Meter
	shift int
}{
	"input_mtok":              {price.InputText, price.PerMillion},
	"cache_read_mtok":         {price.CacheRead, price.PerMillion},
	"cache_write_mtok":        {price.CacheWriteOther, price.PerMillion},
	"cache_write_5m_mtok":     {price.CacheWrite5m, price.PerMillion},
	"cache_write_1h_mtok":     {price.CacheWrite1h, price.PerMillion},
	"output_mtok":             {price.OutputText, price.PerMillion},
	"output_reasoning_mtok":   {price.OutputReasoning, price.PerMillion},
	"input_audio_mtok":        {price.AudioIn, price.PerMillion},
	"output_audio_mtok":       {price.AudioOut, price.PerMillion},
	"input_image_mtok":        {price.ImageIn, price.PerMillion},
	"output_image_mtok":       {price.ImageOut, price.PerMillion},
	"web_searches_kcount":     {price.WebSearch, price.PerThousand},
	"storage_searches_kcount": {price.FileSearch, price.PerThousand},
	"code_executions_kcount":  {price.CodeExec, price.PerThousand},
	"requests_kcount":         {price.Requests, price.PerThousand},
}

// Prices of the source that no meter is for. Tokens that they price are counted
// by another meter, under which they must not cost less: a model that breaks
// this is left out, so that it counts as unpriced. Cached audio and images are
// the exception, as they would take the most used models away.
var (
	countedAs = map[string]string{
		"output_citation_mtok": "output_mtok",
		"output_video_mtok":    "output_mtok",
		"input_video_mtok":     "input_mtok",
	}
	costedAsCachedText = []string{"cache_audio_read_mtok", "cache_image_read_mtok"}
)

// convert makes a snapshot of the source alone.
func convert(pkg *sourcePackage, rep *report) (*price.Snapshot, error) {
	snap := &price.Snapshot{Version: 1, Source: pkg.name}
	for _, p := range pkg.providers {
		snap.Providers = append(snap.Providers, price.Provider{ID: p.ID, Fallback: p.Fallback})
		for _, m := range p.Models {
			at := p.ID + "/" + m.ID
			out, err := convertModel(p.ID, &m, rep)
			var left leftOut
			if errors.As(err, &left) {
				rep.skip(string(left), at)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
			snap.Models = append(snap.Models, *out)
		}
	}
	return snap, nil
}

// leftOut is the reason a model is left out.
type leftOut string

func (l leftOut) Error() string { return string(l) }

func convertModel(provider string, in *sourceModel, rep *report) (*price.Model, error) {
	out := &price.Model{Provider: provider, ID: in.ID}
	if err := convertMatch(&out.Match, in.Match); err != nil {
		return nil, err
	}
	slices.Sort(out.Match.Equals)
	out.Match.Equals = slices.Compact(out.Match.Equals)
	if slices.Equal(out.Match.Equals, []string{in.ID}) && len(out.Match.Prefix)+len(out.Match.Suffix)+
		len(out.Match.Contains)+len(out.Match.Regex) == 0 {
		out.Match = price.Match{}
	}
	if in.ContextWindow != "" {
		n, exact, err := price.Decimal(in.ContextWindow.String(), 0)
		if err != nil || !exact {
			return nil, fmt.Errorf("context window %s is not a whole number", in.ContextWindow)
		}
		out.ContextWindow = n
	}
	entries, err := readEntries(in.Prices)
	if err != nil {
		return nil, err
	}
	from := ""
	for _, e := range entries {
		daily := ""
		switch c := e.Constraint; {
		case c == nil:
		case c.Type == "start_date":
			from = c.Date
		case c.Type == "time_of_date":
			// The source has no way to date these; the prices they come
			// after do, and they are a part of them.
			if daily, err = hours(c.Start, c.End); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("constraint %q is not known", c.Type)
		}
		rows, err := convertPrices(provider+"/"+in.ID, e.Prices, rep)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			r.From, r.Daily = from, daily
			out.Rates = append(out.Rates, r)
		}
	}
	return out, nil
}

func readEntries(prices json.RawMessage) ([]sourcePrices, error) {
	if strings.HasPrefix(string(prices), "[") {
		var entries []sourcePrices
		return entries, json.Unmarshal(prices, &entries)
	}
	var one sourcePrices
	return []sourcePrices{one}, json.Unmarshal(prices, &one.Prices)
}

// hours turns "00:30:00Z" and "16:30:00Z" into "00:30-16:30".
func hours(start, end string) (string, error) {
	s, ok1 := strings.CutSuffix(start, ":00Z")
	e, ok2 := strings.CutSuffix(end, ":00Z")
	if !ok1 || !ok2 {
		return "", fmt.Errorf("hours %s to %s are not whole minutes UTC", start, end)
	}
	return s + "-" + e, nil
}

// notBefore is the form of the source's only exclusion: a name in which nothing
// looks like the pattern within.
var notBefore = regexp.MustCompile(`^\^\(\?!\.\*(.*)\)$`)

func convertMatch(to *price.Match, raw json.RawMessage) error {
	var form map[string]json.RawMessage
	if err := json.Unmarshal(raw, &form); err != nil || len(form) != 1 {
		return fmt.Errorf("match %s is not one form", raw)
	}
	for kind, value := range form {
		if kind == "or" || kind == "and" {
			var parts []json.RawMessage
			if err := json.Unmarshal(value, &parts); err != nil {
				return err
			}
			return convertParts(to, kind, parts)
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return err
		}
		list, ok := map[string]*[]string{"equals": &to.Equals, "starts_with": &to.Prefix, "ends_with": &to.Suffix,
			"contains": &to.Contains, "regex": &to.Regex}[kind]
		if !ok {
			return fmt.Errorf("match form %q is not known", kind)
		}
		if kind == "regex" {
			if _, err := regexp.Compile(text); err != nil {
				return leftOut("matched by a pattern that RE2 does not have")
			}
		} else {
			text = strings.ToLower(text)
		}
		*list = append(*list, text)
	}
	return nil
}

// convertParts converts any of a list of forms, or one form and exclusions from it.
func convertParts(to *price.Match, kind string, parts []json.RawMessage) error {
	forms := 0
	for _, part := range parts {
		var not struct{ Regex string }
		if kind == "and" && json.Unmarshal(part, &not) == nil {
			if m := notBefore.FindStringSubmatch(not.Regex); m != nil {
				to.Except = append(to.Except, m[1])
				continue
			}
		}
		forms++
		if kind == "and" && forms > 1 {
			return leftOut("matched by two forms at once")
		}
		if err := convertMatch(to, part); err != nil {
			return err
		}
	}
	return nil
}

// convertPrices makes the rows of one entry: one for each threshold.
func convertPrices(at string, prices map[string]json.RawMessage, rep *report) ([]price.Row, error) {
	if len(prices) == 0 {
		if strings.HasSuffix(at, ":free") {
			return []price.Row{{Prices: map[string]int64{"input": 0, "output": 0}}}, nil
		}
		return nil, leftOut("without any price")
	}
	bands := map[int64]bool{0: true}
	tiers := map[string]*sourceTiers{}
	for key, raw := range prices {
		t := &sourceTiers{}
		if raw[0] == '{' {
			if err := json.Unmarshal(raw, t); err != nil {
				return nil, err
			}
		} else {
			t.Base = json.Number(raw)
		}
		tiers[key] = t
		for _, step := range t.Tiers {
			start, exact, err := price.Decimal(step.Start.String(), 0)
			if err != nil || !exact {
				return nil, fmt.Errorf("threshold %s is not a whole number", step.Start)
			}
			bands[start+1] = true
		}
	}
	var rows []price.Row
	for _, from := range slices.Sorted(maps.Keys(bands)) {
		row := price.Row{ContextFrom: from, Prices: map[string]int64{}}
		for _, key := range slices.Sorted(maps.Keys(tiers)) {
			if err := setPrice(&row, at, key, tiers, rep); err != nil {
				return nil, err
			}
		}
		if _, ok := row.Prices["input"]; !ok {
			return nil, leftOut("without a price for input")
		}
		if _, ok := row.Prices["output"]; !ok && from == 0 {
			rep.note("output costs as input, as it has no price of its own", at)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func setPrice(row *price.Row, at, key string, tiers map[string]*sourceTiers, rep *report) error {
	to, ok := meterOf[key]
	if !ok {
		return droppedPrice(row, at, key, tiers, rep)
	}
	text := tiers[key].in(row.ContextFrom)
	n, err := wholePico(text, to.shift, func(how string) { rep.note(how, fmt.Sprintf("%s %s %s", at, key, text)) })
	row.Prices[to.meter.String()] = n
	return err
}

// wholePico rounds a price up to a pico-dollar, but for what the source's own
// floating point left behind, such as 0.18000000000000002.
func wholePico(text string, shift int, note func(how string)) (int64, error) {
	const fine = 6 // decimals below a pico-dollar; what is left below them is noise
	n, _, err := price.Decimal(text, shift+fine)
	if err != nil {
		return 0, err
	}
	switch n, rest := n/1e6, n%1e6; {
	case rest == 0:
		return n, nil
	case rest == 1:
		note("rounded down, as the rest is noise of the source's floating point")
		return n, nil
	default:
		note("rounded up to a pico-dollar")
		return n + 1, nil
	}
}

func droppedPrice(row *price.Row, at, key string, tiers map[string]*sourceTiers, rep *report) error {
	if slices.Contains(costedAsCachedText, key) {
		if row.ContextFrom == 0 {
			rep.note("cached audio and images cost as cached text", at+" "+key)
		}
		return nil
	}
	as, ok := countedAs[key]
	if !ok {
		return leftOut("priced by " + key + ", which is not metered")
	}
	own, _, err1 := price.Decimal(tiers[key].in(row.ContextFrom), price.PerMillion)
	if tiers[as] == nil {
		return leftOut("priced by " + key + " alone")
	}
	other, _, err2 := price.Decimal(tiers[as].in(row.ContextFrom), price.PerMillion)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if own > other {
		return leftOut("with " + key + " dearer than " + as + ", as which it is metered")
	}
	rep.note(key+" costs as "+as, at)
	return nil
}

// in is the price of a call with total input tokens.
func (t *sourceTiers) in(total int64) string {
	text := t.Base.String()
	for _, step := range t.Tiers {
		if start, _, err := price.Decimal(step.Start.String(), 0); err == nil && total > start {
			text = step.Price.String()
		}
	}
	return text
}
