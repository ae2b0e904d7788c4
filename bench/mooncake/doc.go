// Command mooncake replays a trace of conversations through gateways and the simulated
// provider, and shows what the provider's prompt cache serves of it with coordination
// and without:
//
//	go run ./bench/mooncake -trace mooncake-conversation.jsonl.gz
//
// The trace is Mooncake's (github.com/kvcache-ai/Mooncake, Apache-2.0): for each request
// when it came, how long its prompt and its answer were, and the hashes of the prompt's
// blocks of 512 tokens, which are the same for the same beginning. It has no texts: each
// block gets one that follows from its hash.
//
// Where messages end is not in the trace and is put together again ([convert]): a prompt
// that begins with all the whole blocks of an earlier one goes on with that
// conversation, so it has its messages, an answer of the length that the trace gives,
// and a message more. A prompt that shares less parts within a message.
//
// Three gateways take the requests in turn, and each upstream has a pool of four
// credentials, of as many organisations. Time is the trace's: the gateways and the
// provider are told what it is, nothing waits, and requests go one after another. What
// a call has written to a cache can be read two seconds later, as if it took that long
// to read the prompt.
//
// The bill is the provider's. It measures no speed.
package main
