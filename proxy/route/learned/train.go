package learned

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"purser/ledger"
)

// Example is a prompt and what answers of candidates to it were worth, 0 to 1.
type Example struct {
	Vector  []float32 // of unit length
	Quality map[string]float64
	// Cost is what the call of each candidate costs, by the catalogue. Tuning and
	// evaluation need it, training does not.
	Cost map[string]ledger.Amount
}

// Options say how to train.
type Options struct {
	Embedder string
	Clusters int     // 0: one for each 40 examples, 2 to 60 (the paper has 60 for 2,600 prompts)
	Alpha    float64 // 0 to 1
	Top      int     // 0: a fourth of the clusters, 1 to 3
	Prior    float64 // outcomes that a candidate's mean counts as in each cluster; 0: [Prior]
	Seed     uint64
	Rounds   int // of k-means at the most; 0: 100
}

// Prior is how many outcomes a candidate's mean counts as in each cluster.
const Prior = 4

// Train learns a router from examples. It needs at least one outcome of two candidates.
func Train(examples []Example, o Options) (*Router, error) {
	if len(examples) == 0 {
		return nil, errors.New("there are no examples")
	}
	dim := len(examples[0].Vector)
	names := map[string]bool{}
	for i := range examples {
		if len(examples[i].Vector) != dim || dim == 0 {
			return nil, fmt.Errorf("example %d has a vector of %d values, and others of %d", i, len(examples[i].Vector), dim)
		}
		for name, q := range examples[i].Quality {
			if !(q >= 0 && q <= 1) {
				return nil, fmt.Errorf("example %d: the quality of %s is %v, not within 0 to 1", i, name, q)
			}
			names[name] = true
		}
	}
	if len(names) < 2 || len(names) > MaxCandidates {
		return nil, fmt.Errorf("the examples have outcomes of %d candidates, not 2 to %d", len(names), MaxCandidates)
	}
	k := o.Clusters
	if k == 0 {
		k = min(60, max(2, len(examples)/40))
	}
	if k = min(k, len(examples)); k < 1 || k > MaxClusters {
		return nil, fmt.Errorf("%d clusters is not within 1 to %d", k, MaxClusters)
	}
	r := &Router{Embedder: o.Embedder, Dim: dim, Alpha: o.Alpha, Top: o.Top}
	if r.Top == 0 {
		r.Top = min(3, max(1, k/4)) // of few clusters, the next is another kind of prompt
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		r.Candidates = append(r.Candidates, Candidate{ID: name})
	}
	rounds := o.Rounds
	if rounds == 0 {
		rounds = 100
	}
	centroids, of := clusters(examples, k, o.Seed, rounds)
	r.Top = min(r.Top, len(centroids))
	for _, c := range centroids {
		r.Clusters = append(r.Clusters, Cluster{Centroid: quantized(c)})
	}
	prior := o.Prior
	if prior == 0 {
		prior = Prior
	}
	r.learn(examples, of, prior)
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

// learn fills in what candidates are worth.
func (r *Router) learn(examples []Example, of []int, prior float64) {
	n := len(r.Candidates)
	sums := make([][]float64, len(r.Clusters))
	for k := range sums {
		sums[k] = make([]float64, n)
		r.Clusters[k].Quality, r.Clusters[k].Seen = make([]float64, n), make([]int64, n)
	}
	for i := range examples {
		k := of[i]
		r.Clusters[k].Size++
		for j, c := range r.Candidates {
			if q, ok := examples[i].Quality[c.ID]; ok {
				sums[k][j] += q
				r.Clusters[k].Seen[j]++
				r.Candidates[j].Seen++
				r.Candidates[j].Quality += q
			}
		}
	}
	for j := range r.Candidates {
		c := &r.Candidates[j]
		if c.Seen > 0 {
			c.Quality = rounded(c.Quality / float64(c.Seen))
		}
		for k := range r.Clusters {
			seen := float64(r.Clusters[k].Seen[j])
			if seen == 0 {
				r.Clusters[k].Quality[j] = Unknown
				continue
			}
			r.Clusters[k].Quality[j] = rounded((sums[k][j] + prior*c.Quality) / (seen + prior))
		}
	}
}

// rounded keeps the artifact short: outcomes are never as exact as floats.
func rounded(q float64) float64 { return min(1, max(0, math.Round(q*1e4)/1e4)) }

// quantized writes a centroid as int8 values in base64; its length is not kept.
func quantized(c []float32) string {
	var most float64
	for _, v := range c {
		most = max(most, math.Abs(float64(v)))
	}
	raw := make([]byte, len(c))
	for i, v := range c {
		if most > 0 {
			raw[i] = byte(int8(math.Round(float64(v) / most * 127)))
		}
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// restarts is how often k-means begins anew: it finds the best near where it begins.
const restarts = 5

// clusters is the tightest of several clusterings.
func clusters(examples []Example, k int, seed uint64, rounds int) (centroids [][]float32, of []int) {
	most := math.Inf(-1)
	for i := range uint64(restarts) {
		c, a := cluster(examples, k, seed+i, rounds)
		var near float64
		for j := range examples {
			near += float64(dot(examples[j].Vector, c[a[j]]))
		}
		if near > most {
			centroids, of, most = c, a, near
		}
	}
	return centroids, of
}

// cluster is spherical k-means with k-means++ seeding (Arthur and Vassilvitskii 2007;
// Dhillon and Modha 2001): it returns at most k centroids, none empty, and the cluster
// of each example.
func cluster(examples []Example, k int, seed uint64, rounds int) (centroids [][]float32, of []int) {
	centroids = seeded(examples, k, seed)
	of = make([]int, len(examples))
	for range rounds {
		moved := assign(examples, centroids, of)
		centroids = means(examples, centroids, of)
		if !moved {
			break
		}
	}
	assign(examples, centroids, of)
	// Clusters that nothing is nearest to say nothing.
	size := make([]int, len(centroids))
	for _, c := range of {
		size[c]++
	}
	at := make([]int, len(centroids))
	kept := centroids[:0:0]
	for c := range centroids {
		at[c] = len(kept)
		if size[c] > 0 {
			kept = append(kept, centroids[c])
		}
	}
	for i := range of {
		of[i] = at[of[i]]
	}
	return kept, of
}

func seeded(examples []Example, k int, seed uint64) [][]float32 {
	r := random{seed}
	first := examples[int(r.next()%uint64(len(examples)))].Vector
	out := [][]float32{slices.Clone(first)}
	far := make([]float64, len(examples)) // distance to the nearest seed, squared
	for i := range far {
		far[i] = math.Inf(1)
	}
	for len(out) < k {
		var sum float64
		for i := range examples {
			d := 2 * (1 - float64(dot(examples[i].Vector, out[len(out)-1])))
			far[i] = min(far[i], max(0, d))
			sum += far[i]
		}
		if sum <= 1e-9 {
			break // fewer different prompts than clusters
		}
		draw, at := r.float()*sum, 0
		for ; at < len(far)-1 && draw >= far[at]; at++ {
			draw -= far[at]
		}
		out = append(out, slices.Clone(examples[at].Vector))
	}
	return out
}

func assign(examples []Example, centroids [][]float32, of []int) (moved bool) {
	for i := range examples {
		best, most := 0, float32(math.Inf(-1))
		for c := range centroids {
			if d := dot(examples[i].Vector, centroids[c]); d > most {
				best, most = c, d
			}
		}
		moved = moved || of[i] != best
		of[i] = best
	}
	return moved
}

func means(examples []Example, before [][]float32, of []int) [][]float32 {
	dim := len(examples[0].Vector)
	sums := make([][]float64, len(before))
	for c := range sums {
		sums[c] = make([]float64, dim)
	}
	for i := range examples {
		for j, v := range examples[i].Vector {
			sums[of[i]][j] += float64(v)
		}
	}
	out := make([][]float32, len(before))
	for c := range sums {
		var norm float64
		for _, v := range sums[c] {
			norm += v * v
		}
		if norm == 0 {
			out[c] = before[c] // nothing is nearest to it, or all of it cancels out
			continue
		}
		out[c] = make([]float32, dim)
		for j, v := range sums[c] {
			out[c][j] = float32(v / math.Sqrt(norm))
		}
	}
	return out
}

// random is SplitMix64 (Steele, Lea and Flood 2014).
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }
