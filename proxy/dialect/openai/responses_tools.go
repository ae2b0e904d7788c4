package openai

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// responseTools reads definitions of tools.
func (d *decoder) responseTools(param string) error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Array, param, "an array of objects"); err != nil {
		return err
	}
	return d.cur.EachElement(func(i int) error {
		if d.call.Tools++; d.call.Tools > MaxTools {
			return tooMany(param, MaxTools)
		}
		return d.responseTool(fmt.Sprintf("%s[%d]", param, i))
	})
}

// The fields of a tool that its cost hangs on: its type, and who runs it.
const (
	tType = iota + 1
	tEnvironment
	tExecution
	tTools
)

var toolFields = []string{"type", "environment", "execution", "tools"}

// responseTool reads one definition. What the tool's type costs is decided by
// toolOf; the whole definition counts as text.
func (d *decoder) responseTool(at string) error {
	if err := d.expect(jsonscan.Object, at, "an object"); err != nil {
		return err
	}
	start, before := d.cur.Pos, d.cur.Members
	var seen fields
	var kind, where string // its type, and who runs it: an environment or an execution
	err := d.cur.EachMember(func(key jsonscan.Str) (err error) {
		d.cur.Members++
		name := d.cur.Name(key)
		f := fieldOf(name, toolFields)
		if f != fUnknown && seen.has(f) {
			return ambiguous(at+"."+string(name), "is given twice")
		}
		seen |= 1 << f
		switch f {
		case tType:
			kind, err = d.short(at+".type", MaxModel)
		case tEnvironment:
			where, err = d.environment(at + ".environment.type")
		case tExecution:
			where, err = d.short(at+".execution", MaxModel)
		case tTools:
			err = d.nestedTools(at + ".tools")
		default:
			err = d.plainMember(name, toolFields...)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case kind == "":
		return missing(at + ".type")
	case seen.has(tEnvironment) && seen.has(tExecution):
		return ambiguous(at, "has both an environment and an execution")
	}
	d.call.AddSpan(dialect.Span{Start: start, End: d.cur.Pos}, d.cur.Members-before)
	return d.toolOf(kind, where, at)
}

// nestedTools reads the tools of a namespace. Their text is that of the tool
// around them.
func (d *decoder) nestedTools(param string) error {
	c := d.call
	texts, bytes, members := len(c.Texts), c.ToolBytes, c.RawMembers
	err := d.responseTools(param)
	c.Texts, c.ToolBytes, c.RawMembers = c.Texts[:texts], bytes, members
	return err
}

// environment gives the type of a shell's environment, "" if it has none.
func (d *decoder) environment(param string) (kind string, err error) {
	if d.cur.Kind() != jsonscan.Object {
		return "", d.cur.Skip()
	}
	found := false
	err = d.cur.EachMember(func(key jsonscan.Str) (err error) {
		switch name := d.cur.Name(key); {
		case string(name) != "type":
			return d.plainMember(name, "type")
		case found:
			return ambiguous(param, "is given twice")
		}
		found = true
		kind, err = d.short(param, MaxModel)
		return err
	})
	return kind, err
}

// toolOf sorts a tool by who runs it. Those the client runs cost tokens alone;
// where the provider describes them to the model in words of its own, the prompt
// is not all in the request. Those the provider runs cost by the call, or
// cannot be bounded.
func (d *decoder) toolOf(kind, where, at string) error {
	switch kind {
	case "function", "custom", "namespace":
		return nil
	case "computer", "computer_use_preview", "local_shell", "apply_patch":
		d.call.Hide(at)
		return nil
	case "shell", "tool_search":
		if where == "local" || where == "client" {
			d.call.Hide(at)
			return nil
		}
	case "web_search", "web_search_2025_08_26":
		return d.paid(price.WebSearch, at)
	case "file_search":
		return d.paid(price.FileSearch, at)
	case "code_interpreter":
		return d.paid(price.CodeExec, at)
	case "web_search_preview", "web_search_preview_2025_03_11":
		return dialect.NewError(dialect.CodeUnsupported, at+".type",
			"The tool '%s' has a price of its own for some models, which is not known here. Use 'web_search'.", kind)
	}
	return dialect.NewError(dialect.CodeUnsupported, at+".type",
		"The tool '%s' is not supported here: the cost of what the provider does for it cannot be bounded beforehand.", kind)
}

// paid notes a tool of the provider's. What it finds becomes part of the prompt.
func (d *decoder) paid(m price.Meter, at string) error {
	d.call.Hide(at)
	d.call.Paid = append(d.call.Paid, dialect.PaidTool{Meter: m, Param: at + ".type"})
	return nil
}
