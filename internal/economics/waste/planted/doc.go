// Package planted makes workloads of which it is known what was wasted, and why: people who
// ask questions and ask them again in other words, agents that run and get stuck, upstreams
// that fail, applications that send too much. It writes what a gateway would have recorded of
// them, and beside each record what of its cost was planted as waste, by class.
//
// It knows the classes by their description in docs/efficiency.md and nothing of how they
// are found: token counts, prices and failures come from what happens in the story, and
// recorded evidence (hashes of bodies, rulings, shapes) from the bodies that are sent.
//
// Every workload has traffic that looks like waste and is none: see the kinds that begin
// with "good".
//
// Workloads follow from their seed alone.
package planted
