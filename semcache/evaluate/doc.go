// Package evaluate measures the semantic decision on labelled pairs: how many near
// misses it rejects, how precise hits are at each hit rate, how often it errs in a
// stream of requests, and whether a crafted prompt can take another's place. Beside
// it are baselines: similarity alone, and the decision of vCache, made from its
// paper (arXiv 2502.03771).
//
// It opens no files, and gives figures with the number of observations and their
// 95 % intervals (Clopper-Pearson). What a goal is, docs/semcache.md says.
package evaluate
