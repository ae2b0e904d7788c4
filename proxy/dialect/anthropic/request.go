package anthropic

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// The fields of a request that the gateway reads.
const (
	fUnknown = iota
	fModel
	fMessages
	fMaxTokens
	fSystem
	fStream
	fTools
	fToolChoice
	fMetadata
	fServiceTier
	fSpeed
	fGeo
	fCacheControl
	fContextManagement
	fCompaction
	fThread
	fFormat
	fRefused
	fHarmless
)

// guarded are the fields of which no other spelling is let through.
var guarded = []string{
	"model", "messages", "max_tokens", "system", "stream", "tools", "service_tier", "speed", "inference_geo",
	"cache_control", "context_management", "compaction", "thread", "container", "mcp_servers", "fallbacks", "output_config", "output_format",
}

func requestField(name []byte) int {
	switch string(name) {
	case "model":
		return fModel
	case "messages":
		return fMessages
	case "max_tokens":
		return fMaxTokens
	case "system":
		return fSystem
	case "stream":
		return fStream
	case "tools":
		return fTools
	case "tool_choice":
		return fToolChoice
	case "metadata":
		return fMetadata
	case "service_tier":
		return fServiceTier
	case "speed":
		return fSpeed
	case "inference_geo":
		return fGeo
	case "cache_control":
		return fCacheControl
	case "context_management":
		return fContextManagement
	case "compaction":
		return fCompaction
	case "thread":
		return fThread
	case "output_config", "output_format":
		return fFormat
	case "container", "mcp_servers", "fallbacks":
		return fRefused
	// Fields that neither add to the prompt nor to the answer. A thinking budget is
	// a part of max_tokens.
	case "temperature", "top_p", "top_k", "stop_sequences", "thinking", "diagnostics",
		"fallback_credit_token", "billing_policy":
		return fHarmless
	}
	return fUnknown
}

// Tokens that Anthropic adds to the prompt, at most. Its documentation counts up
// to 530 for the use of any tool, 245 to 700 for bash and the text editor, and 499
// and 735 for a computer; toolsets of 2026 have some thirty tools.
const (
	addedByTools   = 1_024
	addedByFormat  = 1_024
	addedByClient  = 2_048
	addedByToolset = 16_384
	addedByServer  = 4_096
)

// longWindow is the context that the beta "context-1m" opens.
const longWindow = 1_000_000

// request reads the body of /v1/messages or of /v1/messages/count_tokens, which
// has the same fields without a cap.
func (d *decoder) request() error {
	c := d.call
	c.Meters = price.Meters(price.InputText, price.CacheRead, price.OutputText, price.OutputReasoning)
	c.CapPerRun = true
	c.Regions = anyRegion
	c.ServiceTier = "standard"
	if strings.Contains(c.Features, "context-1m-") {
		c.Window = longWindow
	}
	var seen fields
	err := d.members("body", func(key jsonscan.Str, name []byte) error {
		f := requestField(name)
		if f == fUnknown {
			if err := lookalike(name, guarded...); err != nil {
				return err
			}
		} else if f < fFormat { // of the others each that is there counts
			if err := d.once(&seen, f, known(name)); err != nil {
				return err
			}
		}
		return d.requestMember(f, key, name)
	})
	if err != nil {
		return err
	}
	c.Sites.Close = d.cur.Pos - 1
	if err := d.cur.End(); err != nil {
		return err
	}
	switch {
	case !seen.has(fModel):
		return missing("model")
	case !seen.has(fMessages):
		return missing("messages")
	case !seen.has(fMaxTokens) && c.Endpoint == dialect.Chat:
		return missing("max_tokens")
	}
	if c.Tools > 0 {
		c.Added += addedByTools
	}
	return nil
}

// requestMember reads the value of one field.
func (d *decoder) requestMember(f int, key jsonscan.Str, name []byte) (err error) {
	c := d.call
	d.list, d.message, d.block = "", -1, -1
	switch f {
	case fModel:
		return d.model()
	case fMessages:
		return d.messages()
	case fMaxTokens:
		return d.maxTokens(key)
	case fSystem:
		d.list = "system"
		return d.content("")
	case fStream:
		if !d.cur.TakeNull() {
			if err = d.expect(jsonscan.Bool, "stream", "a boolean"); err == nil {
				c.Stream, err = d.cur.Bool()
			}
		}
		return err
	case fTools:
		return d.tools()
	case fToolChoice:
		return d.call.AddRaw(&d.cur)
	case fFormat:
		if !d.cur.TakeNull() {
			c.Added += addedByFormat
			return d.call.AddRaw(&d.cur)
		}
	case fMetadata:
		return d.metadata()
	case fServiceTier:
		return d.serviceTier()
	case fSpeed:
		return d.speed()
	case fGeo:
		return d.geo()
	case fCacheControl:
		return d.cacheControl()
	case fContextManagement:
		return d.contextManagement()
	case fCompaction:
		if !d.cur.TakeNull() {
			c.Compacts = true
			return d.call.AddRaw(&d.cur)
		}
	case fThread:
		if !d.cur.TakeNull() {
			c.Store = true
			d.call.Hide("thread")
			return d.cur.Skip()
		}
	case fRefused:
		return d.refused(string(name))
	case fHarmless:
		if string(name) == "thinking" && d.cur.Kind() != jsonscan.Null {
			d.call.Conceals = true // it is shown in a summary, if at all
		}
		return d.cur.Skip()
	default:
		// An extension of some provider: it may end up in the prompt.
		return d.call.AddRaw(&d.cur)
	}
	return nil
}

