package converse

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// Tokens that the models' templates add to the prompt, at most: for the use of any
// tool, and for a form of the answer. Those of Claude are the largest known.
const (
	addedByTools  = 1_024
	addedByFormat = 1_024
)

// bodyFields are the members of a body.
var bodyFields = fields{
	"messages":                     (*decoder).messages,
	"system":                       (*decoder).system,
	"inferenceConfig":              (*decoder).inference,
	"toolConfig":                   (*decoder).toolConfig,
	"outputConfig":                 (*decoder).output,
	"additionalModelRequestFields": func(d *decoder) error { return d.object(modelFields) },
	"serviceTier":                  func(d *decoder) error { return d.object(tierFields) },
}

func (d *decoder) request() error {
	c := d.call
	if c.Model == "" || len(c.Model) > MaxModel {
		return dialect.NewError(dialect.CodeInvalidValue, "model", "The model's name has to have 1 to %d bytes.", MaxModel)
	}
	c.ServiceTier = "default"
	c.Meters = price.Meters(price.InputText, price.CacheRead, price.OutputText)
	if !strings.Contains(c.Model, "claude") { // others cache by themselves, for a time that is not stated
		c.Meters |= price.Text
	}
	if err := d.expect(jsonscan.Object, "an object"); err != nil {
		return err
	}
	if err := d.object(bodyFields); err != nil {
		return err
	}
	c.Sites.Close = d.cur.Pos - 1
	if err := d.cur.End(); err != nil {
		return err
	}
	if c.Messages == 0 {
		return dialect.NewError(dialect.CodeMissingField, "messages", "messages: there has to be one.")
	}
	if c.Tools > 0 {
		c.Added += addedByTools
	}
	return nil
}

// inferenceFields are the parameters of the answer.
var inferenceFields = fields{
	"maxTokens": (*decoder).maxTokens, "temperature": (*decoder).passed, "topP": (*decoder).passed, "stopSequences": (*decoder).passed,
}

func (d *decoder) inference() error {
	d.cur.Kind() // goes past white space
	start := d.cur.Pos
	err := d.object(inferenceFields)
	d.call.Sites.CapParent = dialect.Span{Start: start, End: d.cur.Pos}
	return err
}

func (d *decoder) maxTokens() error {
	if err := d.expect(jsonscan.Number, "an integer"); err != nil {
		return err
	}
	start := d.cur.Pos
	n, whole, err := d.cur.Int()
	switch {
	case err != nil:
		return err
	case !whole || n < 1 || n > MaxCap:
		return d.fail(dialect.CodeInvalidValue, "it has to be an integer from 1 to %d", MaxCap)
	}
	d.call.MaxOutput = n
	d.call.Sites.CapValue = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

// modelFields are those of a model's own parameters that are known to bear on
// neither the cap nor the price.
var modelFields = fields{"thinking": (*decoder).passed, "top_k": (*decoder).passed}

var tierFields = fields{"type": func(d *decoder) error {
	tier, err := d.word()
	switch {
	case err != nil:
		return err
	case tier != "default" && tier != "priority" && tier != "flex":
		return d.fail(dialect.CodeInvalidValue, "supported values are 'default', 'priority' and 'flex'")
	}
	d.call.ServiceTier = tier
	return nil
}}

var outputFields = fields{
	"effort": (*decoder).passed,
	"textFormat": func(d *decoder) error {
		d.call.Added += addedByFormat
		return d.raw()
	},
}

func (d *decoder) output() error { return d.object(outputFields) }

var toolConfigFields = fields{
	"tools":      func(d *decoder) error { return d.array(d.tool) },
	"toolChoice": (*decoder).raw,
}

func (d *decoder) toolConfig() error { return d.object(toolConfigFields) }

// toolFields are what may be in a list of tools: those that the client runs.
var toolFields = fields{
	"toolSpec": func(d *decoder) error {
		if d.call.Tools++; d.call.Tools > MaxTools {
			return d.fail(dialect.CodeLimit, "there are too many tools, the limit is %d", MaxTools)
		}
		return d.raw()
	},
	"cachePoint": (*decoder).cachePoint,
}

func (d *decoder) tool() error { return d.object(toolFields) }

var cacheFields = fields{
	"type": (*decoder).passed,
	"ttl": func(d *decoder) error {
		ttl, err := d.word()
		switch {
		case err != nil:
			return err
		case ttl == "1h":
			d.call.Meters |= price.Meters(price.CacheWrite1h)
		case ttl != "5m":
			return d.fail(dialect.CodeInvalidValue, "supported values are '5m' and '1h'")
		}
		return nil
	},
}

// cachePoint reads where the prompt up to it may be cached, which may be billed.
func (d *decoder) cachePoint() error {
	d.call.Meters |= price.Meters(price.CacheWrite5m)
	return d.object(cacheFields)
}
