package trace

import (
	"encoding/binary"
	"math"
)

// Sampler draws the traces that are recorded, by their ids: a trace is recorded whole,
// on every node that samples alike. It draws as OpenTelemetry's TraceIdRatioBased does.
type Sampler struct{ bound uint64 }

// NewSampler returns one that records a share of the traces, 0 to 1.
func NewSampler(share float64) Sampler {
	switch {
	case share >= 1:
		return Sampler{math.MaxUint64}
	case share > 0:
		return Sampler{uint64(share * (1 << 63))}
	}
	return Sampler{}
}

// Samples says whether a trace is recorded. A caller that sent a context has decided
// for its trace.
func (s Sampler) Samples(caller *Context, trace [16]byte) bool {
	if caller.Valid() {
		return caller.Flags&Sampled != 0
	}
	return binary.BigEndian.Uint64(trace[8:])>>1 < s.bound
}
