package proxy

import (
	"bytes"
	"cmp"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/template"
)

// templated is the template that a request was rendered from.
type templated struct {
	template.Use
	stable int // bytes of text of its prompt that do not change with the request
}

// headerTemplate names a template, of requests; of answers, the version that was used.
const headerTemplate = headerPrefix + "template"

// forms are the dialects that templates are rendered in, by format.
var forms = [wires]template.Form{
	OpenAI: template.Chat, OpenAIResponses: template.Responses, Anthropic: template.Messages, Gemini: template.Contents,
}

// render puts the template that the request names into its body, before anything reads
// it: what follows sees a request as any other.
func (x *exchange) render() *dialect.Error {
	x.veil.body = x.req.Body
	named, e := x.namedTemplate()
	if e != nil || named.ID == "" {
		return e
	}
	t, use, err := x.rules.Template(named.ID)
	if err != nil {
		return dialect.NewError(dialect.CodeTemplate, template.Member+".id", "%s", err.Error())
	}
	r, err := t.Render(forms[x.endpoint.speaks], x.req.Body, named.Variables)
	if err != nil {
		return dialect.NewError(dialect.CodeInvalidValue, template.Member, "the template %s cannot be rendered: %s", template.VersionID(use.Name, use.Version), err.Error())
	}
	x.veil.body, x.prompt = r.Body, templated{use, r.Stable}
	return nil
}

// namedTemplate is the template that the body or a header names.
func (x *exchange) namedTemplate() (template.Named, *dialect.Error) {
	header := string(x.req.Header.Peek(headerTemplate))
	takes := x.endpoint.kind == dialect.Chat || x.endpoint.kind == dialect.Responses
	if !takes {
		if header != "" {
			return template.Named{}, dialect.NewError(dialect.CodeInvalidValue, "", "%s takes no template: send the header %s with a conversation", x.endpoint.path, headerTemplate)
		}
		return template.Named{}, nil
	}
	var named template.Named
	var err error
	if mayName(x.endpoint.speaks, x.req.Body) {
		named, err = template.Find(forms[x.endpoint.speaks], x.req.Body)
	}
	if err != nil {
		return named, dialect.NewError(dialect.CodeInvalidValue, template.Member, "%s", err.Error())
	}
	if header != "" && named.ID != "" && header != named.ID {
		return named, dialect.NewError(dialect.CodeInvalidValue, template.Member+".id", "the body and the header %s name two templates", headerTemplate)
	}
	named.ID = cmp.Or(named.ID, header)
	return named, nil
}

// mayName says whether a body may name a template, at memory speed: few do.
func mayName(w Wire, body []byte) bool {
	return hasMember(body) || w == OpenAIResponses && bytes.Contains(body, memberOfResponses)
}

// hasMember is bytes.Contains of memberOfBody, which goes from underline to underline:
// the quotes that it begins with stand everywhere in a body, and each would be looked at.
func hasMember(body []byte) bool {
	for from := rareAt; from < len(body); from++ {
		n := bytes.IndexByte(body[from:], memberOfBody[rareAt])
		if n < 0 {
			return false
		}
		if from += n; bytes.HasPrefix(body[from-rareAt:], memberOfBody) {
			return true
		}
	}
	return false
}

var rareAt = bytes.IndexByte(memberOfBody, '_')

var memberOfBody, memberOfResponses = []byte(`"` + template.Member + `"`), []byte(`"` + template.Native + `"`)

// attributeTemplate names the template in the dimension "prompt".
func (x *exchange) attributeTemplate() *dialect.Error {
	p := &x.prompt
	if p.Name == "" {
		return nil
	}
	d := &x.rec.Dims
	if was := d.Values[ledger.DimPrompt]; was != "" && was != p.Name {
		return dialect.NewError(dialect.CodeInvalidDim, "", "the request is of the prompt %q, and names the template %q", was, p.Name)
	}
	d.Values[ledger.DimPrompt] = p.Name
	x.rec.PromptVersion = p.Version
	return nil
}

// mayUseTemplate says whether the request may use the template that it names, once all
// its dimensions are known, and what follows from them.
func (x *exchange) mayUseTemplate() *dialect.Error {
	p := &x.prompt
	if p.Name != "" && p.Prompt != nil && !p.Prompt.Covers(&x.rec.Dims) {
		return dialect.NewError(dialect.CodeTemplate, template.Member+".id", "this request may not use the template %q", p.Name)
	}
	return nil
}

// shareTemplate gives the template its part of what the provider's cache saved: that of
// the tokens read which the template put at the beginning. The provider counts tokens
// and the template bytes, so the part is as large as that of its bytes in the prompt.
func (x *exchange) shareTemplate(read, input int64, saved ledger.Amount) ledger.Amount {
	if x.prompt.stable == 0 || read <= 0 || saved <= 0 || x.call.TextBytes+x.call.ToolBytes <= 0 {
		return 0
	}
	whole := x.call.TextBytes + x.call.ToolBytes
	stable := min(int64(x.prompt.stable), whole)
	tokens := min(input/whole*stable+input%whole*stable/whole, read)
	return saved/ledger.Amount(read)*ledger.Amount(tokens) + saved%ledger.Amount(read)*ledger.Amount(tokens)/ledger.Amount(read)
}

// bookNative books what the provider's cache saved, and the template's part of it.
func (x *exchange) bookNative(read, input int64, saved ledger.Amount) {
	part := x.shareTemplate(read, input, saved)
	for _, s := range [...]record.Saving{{Lever: record.LeverTemplate, Amount: part}, {Lever: record.LeverNativeCache, Amount: saved - part}} {
		if s.Amount != 0 {
			x.rec.Savings = append(x.rec.Savings, s)
		}
	}
}
