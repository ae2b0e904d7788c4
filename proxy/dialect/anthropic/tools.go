package anthropic

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// tools reads the definitions of tools.
func (d *decoder) tools() error {
	if d.cur.TakeNull() {
		return nil
	}
	d.list = "tools"
	return d.elements("tools", func() error {
		d.message = d.call.Tools
		if d.call.Tools++; d.call.Tools > MaxTools {
			return tooMany("tools", MaxTools)
		}
		return d.tool()
	})
}

// tool is what the gateway reads of one definition.
type tool struct {
	kind    string
	uses    int64 // max_uses, 0 for none
	callers bool  // allowed_callers was given
	direct  bool  // and names only the model itself
}

func (d *decoder) tool() error {
	if err := d.expect(jsonscan.Object, "tools", "an array of objects"); err != nil {
		return err
	}
	start, before := d.cur.Pos, d.cur.Members
	var t tool
	var seen fields
	err := d.members("", func(_ jsonscan.Str, name []byte) error {
		d.cur.Members++
		f := -1
		for i, known := range toolFields {
			if string(name) == known {
				f = i
			}
		}
		if f < 0 {
			return d.other(name, toolFields[:]...)
		}
		if err := d.once(&seen, f, toolParams[f]); err != nil {
			return err
		}
		return d.toolMember(toolParams[f], &t)
	})
	if err != nil {
		return err
	}
	d.call.AddSpan(dialect.Span{Start: start, End: d.cur.Pos}, d.cur.Members-before)
	if d.call.Endpoint == dialect.CountTokens {
		return nil
	}
	return d.checkTool(&t)
}

var (
	toolFields = [...]string{"type", "max_uses", "cache_control", "allowed_callers"}
	toolParams = [...]string{".type", ".max_uses", ".cache_control", ".allowed_callers"}
)

func (d *decoder) toolMember(param string, t *tool) (err error) {
	switch param {
	case ".type":
		t.kind, err = d.word(param, maxWord)
	case ".max_uses":
		if !d.cur.TakeNull() {
			t.uses, err = d.count(param, 1, MaxUses)
		}
	case ".cache_control":
		err = d.cacheControl()
	case ".allowed_callers":
		if d.cur.TakeNull() {
			return nil
		}
		t.callers = true
		others := false
		err = d.elements(param, func() error {
			caller, err := d.word(param, maxWord)
			t.direct = true
			others = others || caller != "direct"
			return err
		})
		t.direct = t.direct && !others
	}
	return err
}

// checkTool bounds what a tool may cost, or refuses it.
func (d *decoder) checkTool(t *tool) error {
	c := d.call
	switch familyOf(t.kind) {
	case "", "custom":
	case "bash", "text_editor", "memory", "computer":
		c.Added += addedByClient
	case "browser_toolset", "computer_toolset":
		c.Added += addedByToolset
	case "web_search":
		return d.serverTool(t, price.WebSearch, "web_search_20250305")
	case "web_fetch":
		return d.serverTool(t, price.WebFetch, "web_fetch_20250910")
	default:
		return unbounded(d.at(".type"), "tools that the client runs are, and web_search and web_fetch with max_uses; the cost of others cannot be bounded beforehand")
	}
	return nil
}

// serverTool takes a tool that the provider runs. Its later versions are called
// from code too, in runs that nothing limits, unless the request says otherwise.
func (d *decoder) serverTool(t *tool, m price.Meter, plain string) error {
	switch {
	case t.uses == 0:
		return unbounded(d.at(".max_uses"), "a tool that the provider runs needs it, or its cost cannot be bounded beforehand")
	case t.callers && !t.direct, !t.callers && t.kind != plain:
		return unbounded(d.at(".allowed_callers"), `it must be ["direct"], since nothing limits calls from code`)
	}
	c := d.call
	if c.MaxCalls += t.uses; c.MaxCalls > MaxUses {
		return dialect.NewError(dialect.CodeLimit, d.at(".max_uses"), "tools: all of them together may be used %d times.", MaxUses)
	}
	c.Paid = append(c.Paid, dialect.PaidTool{Meter: m, Param: d.at(".type")})
	c.Meters |= price.Meters(m)
	c.Added += addedByServer
	d.call.Hide(d.at(""))
	return nil
}

// familyOf is a tool's type without its date: "web_search" of "web_search_20250305".
func familyOf(kind string) string {
	i := strings.LastIndexByte(kind, '_')
	if i < 0 || len(kind)-i-1 != len("20250305") || strings.Trim(kind[i+1:], "0123456789") != "" {
		return kind
	}
	return kind[:i]
}
