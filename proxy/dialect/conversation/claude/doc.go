// Package claude says how Claude models are told how much to think, which the
// dialects they are reached in have in common.
//
// The generations differ: they think by a budget of tokens, by effort, or by
// either, and the model's name says which. What was asked for in the other way is
// written in the one that the model takes. docs/translation-anthropic.md has the
// table.
//
// A budget is a part of the cap on the answer, which has to exceed it.
package claude
