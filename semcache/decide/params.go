package decide

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"math"
)

// Params are a model's fitted numbers. They hold no text.
type Params struct {
	Embedder    string // whose vectors they were fitted with
	Features    int    // version of the features
	Dim         int
	Bias        float64
	Net         Net
	Trees       []Tree
	Calibration Calibration
}

// static are the parameters for the embedded table. The command and the data that
// they were made with are in docs/semcache.md, "Decision".
//
//go:embed static.params
var static []byte

var fitted = [][]byte{static}

// ErrNotFitted is the error for an embedder that has no parameters.
var ErrNotFitted = errors.New("decide: the model was not fitted with this table")

// Fitted gives the checked-in parameters for a table of vectors, by its id. A table
// without them decides nothing: only equal normal forms may be served.
func Fitted(embedder string) (*Params, error) {
	for _, raw := range fitted {
		p, err := DecodeParams(raw)
		if err != nil {
			return nil, err
		}
		if p.Embedder == embedder {
			return p, nil
		}
	}
	return nil, ErrNotFitted
}

// The stored form: a version byte, then little-endian numbers in the order of the
// fields; a length stands before each list.
const paramsVersion = 1

const (
	maxTrees  = 2000
	maxNodes  = 255 // a Node's children are one byte
	maxUnits  = 256
	maxDim    = 4096
	maxPoints = 4096
)

// Append adds the stored form of the parameters to dst.
func (p *Params) Append(dst []byte) []byte {
	dst = append(dst, paramsVersion, byte(p.Features), byte(len(p.Embedder)))
	dst = append(dst, p.Embedder...)
	u32 := func(n int) { dst = binary.LittleEndian.AppendUint32(dst, uint32(n)) }
	f64 := func(x float64) { dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x)) }
	f32 := func(x float32) { dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x)) }
	u32(p.Dim)
	f64(p.Bias)
	u32(p.Net.Units)
	for _, x := range p.Net.Hidden {
		f32(x)
	}
	for _, x := range p.Net.Out {
		f32(x)
	}
	u32(len(p.Trees))
	for _, t := range p.Trees {
		dst = append(dst, byte(len(t)))
		for _, n := range t {
			dst = append(dst, n.Feature, n.Left, n.Right)
			f32(n.Threshold)
		}
	}
	c := &p.Calibration
	f64(c.Offset)
	f64(c.Slope)
	f64(c.Margin)
	f64(c.MeanMargin)
	u32(len(c.Points))
	for _, q := range c.Points {
		f64(q.Score)
		f64(q.Probability)
		f64(q.Lower)
	}
	return dst
}

var errDamagedParams = errors.New("decide: the parameters are damaged")

var zeros [8]byte

// reader reads little-endian numbers; after the first that is not there, bad is set
// and all are 0.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.bad, r.b = true, nil
		return zeros[:min(max(n, 0), len(zeros))]
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() byte { return r.take(1)[0] }

func (r *reader) u32(limit int) int {
	n := binary.LittleEndian.Uint32(r.take(4))
	if uint64(n) > uint64(limit) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) f64() float64 {
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
	if math.IsNaN(x) || math.IsInf(x, 0) {
		r.bad = true
	}
	return x
}

func (r *reader) f32() float32 {
	x := math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
	if x != x || math.IsInf(float64(x), 0) {
		r.bad = true
	}
	return x
}

func (r *reader) f32s(n int) []float32 {
	if len(r.b) < 4*n {
		r.bad = true
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = r.f32()
	}
	return out
}

// DecodeParams reads what [Params.Append] wrote. Anything that could not be walked
// safely is an error.
func DecodeParams(b []byte) (*Params, error) {
	r := &reader{b: b}
	if r.u8() != paramsVersion {
		return nil, errDamagedParams
	}
	p := &Params{Features: int(r.u8())}
	name := int(r.u8())
	if len(r.b) < name {
		return nil, errDamagedParams
	}
	p.Embedder = string(r.take(name))
	p.Dim = r.u32(maxDim)
	p.Bias = r.f64()
	p.Net.Units = r.u32(maxUnits)
	p.Net.Hidden = r.f32s(p.Net.Units * (2*p.Dim + 1))
	p.Net.Out = r.f32s(p.Net.Units + 1)
	trees := r.u32(maxTrees)
	for range trees {
		if r.bad {
			break
		}
		t := make(Tree, int(r.u8()))
		for i := range t {
			t[i] = Node{Feature: r.u8(), Left: r.u8(), Right: r.u8(), Threshold: r.f32()}
		}
		if !t.sound() {
			return nil, errDamagedParams
		}
		p.Trees = append(p.Trees, t)
	}
	c := &p.Calibration
	c.Offset, c.Slope, c.Margin, c.MeanMargin = r.f64(), r.f64(), r.f64(), r.f64()
	points := r.u32(maxPoints)
	for range points {
		if r.bad {
			break
		}
		c.Points = append(c.Points, Point{r.f64(), r.f64(), r.f64()})
	}
	if r.bad || len(r.b) > 0 || !c.sound() {
		return nil, errDamagedParams
	}
	return p, nil
}

// sound says whether a walk of a tree ends: children are behind their parent.
func (t Tree) sound() bool {
	for i, n := range t {
		if n.Left == 0 {
			continue
		}
		if int(n.Left) <= i || int(n.Right) <= i || int(n.Left) >= len(t) || int(n.Right) >= len(t) || int(n.Feature) >= numFeatures {
			return false
		}
	}
	return len(t) > 0
}

// sound says whether the table is monotone, and a lower bound not above its probability.
func (c *Calibration) sound() bool {
	for i, q := range c.Points {
		if q.Lower > q.Probability || q.Probability > 1 || q.Lower < 0 {
			return false
		}
		if i > 0 && (q.Score <= c.Points[i-1].Score || q.Probability < c.Points[i-1].Probability || q.Lower < c.Points[i-1].Lower) {
			return false
		}
	}
	return true
}
