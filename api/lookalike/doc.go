// Package lookalike answers a part of other admin APIs from this node's own:
// LiteLLM's keys, teams, users, budgets and spend, OpenAI's costs and usage of an
// organisation, Anthropic's spend limits. Scripts and dashboards that were written
// for these go on working.
//
// Every request is translated into requests of the node's admin API, in the same
// process, with the caller's token and address. There is no other way in: who may
// do what, and what is written to the audit log, is decided there.
//
// Sources are the public references of the three APIs; which fields are served, and
// which are refused, is in docs/lookalike.md. A field that would limit something
// and that nothing here enforces is refused by its name.
package lookalike
