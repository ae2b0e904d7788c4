package learned

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"purser/ledger"
)

// Limits of a router: it has to fit an object of the directory.
const (
	MaxClusters   = 96
	MaxCandidates = 16
	maxDim        = 1024
	maxName       = 256
)

// Router is what was learned. It is immutable once [Router.Validate] has been called.
type Router struct {
	Description string `json:"description,omitempty"`
	Embedder    string `json:"embedder"` // whose vectors it knows
	Dim         int    `json:"dim"`
	// Alpha is what quality counts beside cost, 0 to 1.
	Alpha float64 `json:"alpha"`
	// Top is how many of the nearest clusters are asked.
	Top        int         `json:"top"`
	Candidates []Candidate `json:"candidates"`
	Clusters   []Cluster   `json:"clusters"`
	Canary     *Canary     `json:"canary,omitempty"`

	// Trained is since when clusters have these numbers, and Until the end of the
	// outcomes that were learned from ([Router.Update]): seconds since 1970, 0 if none.
	Trained int64 `json:"trained,omitempty"`
	Until   int64 `json:"outcomes_until,omitempty"`

	centroids []float32 // of unit length, one after the other
}

// Candidate is one that was learned of, by its ID within the route.
type Candidate struct {
	ID      string  `json:"id"`
	Quality float64 `json:"quality"` // mean over all outcomes
	Seen    int64   `json:"seen"`    // outcomes
}

// Cluster is prompts that are near each other.
type Cluster struct {
	Centroid string    `json:"centroid"` // Dim int8 values in base64 (RFC 4648), to be scaled to unit length
	Size     int64     `json:"size"`     // examples
	Quality  []float64 `json:"quality"`  // of each candidate, drawn towards its mean; -1: nothing known
	Seen     []int64   `json:"seen"`     // outcomes of each candidate
}

// Unknown is the quality of a candidate of which a cluster has no outcomes.
const Unknown = -1

// Validate says what is wrong with it, by the names of its fields, and makes it ready
// for use.
func (r *Router) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Embedder == "" || len(r.Embedder) > maxName {
		bad("embedder is missing, or longer than %d bytes", maxName)
	}
	if r.Dim < 1 || r.Dim > maxDim {
		bad("dim is %d, not within 1 to %d", r.Dim, maxDim)
	}
	if !(r.Alpha >= 0 && r.Alpha <= 1) {
		bad("alpha is %v, not within 0 to 1", r.Alpha)
	}
	if n := len(r.Clusters); n == 0 || n > MaxClusters {
		bad("clusters: there are %d, not 1 to %d", n, MaxClusters)
	}
	if r.Top < 1 || r.Top > max(1, len(r.Clusters)) {
		bad("top is %d, not within 1 to the number of clusters", r.Top)
	}
	if n := len(r.Candidates); n == 0 || n > MaxCandidates {
		bad("candidates: there are %d, not 1 to %d", n, MaxCandidates)
	}
	for i, c := range r.Candidates {
		if c.ID == "" || len(c.ID) > maxName || strings.ContainsFunc(c.ID, func(r rune) bool { return r < ' ' }) || slices.ContainsFunc(r.Candidates[:i], func(o Candidate) bool { return o.ID == c.ID }) {
			bad("candidates[%d]: the id is missing, too long, or there twice", i)
		}
		if !(c.Quality >= 0 && c.Quality <= 1) || c.Seen < 0 {
			bad("candidates[%d]: quality is not within 0 to 1", i)
		}
	}
	if r.Trained < 0 || r.Until < 0 {
		bad("trained or outcomes_until is negative")
	}
	if r.Canary != nil {
		if err := r.Canary.validate(); err != nil {
			bad("canary: %w", err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, r.decode())
	}
	return errors.Join(errs...)
}

