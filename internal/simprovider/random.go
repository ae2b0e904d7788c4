package simprovider

// stream is a splitmix64 generator: an answer's words come from it, so that
// they depend on the request's hash and on nothing else.
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	x := uint64(*s)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// between draws from low to high, both included.
func (s *stream) between(low, high int) int {
	return low + int(s.next()%uint64(high-low+1))
}
