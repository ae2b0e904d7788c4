package node

import (
	"cmp"
	"slices"

	"purser/api/admin"
	"purser/internal/economics/waste"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/price"
	"purser/proxy/promptcache"
)

// report writes what was found.
func (e *efficiencyOf) report(survey *waste.Survey, tally *waste.Tally) admin.EfficiencyReport {
	out := admin.EfficiencyReport{
		From: timeText(e.query.Range.From), To: timeText(e.query.Range.To), Sum: efficiencySum(&tally.Sum),
		Findings: []admin.EfficiencyFinding{}, Request: e.verdicts, Nodes: e.nodes, Complete: admin.Complete(e.nodes),
	}
	for _, f := range tally.Findings() {
		if e.q.Class == "" || f.Class.String() == e.q.Class {
			out.Findings = append(out.Findings, findingOf(&f))
		}
	}
	for _, r := range tally.Ranks(cmp.Or(e.q.Limit, rankedRows)) {
		if len(r.Groups) == 0 && r.Rest == nil {
			continue
		}
		rank := admin.EfficiencyRank{By: r.By, Rows: []admin.EfficiencyGroup{}}
		for i := range r.Groups {
			rank.Rows = append(rank.Rows, admin.EfficiencyGroup{Value: r.Groups[i].Value, EfficiencySum: efficiencySum(&r.Groups[i].Sum)})
		}
		if r.Rest != nil {
			rest := efficiencySum(&r.Rest.Sum)
			rank.Rest = &rest
		}
		out.Ranks = append(out.Ranks, rank)
	}
	if survey.Full {
		out.Notes = append(out.Notes, "there are more runs, tasks or prompts in this time than are compared: what came after the limit counts as justified; ask for a shorter time")
	}
	if e.q.Request != "" && len(e.verdicts) == 0 {
		out.Notes = append(out.Notes, "there is no record of this request within your reach in this time")
	}
	return out
}

func efficiencySum(s *waste.Sum) admin.EfficiencySum {
	out := admin.EfficiencySum{
		Records: s.Records, Wasteful: s.Wasteful, Total: int64(s.Total), Justified: int64(s.Justified),
		Confirmed: int64(s.Confirmed), Fruitless: int64(s.Fruitless), Unjudged: int64(s.Unjudged), Wasted: int64(s.Waste()),
	}
	for c, a := range s.Wasted {
		if a != 0 {
			out.Classes = with(out.Classes, waste.Class(c).String(), int64(a))
		}
	}
	if score, ok := s.Score(); ok {
		out.Score = &score
	}
	return out
}

func findingOf(f *waste.Finding) admin.EfficiencyFinding {
	out := admin.EfficiencyFinding{Class: f.Class.String(), Lever: f.Lever.String(), Wasted: int64(f.Amount), Records: f.Records, Requests: []admin.EfficiencyEvidence{}}
	if f.Saving {
		saves := int64(f.Saves)
		out.Saving = &saves
	}
	for i := range f.Examples {
		x := &f.Examples[i]
		e := evidenceOfPart(&x.Part, x.ID, x.Attempt, x.At, x.Cost)
		for d, v := range x.Dims {
			if v != "" {
				if e.Dimensions == nil {
					e.Dimensions = map[string]string{}
				}
				e.Dimensions[ledger.Dim(d).String()] = v
			}
		}
		out.Requests = append(out.Requests, e)
	}
	return out
}

func evidenceOfPart(p *waste.Part, id string, attempt int, at ledger.Instant, cost ledger.Amount) admin.EfficiencyEvidence {
	return admin.EfficiencyEvidence{
		ID: id, Attempt: attempt, At: timeText(at), Class: p.Class.String(), Lever: p.Lever.String(),
		Wasted: int64(p.Amount), Cost: int64(cost), Repeats: p.Of, Why: p.Why,
	}
}

var standings = [...]string{waste.Unjudged: "unjudged", waste.Confirmed: "confirmed", waste.Fruitless: "fruitless"}

func verdictOf(r *record.Record, v *waste.Verdict) admin.EfficiencyVerdict {
	out := admin.EfficiencyVerdict{ID: r.ID, Attempt: r.Attempt, Cost: int64(v.Cost), Justified: int64(v.Justified), Standing: standings[v.Standing]}
	for i := range v.Parts {
		out.Parts = append(out.Parts, evidenceOfPart(&v.Parts[i], r.ID, r.Attempt, r.At, v.Cost))
	}
	return out
}

// efficiencyPrices finds the rates that records were priced by.
type efficiencyPrices struct {
	prices    *price.Catalogue
	upstreams []*proxy.Upstream
}

func pricesOf(n *Node) efficiencyPrices { return efficiencyPrices{n.prices, n.upstreams} }

// Terms implements waste.Prices. Where the catalogue has other rates by now, or the rate is
// of a region that the record does not name, there are none.
func (p efficiencyPrices) Terms(r *record.Record) (t waste.Terms) {
	i := slices.IndexFunc(p.upstreams, func(u *proxy.Upstream) bool { return u.Name == r.Upstream })
	if i < 0 {
		return t
	}
	u := p.upstreams[i]
	for _, name := range [...]string{r.Served, r.Dims.Values[ledger.DimModel], r.Model} {
		rate, ok := p.prices.FindIn(u.Provider, u.Region, name, r.At)
		if !ok || name == "" || rate.ID != r.RateID {
			continue
		}
		if t.Tier, ok = price.ParseTier(r.Tier); !ok {
			t.Tier = price.Auto
		}
		t.Rate, t.Shortest = rate, shortestCached(u.Provider, rate.Model)
		return t
	}
	return t
}

// shortestOpenAI is the shortest prompt that OpenAI keeps, in tokens (its documentation,
// prompt caching).
const shortestOpenAI = 1024

func shortestCached(provider, model string) int64 {
	if provider == "openai" {
		return shortestOpenAI
	}
	return promptcache.Shortest(model)
}
