package semcache

// climb finds how large the window of a shard is to be: it is moved a step, and on in
// the same direction if there were more hits than before, else back.
type climb struct {
	hits, asked int
	rate        float64 // of hits, before
	step        int64   // bytes that the window grows by next
}

const (
	// stepPart is the first step, in percent of a shard, and the one after the rate of
	// hits has changed by restart: what is asked for has changed.
	stepPart = 6
	restart  = 0.05
	// stepDecay makes steps smaller, so that it comes to rest.
	stepDecay = 0.98
	// sampleSeats is how often keys are asked for between two steps, for each entry
	// there is; at least sampleLeast.
	sampleSeats = 10
	sampleLeast = 512
)

// seen notes whether what was asked for was there, and says whether it is time for a
// step.
func (c *climb) seen(hit bool, seats int) bool {
	if c.asked++; hit {
		c.hits++
	}
	return c.asked >= max(sampleLeast, sampleSeats*seats)
}

// adapt moves the window by a step.
func (s *shard) adapt() {
	c := &s.climb
	rate := float64(c.hits) / float64(c.asked)
	changed := rate - c.rate
	if changed < 0 {
		c.step = -c.step
	}
	s.divide(s.parts[window].most + c.step)
	if c.step = int64(float64(c.step) * stepDecay); changed >= restart || changed <= -restart {
		if c.step = s.most * stepPart / 100; changed < 0 {
			c.step = -c.step
		}
	}
	c.rate, c.hits, c.asked = rate, 0, 0
}

// divide gives the window so many bytes, and the rest to the main part. What is too
// much in one goes over to the other: nothing is lost.
func (s *shard) divide(bytes int64) {
	w, p, q := &s.parts[window], &s.parts[probation], &s.parts[protected]
	w.most = min(max(bytes, s.most*windowLeast/100), s.most*windowMost/100)
	p.most = s.most - w.most
	q.most = p.most * protectedPart / 100
	for q.bytes > q.most {
		s.move(q.ends.next, probation)
	}
	for p.bytes+q.bytes > p.most {
		s.move(p.ends.next, window)
	}
	for w.bytes > w.most {
		s.move(w.ends.next, probation)
	}
}
