package learned

import (
	"fmt"
	"slices"
)

// Heard is outcomes of one candidate's answers to prompts of one cluster.
type Heard struct {
	Cluster   int64  `json:"cluster"` // from 1
	Candidate string `json:"candidate"`
	Tally
}

// Update learns from outcomes of requests: a cluster's quality of a candidate becomes
// the mean of what it was and of them, each weighed by how many outcomes it rests on.
// Clusters stay as they are. until is the end of the time that the outcomes are of, so
// that none is learned from twice. It leaves r as it is after an error.
func (r *Router) Update(list []Heard, until int64) error {
	next := r.copied()
	list = slices.DeleteFunc(slices.Clone(list), func(h Heard) bool { return h.Cluster < 1 || h.Cluster > int64(len(next.Clusters)) })
	for _, h := range list {
		if m := h.Mean(); h.Count < 0 || !(m >= 0 && m <= 1) {
			return fmt.Errorf("the outcomes of %s in cluster %d are not within 0 to 1", h.Candidate, h.Cluster)
		}
		if h.Count == 0 {
			continue
		}
		j := slices.IndexFunc(next.Candidates, func(c Candidate) bool { return c.ID == h.Candidate })
		if j < 0 {
			if j = len(next.Candidates); j == MaxCandidates {
				return fmt.Errorf("there are outcomes of more than %d candidates", MaxCandidates)
			}
			next.Candidates = append(next.Candidates, Candidate{ID: h.Candidate})
			for k := range next.Clusters {
				next.Clusters[k].Quality = append(next.Clusters[k].Quality, Unknown)
				next.Clusters[k].Seen = append(next.Clusters[k].Seen, 0)
			}
		}
		c := &next.Candidates[j]
		c.Quality = rounded((c.Quality*float64(c.Seen) + h.Sum) / float64(c.Seen+h.Count))
		c.Seen += h.Count
	}
	for _, h := range list { // once the candidates' means are known, which clusters are drawn towards
		j := slices.IndexFunc(next.Candidates, func(c Candidate) bool { return c.ID == h.Candidate })
		if h.Count == 0 {
			continue
		}
		k := &next.Clusters[h.Cluster-1]
		was, weight := next.Candidates[j].Quality, float64(Prior)
		if k.Quality[j] != Unknown {
			was, weight = k.Quality[j], Prior+float64(k.Seen[j])
		}
		k.Quality[j] = rounded((was*weight + h.Sum) / (weight + float64(h.Count)))
		k.Seen[j] += h.Count
	}
	next.Until = until
	if err := next.Validate(); err != nil {
		return err
	}
	*r = *next
	return nil
}

// copied is a router that shares nothing with r that Update changes.
func (r *Router) copied() *Router {
	next := *r
	next.Candidates, next.Clusters = slices.Clone(r.Candidates), slices.Clone(r.Clusters)
	for k := range next.Clusters {
		c := &next.Clusters[k]
		c.Quality, c.Seen = slices.Clone(c.Quality), slices.Clone(c.Seen)
	}
	return &next
}
