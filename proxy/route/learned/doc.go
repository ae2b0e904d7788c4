// Package learned routes by what answers of each model were worth on prompts like the
// one at hand.
//
// It follows Avengers-Pro (Zhang et al., "Beyond GPT-5: Making LLMs Cheaper and Better
// via Performance-Efficiency Optimized Routing", arXiv 2508.12631): prompts of known
// outcomes are embedded and clustered ([Train]); each candidate has a quality in each
// cluster; a prompt's candidates are scored over its nearest clusters by
//
//	α · quality + (1 − α) · (1 − cost)
//
// with cost scaled to 0…1 among the candidates ([Router.Score]). Four things differ from
// the paper. Costs are what this very request is expected to cost by the catalogue, not
// means of the past. Quality is not scaled within the cluster: that makes candidates of
// 0.88 and 0.90 as different as such of 0.2 and 0.9, and asks the dearer one for nothing.
// Clusters count by the square of their cosine, so that a far one says little. And a
// cluster's quality of a candidate is drawn
// towards the candidate's mean over all, by as many observations as [Prior], so that a
// cluster with two outcomes decides nothing.
//
// A [Router] is what training makes: an object of the directory, JSON, below 64 KiB. It
// has centroids and counts, and no text.
//
// A [Canary] gives one candidate a share of the requests until its outcomes say that it
// is no good: [Canary.Judge].
//
// The package is pure. Training is deterministic: the same examples, options and seed
// make the same bytes.
package learned
