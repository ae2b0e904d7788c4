package proxy

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// accountIDs are the names under which a provider knows the operator: OpenAI's
// error texts quote its organisation ("... in organization org-...") and project,
// and sometimes parts of a key; Google's quote a project's number. Keys of other
// providers are known by how they begin.
var accountIDs = regexp.MustCompile(`\b(org|proj|sk|sess|gsk|xai|fw|hf|r8|pplx)[-_][A-Za-z0-9_*.-]{6,}[A-Za-z0-9*]|\b(projects/)[a-z0-9-]{6,}|\b(project_number:|project )[0-9]{6,}|\b(AIza|AKIA|ya29)[A-Za-z0-9._-]{6,}|\b([Bb]earer )[A-Za-z0-9._~+/*-]{8,}|\b(org: )[0-9a-f]{8}-[0-9a-f-]{27}`)

// withoutAccount gives an upstream's error text without the operator's own
// identifiers, which are none of the client's business.
func withoutAccount(body []byte) []byte {
	return accountIDs.ReplaceAll(body, []byte("${1}${2}${3}${4}${5}${6}-withheld"))
}

// withheld gives an upstream's error without the operator's key, whatever its
// form, and without what names the operator's account.
func (x *exchange) withheld(body []byte) []byte {
	return withoutAccount(x.withholdKey(body))
}

// withholdKey gives what an upstream said without the key it was asked with.
func (x *exchange) withholdKey(b []byte) []byte {
	return x.route_.up.Client.Withhold(b, x.attempt.key.secret)
}

// messagePaths are where servers put the text of an error, in the order in which
// they are looked at.
var messagePaths = []string{"error.message", "error", "message", "detail", "detail.0.msg", "errors.0.message", "error_description"}

// maxUpstreamText bounds what is passed on of an error's text in another form.
const maxUpstreamText = 2_048

// errorText finds what an upstream says in the body of an error, and whether the
// clients of format w look for it there: only such a body is one of that format.
func errorText(w Wire, body []byte) (text string, native bool) {
	if !gjson.ValidBytes(body) {
		return "", false
	}
	doc := gjson.ParseBytes(body)
	native = doc.Get("error").IsObject() && doc.Get("error.message").Type == gjson.String
	if w == Anthropic {
		native = native && doc.Get("type").Str == "error" && doc.Get("error.type").Type == gjson.String
	}
	for _, path := range messagePaths {
		if v := doc.Get(path); v.Type == gjson.String && v.Str != "" {
			return strings.ToValidUTF8(v.Str[:min(len(v.Str), maxUpstreamText)], ""), native
		}
	}
	return "", native
}
