package openai

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// tools reads the definitions of tools, or of functions in their older form.
func (d *decoder) tools(param string) error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Array, param, "an array"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if !more || err != nil {
			return err
		}
		if d.call.Tools++; d.call.Tools > MaxTools {
			return tooMany(param, MaxTools)
		}
		if err := d.tool(param == "tools"); err != nil {
			return err
		}
	}
}

// tool reads one definition. Tools of other types than function and custom run
// at the provider and are charged by use.
func (d *decoder) tool(typed bool) error {
	if err := d.expect(jsonscan.Object, "tools", "an array of objects"); err != nil {
		return err
	}
	start, before := d.cur.Pos, d.cur.Members
	if err := d.cur.Open(); err != nil {
		return err
	}
	found := false
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		d.cur.Members++
		name := d.cur.Name(key)
		if !typed || string(name) != "type" {
			if err := d.plainMember(name, "type"); err != nil {
				return err
			}
			continue
		}
		if found {
			return ambiguous(d.toolParam(), "is given twice")
		}
		found = true
		if err := d.toolType(); err != nil {
			return err
		}
	}
	if typed && !found {
		return missing(d.toolParam())
	}
	d.call.AddSpan(dialect.Span{Start: start, End: d.cur.Pos}, d.cur.Members-before)
	return nil
}

func (d *decoder) toolParam() string { return fmt.Sprintf("tools[%d].type", d.call.Tools-1) }

func (d *decoder) toolType() error {
	kind, err := d.string(d.toolParam())
	if err != nil {
		return err
	}
	switch string(d.cur.Name(kind)) {
	case "function", "custom":
		return nil
	}
	return dialect.NewError(dialect.CodeUnsupported, d.toolParam(),
		"Only tools of type 'function' and 'custom' are supported here: the cost of others cannot be bounded beforehand.")
}

// plainMember reads over the value of a member that must not pass for one
// named like those given.
func (d *decoder) plainMember(name []byte, real ...string) error {
	if err := lookalike(name, real...); err != nil {
		return err
	}
	return d.cur.Skip()
}
