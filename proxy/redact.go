package proxy

import "regexp"

// accountIDs are the names under which a provider knows the operator: OpenAI's
// error texts quote its organisation ("... in organization org-...") and project,
// and sometimes parts of a key.
var accountIDs = regexp.MustCompile(`\b(org|proj|sk|sess)[-_][A-Za-z0-9_*-]{6,}`)

// withoutAccount gives an upstream's error text without the operator's own
// identifiers, which are none of the client's business.
func withoutAccount(body []byte) []byte {
	return accountIDs.ReplaceAll(body, []byte("${1}-withheld"))
}
