// Package lever is the settings of the levers: what is done with a request so that it
// costs less for the same answer. It says which settings a request has, and carries
// none of them out.
//
// An object of the kind "lever" ([Spec]) says for which requests it is, by dimensions
// and by the name that clients ask for, and has a block for each lever that it sets.
// Objects are in the order of their IDs; the first that covers a request and has a
// block gives it whole. A lever that none sets has its default: the exact cache is on,
// prompts are marked for the provider's own cache where that is safe, the semantic
// cache and compression are off.
//
// Each block has a file: what it may say (…Spec, JSON), and what that means, with the
// defaults filled in.
package lever