// decode reads the centroids.
func (r *Router) decode() error {
	r.centroids = make([]float32, 0, r.Dim*len(r.Clusters))
	for i := range r.Clusters {
		c := &r.Clusters[i]
		raw, err := base64.StdEncoding.DecodeString(c.Centroid)
		if err != nil || len(raw) != r.Dim {
			return fmt.Errorf("clusters[%d]: the centroid is not %d bytes in base64", i, r.Dim)
		}
		if len(c.Quality) != len(r.Candidates) || len(c.Seen) != len(r.Candidates) {
			return fmt.Errorf("clusters[%d]: quality and seen have not one value for each candidate", i)
		}
		for _, q := range c.Quality {
			if !(q >= 0 && q <= 1 || q == Unknown) {
				return fmt.Errorf("clusters[%d]: a quality is not within 0 to 1", i)
			}
		}
		var norm float64
		for _, b := range raw {
			norm += float64(int8(b)) * float64(int8(b))
		}
		if norm == 0 {
			return fmt.Errorf("clusters[%d]: the centroid is zero", i)
		}
		norm = math.Sqrt(norm)
		for _, b := range raw {
			r.centroids = append(r.centroids, float32(float64(int8(b))/norm))
		}
	}
	return nil
}

// Option is a candidate that may serve a request.
type Option struct {
	ID      string
	Quality float64       // that is assumed where nothing is learned of it; 0 for none
	Cost    ledger.Amount // that the request is expected to have, nano-dollars
}

// Scored is what a router says of a request's options.
type Scored struct {
	Cluster int     // the nearest, from 1; 0: none
	Scores  []int64 // of each option, millionths; the highest is the one to ask
	Known   int     // options of which something was learned
}

// Score scores options for a prompt with this vector, of unit length. A prompt that has
// none, nil, is scored by what candidates are worth over all, and is of no cluster.
func (r *Router) Score(vector []float32, options []Option) (Scored, error) {
	out := Scored{Scores: make([]int64, len(options))}
	var near []int
	switch {
	case vector == nil:
		near = []int{nowhere}
	case len(vector) != r.Dim:
		return Scored{}, fmt.Errorf("the vector has %d values, and the router knows such of %d", len(vector), r.Dim)
	default:
		near = r.nearest(vector)
		out.Cluster = near[0] + 1
	}
	which := make([]int, len(options))
	for i, o := range options {
		which[i] = slices.IndexFunc(r.Candidates, func(c Candidate) bool { return c.ID == o.ID })
		if which[i] >= 0 {
			out.Known++
		}
	}
	cost := scaled(len(options), func(i int) float64 { return float64(options[i].Cost) })
	sums := make([]float64, len(options))
	var weights float64
	for _, k := range near {
		d := 1.0
		if k != nowhere {
			d = max(1e-3, float64(dot(vector, r.centroids[k*r.Dim:(k+1)*r.Dim])))
		}
		weights += d * d
		for i := range options {
			sums[i] += d * d * (r.Alpha*r.quality(k, which[i], options[i].Quality) + (1-r.Alpha)*(1-cost[i]))
		}
	}
	for i, s := range sums {
		out.Scores[i] = int64(math.Round(1e6 * s / weights))
	}
	return out, nil
}

// nowhere is the cluster of a prompt that has no vector.
const nowhere = -1

// quality is what is thought of a candidate in a cluster.
func (r *Router) quality(cluster, candidate int, assumed float64) float64 {
	if candidate < 0 {
		return assumed
	}
	if cluster != nowhere {
		if q := r.Clusters[cluster].Quality[candidate]; q != Unknown {
			return q
		}
	}
	if r.Candidates[candidate].Seen > 0 {
		return r.Candidates[candidate].Quality
	}
	return assumed
}

// scaled puts values between 0, the least of them, and 1; equal ones are all 0.5.
func scaled(n int, value func(int) float64) []float64 {
	out := make([]float64, n)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range out {
		out[i] = value(i)
		low, high = min(low, out[i]), max(high, out[i])
	}
	for i := range out {
		if high <= low {
			out[i] = 0.5
			continue
		}
		out[i] = (out[i] - low) / (high - low)
	}
	return out
}

// nearest are the clusters nearest to a vector, the nearest first.
func (r *Router) nearest(v []float32) []int {
	type near struct {
		cluster int
		dot     float32
	}
	list := make([]near, len(r.Clusters))
	for k := range list {
		list[k] = near{k, dot(v, r.centroids[k*r.Dim:(k+1)*r.Dim])}
	}
	slices.SortStableFunc(list, func(a, b near) int {
		switch {
		case a.dot > b.dot:
			return -1
		case a.dot < b.dot:
			return 1
		}
		return 0
	})
	out := make([]int, 0, r.Top)
	for _, n := range list[:r.Top] {
		out = append(out, n.cluster)
	}
	return out
}

func dot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
