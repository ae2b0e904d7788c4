package lever

import "time"

// CacheSpec is the settings of the exact cache.
type CacheSpec struct {
	// Mode is on, the default, or off.
	Mode string `json:"mode,omitempty"`
	// TTL is how long an answer may be given again; default that of the configuration,
	// 1s to 8760h.
	TTL string `json:"ttl,omitempty"`
	// Stale is how long after that it may still be given while it is made anew; default
	// 0s, never.
	Stale string `json:"stale,omitempty"`
	// Replay is how an answer is streamed: at_once, the default, or paced.
	Replay string `json:"replay,omitempty"`
}

// Cache is a CacheSpec, read.
type Cache struct {
	Off   bool
	TTL   time.Duration // 0: that of the configuration
	Stale time.Duration // 0: never
	Paced bool
}

const year = 365 * 24 * time.Hour

func (s *CacheSpec) read() (*Cache, error) {
	var r reader
	c := &Cache{
		Off:   r.oneOf("mode", s.Mode, "on", "off") == "off",
		TTL:   r.span("ttl", s.TTL, 0, time.Second, year),
		Stale: r.span("stale", s.Stale, 0, 0, year),
		Paced: r.oneOf("replay", s.Replay, "at_once", "paced") == "paced",
	}
	return c, r.err()
}
