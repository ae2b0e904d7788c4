// Package login lets people in whom an OpenID Connect provider vouches for: with
// an ID or access token as a bearer, or with a session of a browser. Who they are
// here, a mapping of package access says.
//
// It keeps no passwords and no sessions: a session is a cookie that is sealed with
// a key that every node of the cluster has, so that any node can open it. It ends
// at its time; that one was ended before it, the caller has to know.
//
// # What is checked
//
// Of a token: its signature by a key of the provider's, with an asymmetric
// algorithm; issuer, audience, authorized party, expiry; that it is no logout
// token. Of a login: state, nonce and PKCE, each drawn for it alone and kept in a
// sealed cookie for [loginTime]; the issuer that the provider names itself (RFC
// 9207). A code is good once: the provider sees to it.
//
// # Failure
//
// An error that is an [access.Refusal] is about the credential. Any other means
// that the provider could not be asked: tokens that are signed with keys known
// before are still verified then.
//
// The provider is asked when it is first needed, so that a node starts without it.
// Its keys are fetched again when a token names one that is not known, at most
// every [keysEvery], whatever is sent to the node.
//
// # Concurrency
//
// A [Provider] may be used by any number of goroutines.
package login