// refused refuses a field that is neither null nor an empty list.
func (d *decoder) refused(name string) error {
	if d.cur.TakeNull() {
		return nil
	}
	if d.cur.Kind() == jsonscan.Array {
		return d.elements(name, func() error { return d.noBound(name) })
	}
	return d.noBound(name)
}

func (d *decoder) noBound(name string) error {
	if d.call.Endpoint == dialect.CountTokens {
		return d.cur.Skip()
	}
	return unbounded(name, "its cost cannot be bounded beforehand; leave it out")
}

// model reads the model's name and where it is.
func (d *decoder) model() error {
	if err := d.expect(jsonscan.String, "model", "a string"); err != nil {
		return err
	}
	start := d.cur.Pos
	name, err := d.word("model", MaxModel)
	if err != nil {
		return err
	}
	if name == "" {
		return invalid("model", "it is empty")
	}
	d.call.Model = name
	d.call.Sites.Model = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

// maxTokens reads the cap. 0 asks for nothing but a warm prompt cache.
func (d *decoder) maxTokens(key jsonscan.Str) error {
	c := d.call
	d.cur.Kind()
	start := d.cur.Pos
	n, err := d.count("max_tokens", 0, MaxCap)
	if err != nil {
		return err
	}
	c.MaxOutput, c.NoOutput = n, n == 0
	c.Sites.CapKey = dialect.Span{Start: key.Start - 1, End: key.End + 1}
	c.Sites.CapValue = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

func (d *decoder) metadata() error {
	if d.cur.TakeNull() {
		return nil
	}
	var seen fields
	return d.members("metadata", func(_ jsonscan.Str, name []byte) (err error) {
		if string(name) != "user_id" {
			return d.cur.Skip()
		}
		if err := d.once(&seen, 0, "metadata.user_id"); err != nil {
			return err
		}
		d.call.User, err = d.word("metadata.user_id", MaxUser)
		return err
	})
}

// serviceTier checks the tier. With 'auto' the provider may use capacity that was
// paid beforehand, which is never dearer than the standard price.
func (d *decoder) serviceTier() error {
	tier, err := d.word("service_tier", maxWord)
	if err == nil && tier != "" && tier != "auto" && tier != "standard_only" {
		return invalid("service_tier", "supported values are 'auto' and 'standard_only'")
	}
	return err
}

// speed reads the speed. A fast answer has a price of its own, which the
// catalogue lists as the tier "priority".
func (d *decoder) speed() error {
	speed, err := d.word("speed", maxWord)
	switch {
	case err != nil:
		return err
	case speed == "fast":
		d.call.ServiceTier = "fast"
	case speed != "" && speed != "standard":
		return invalid("speed", "supported values are 'standard' and 'fast'")
	}
	return nil
}

// The regions whose prices may apply. A call that names none is processed where
// the workspace's settings say.
var (
	anyRegion    = []string{"", regionUS}
	globalRegion = []string{""}
	usRegion     = []string{regionUS}
)

const regionUS = "us"

func (d *decoder) geo() error {
	geo, err := d.word("inference_geo", maxWord)
	if err != nil {
		return err
	}
	switch geo {
	case "":
	case "global":
		d.call.Regions = globalRegion
	case regionUS:
		d.call.Regions = usRegion
	default:
		return invalid("inference_geo", "the prices of 'global' and 'us' are known here, others are not")
	}
	return nil
}

// contextManagement reads the edits: those that clear make a prompt shorter, one
// that compacts is a run of the model of its own.
func (d *decoder) contextManagement() error {
	if d.cur.TakeNull() {
		return nil
	}
	d.cur.Kind()
	start, before := d.cur.Pos, d.cur.Members
	err := d.members("context_management", func(_ jsonscan.Str, name []byte) error {
		if string(name) != "edits" {
			return d.other(name, "edits")
		}
		if d.cur.TakeNull() {
			return nil
		}
		return d.elements("context_management.edits", d.edit)
	})
	if err != nil {
		return err
	}
	d.call.AddSpan(dialect.Span{Start: start, End: d.cur.Pos}, d.cur.Members-before)
	return nil
}

func (d *decoder) edit() error {
	const param = "context_management.edits.type"
	var kind string
	var seen fields
	err := d.members("context_management.edits", func(_ jsonscan.Str, name []byte) (err error) {
		if string(name) != "type" {
			return d.other(name, "type")
		}
		if err := d.once(&seen, 0, param); err != nil {
			return err
		}
		kind, err = d.word(param, maxWord)
		return err
	})
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(kind, "clear_"):
		return nil
	case strings.HasPrefix(kind, "compact_"):
		d.call.Compacts = true
		return nil
	}
	return unbounded(param, "edits that clear or compact are known, others are not")
}
