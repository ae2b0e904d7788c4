package proxy

import "regexp"

// accountIDs are the names under which a provider knows the operator: OpenAI's
// error texts quote its organisation ("... in organization org-...") and project,
// and sometimes parts of a key; Google's quote a project's number.
var accountIDs = regexp.MustCompile(`\b(org|proj|sk|sess)[-_][A-Za-z0-9_*-]{6,}|\b(projects/)[a-z0-9-]{6,}|\b(project_number:|project )[0-9]{6,}|\b(AIza)[A-Za-z0-9_-]{6,}`)

// withoutAccount gives an upstream's error text without the operator's own
// identifiers, which are none of the client's business.
func withoutAccount(body []byte) []byte {
	return accountIDs.ReplaceAll(body, []byte("${1}${2}${3}${4}-withheld"))
}
