// Package promptcache decides how a prompt is sent so that the provider's own prompt
// cache serves as much of it as pays: where breakpoints go and how long they last,
// which key the call is grouped under, and which credential it belongs to.
//
// A prompt is read from the body that goes upstream, into blocks in the order in which
// the provider's cache compares them: tools, system, messages ([Prompt]). Each block
// has a rolling hash of everything up to its end, which begins with the tenant: what
// one tenant asks again says nothing of another, and no key is shared between them.
// Marks that clients place have no part in the hashes, because clients move them.
//
// A [Learner] remembers, by those hashes, what came again and after how long, and how
// conversations of an application go on: of those with so many turns, how many have
// one more. It sees requests and no answers, so it learns the same whether marks are
// placed or not. It is a node's own. In a cluster each node sees a part of the
// requests; that a conversation goes on is seen in the requests of any node, since each
// carries its earlier turns, and the time between two turns in those that happen to
// meet the same node.
//
// A [Plan] is the choice of at most [MaxMarks] breakpoints whose expected saving is
// largest, and none where no choice is expected to save anything:
//
//	saving = sum over segments of tokens × ( read·(1-r) - (1-read)·(w-1) + later·(1-r) )
//
// where read is the chance that the provider still has the segment, r the price of
// reading and w that of writing it, both of an uncached token's, and later is how often
// it is expected to be read again within its lifetime. Amounts here are expectations:
// they decide, and nothing is booked by them.
//
// The limits are those of Anthropic's documentation (platform.claude.com, prompt
// caching): 4 breakpoints, a look back of 20 blocks from each, lifetimes of 5 minutes
// and an hour of which the longer stand first, a shortest prompt by model. Bedrock has
// the same for Claude. OpenAI routes by the first tokens of a prompt and its
// prompt_cache_key, and takes some 15 requests a minute of one pair on one machine
// (developers.openai.com, prompt caching).
//
// Placing marks changes nothing else: without them the body is what it was, byte for
// byte. A body with a mark of the client's gets none.
//
// No I/O and no clock: time is an argument. A Learner may be used by many at once; a
// Prompt belongs to one. Nothing here fails: a body that cannot be read is a prompt
// without blocks.
package promptcache
