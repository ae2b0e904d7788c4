package focus

import (
	"encoding/hex"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// usageFields are the columns of the usage table: a row for each record. Amounts are in
// dollars, times in nanoseconds as counts.
var usageFields = []field[record.Record]{
	{Column{Name: "admit_ns", Type: Count}, func(r *record.Record) Cell { return count(r.Admit) }},
	maybe("agent", usageDim(ledger.DimAgent)),
	{Column{Name: "attempt", Type: Count}, func(r *record.Record) Cell { return count(int64(r.Attempt)) }},
	{Column{Name: "audio_in_tokens", Type: Count}, used(price.AudioIn)},
	{Column{Name: "audio_out_tokens", Type: Count}, used(price.AudioOut)},
	{Column{Name: "avoided_cost", Type: Number, Scale: nanoScale}, func(r *record.Record) Cell { return dollars(savedBy(r)) }},
	{Column{Name: "baseline_cost", Type: Number, Scale: nanoScale}, func(r *record.Record) Cell { return dollars(int64(r.Baseline)) }},
	maybe("basis", func(r *record.Record) Cell { return when(r.Basis != 0, text(r.Basis.String())) }),
	{Column{Name: "cache"}, func(r *record.Record) Cell { return text(r.Cache.String()) }},
	{Column{Name: "cache_read_tokens", Type: Count}, used(price.CacheRead)},
	{Column{Name: "cache_write_tokens", Type: Count}, used(price.CacheWrite5m, price.CacheWrite30m, price.CacheWrite1h, price.CacheWrite12h, price.CacheWriteOther)},
	maybe("code", func(r *record.Record) Cell { return text(r.Code) }),
	{Column{Name: "code_exec_calls", Type: Count}, used(price.CodeExec)},
	maybe("corrects", func(r *record.Record) Cell { return text(r.Corrects) }),
	{Column{Name: "cost", Type: Number, Scale: nanoScale}, func(r *record.Record) Cell { return dollars(int64(r.Cost)) }},
	{Column{Name: "customer"}, usageOwner(ledger.DimCustomer)},
	maybe("dialect", func(r *record.Record) Cell { return text(r.Dialect) }),
	maybe("endpoint", func(r *record.Record) Cell { return text(r.Endpoint) }),
	maybe("env", usageDim(ledger.DimEnv)),
	{Column{Name: "feature"}, usageOwner(ledger.DimFeature)},
	{Column{Name: "file_search_calls", Type: Count}, used(price.FileSearch)},
	{Column{Name: "first_byte_ns", Type: Count}, func(r *record.Record) Cell { return count(r.FirstByte) }},
	{Column{Name: "image_in_tokens", Type: Count}, used(price.ImageIn)},
	{Column{Name: "image_out_tokens", Type: Count}, used(price.ImageOut)},
	{Column{Name: "input_tokens", Type: Count}, used(price.InputText)},
	maybe("key", usageDim(ledger.DimKey)),
	{Column{Name: "kind"}, func(r *record.Record) Cell { return text(r.Kind.String()) }},
	{Column{Name: "known_at", Type: Time}, func(r *record.Record) Cell { return instant(r.At) }},
	{Column{Name: "list_cost", Type: Number, Scale: nanoScale}, func(r *record.Record) Cell { return dollars(int64(r.List)) }},
	{Column{Name: "member"}, usageOwner(ledger.DimMember)},
	maybe("model", func(r *record.Record) Cell { return text(orElse(r.Dims.Values[ledger.DimModel], r.Model)) }),
	maybe("model_served", func(r *record.Record) Cell { return text(r.Served) }),
	maybe("note", func(r *record.Record) Cell { return text(r.Note) }),
	{Column{Name: "org"}, usageOwner(ledger.DimOrg)},
	maybe("outcome", func(r *record.Record) Cell { return when(r.Outcome != 0, text(r.Outcome.String())) }),
	{Column{Name: "output_tokens", Type: Count}, used(price.OutputText)},
	maybe("parent", func(r *record.Record) Cell { return text(r.Parent) }),
	{Column{Name: "period", Type: Time}, func(r *record.Record) Cell { return instant(periodOf(r)) }},
	{Column{Name: "priced_cost", Type: Number, Scale: nanoScale}, func(r *record.Record) Cell { return dollars(int64(r.Priced)) }},
	{Column{Name: "project"}, usageOwner(ledger.DimProject)},
	maybe("prompt", usageDim(ledger.DimPrompt)),
	{Column{Name: "prompt_version", Type: Count}, func(r *record.Record) Cell { return count(r.PromptVersion) }},
	maybe("provider", usageDim(ledger.DimProvider)),
	maybe("rate", func(r *record.Record) Cell { return text(r.RateID) }),
	{Column{Name: "reasoning_tokens", Type: Count}, used(price.OutputReasoning)},
	{Column{Name: "request_id"}, func(r *record.Record) Cell { return text(r.ID) }},
	maybe("route", func(r *record.Record) Cell { return text(r.Route.Name) }),
	maybe("run", usageDim(ledger.DimRun)),
	maybe("session", usageDim(ledger.DimSession)),
	{Column{Name: "status", Type: Count}, func(r *record.Record) Cell { return count(int64(r.Status)) }},
	maybe("step", func(r *record.Record) Cell { return text(r.Step) }),
	maybe("tags", func(r *record.Record) Cell { return text(freeTags(r)) }),
	{Column{Name: "team"}, usageOwner(ledger.DimTeam)},
	maybe("tier", func(r *record.Record) Cell { return text(r.Tier) }),
	{Column{Name: "total_ns", Type: Count}, func(r *record.Record) Cell { return count(r.Total) }},
	maybe("trace_id", func(r *record.Record) Cell {
		return when(r.Trace != [16]byte{}, text(hex.EncodeToString(r.Trace[:])))
	}),
	maybe("upstream", func(r *record.Record) Cell { return text(r.Upstream) }),
	{Column{Name: "web_fetch_calls", Type: Count}, used(price.WebFetch)},
	{Column{Name: "web_search_calls", Type: Count}, used(price.WebSearch)},
}

// Usage is the table of records: what tables of charges are made of.
func Usage() *Table[record.Record] {
	return &Table[record.Record]{Name: "usage", fields: usageFields}
}

func maybe(name string, of func(*record.Record) Cell) field[record.Record] {
	return field[record.Record]{Column{Name: name, Nullable: true}, of}
}

func usageDim(d ledger.Dim) func(*record.Record) Cell {
	return func(r *record.Record) Cell { return text(r.Dims.Values[d]) }
}

func usageOwner(d ledger.Dim) func(*record.Record) Cell {
	return func(r *record.Record) Cell { return text(orElse(r.Dims.Values[d], Unallocated)) }
}

func used(meters ...price.Meter) func(*record.Record) Cell {
	return func(r *record.Record) Cell {
		n := int64(0)
		for _, m := range meters {
			n += r.Usage[m]
		}
		return count(n)
	}
}

func savedBy(r *record.Record) (n int64) {
	for _, s := range r.Savings {
		n += int64(s.Amount)
	}
	return n
}

// periodOf is when what a record is about happened.
func periodOf(r *record.Record) ledger.Instant {
	if id, ok := record.ParseID(r.ID); ok {
		return id.At()
	}
	return r.At
}

func freeTags(r *record.Record) string {
	if len(r.Dims.Tags) == 0 {
		return ""
	}
	all := map[string]string{}
	for _, t := range r.Dims.Tags {
		all[t.Name] = t.Value
	}
	return objectText(all)
}
