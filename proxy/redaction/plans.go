package redaction

import "sync"

// planKey says which specs of a set cover a request, and in which direction.
type planKey struct {
	specs     [MaxSpecs / 64]uint64 // a bit for each
	direction Direction
}

// maxPlans bounds the plans that a set remembers, of some 30 KiB each. There is one
// for each combination of specs that requests meet: of a few redactions a few.
const maxPlans = 256

// plans are those that requests have met: most have one in common, and to make one
// takes longer than to search a short text.
type plans struct {
	mu   sync.RWMutex
	made map[planKey]*Plan
}

// get gives the plan of a key, making it if it is not known.
func (p *plans) get(k planKey, make func(planKey) *Plan) *Plan {
	p.mu.RLock()
	known := p.made[k]
	p.mu.RUnlock()
	if known != nil {
		return known
	}
	known = make(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		p.made = map[planKey]*Plan{}
	}
	if len(p.made) < maxPlans {
		p.made[k] = known
	}
	return known
}
