// Package googletoken keeps an access token of Google's at hand: it is an
// [upstream.Authorizer] for upstreams that want OAuth, such as Vertex AI.
//
// A [Source] runs one goroutine, which gets a token at the start and another
// while the present one is still good for some minutes; Close waits for it. So no
// request waits for Google's token endpoint. While there is no valid token,
// Authorize gives an error, and nothing is sent.
//
// Where tokens come from is a [Fetch]: [File] exchanges what is in a credentials
// file with Google's own library, [Default] looks for such a file where Google's
// tools do and else asks the metadata server of the machine.
//
// A failed fetch is tried again with waits that double, and logged without what
// the endpoint said, which may quote a credential.
//
// Tested with a clock of the test's, against token endpoints that misbehave.
package googletoken
