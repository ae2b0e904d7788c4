package lever

import (
	"fmt"
	"time"

	"purser/ledger"
)

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
	// TagBy are dimensions whose values become tags of the answers, such as
	// customer:acme, by which they can be purged; at most 4.
	TagBy []string `json:"tag_by,omitempty"`
	// Headers is told, the default, or hidden: whether an answer says, in its headers or
	// by its cost, that it came from the cache.
	Headers string `json:"headers,omitempty"`
}

// Cache is a CacheSpec, read.
type Cache struct {
	Off   bool
	TTL   time.Duration // 0: that of the configuration
	Stale time.Duration // 0: never
	Paced bool

	TagBy  []ledger.DimRef
	Hidden bool
}

const maxTagBy = 4

const year = 365 * 24 * time.Hour

func (s *CacheSpec) read() (*Cache, error) {
	var r reader
	c := &Cache{
		Off:   r.oneOf("mode", s.Mode, "on", "off") == "off",
		TTL:   r.span("ttl", s.TTL, 0, time.Second, year),
		Stale: r.span("stale", s.Stale, 0, 0, year),
		Paced: r.oneOf("replay", s.Replay, "at_once", "paced") == "paced",

		Hidden: r.oneOf("headers", s.Headers, "told", "hidden") == "hidden",
	}
	if len(s.TagBy) > maxTagBy {
		r.errs = append(r.errs, fmt.Errorf("tag_by has %d dimensions, the most is %d", len(s.TagBy), maxTagBy))
	}
	for _, name := range s.TagBy[:min(len(s.TagBy), maxTagBy)] {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("tag_by: %w", err))
			continue
		}
		c.TagBy = append(c.TagBy, ref)
	}
	return c, r.err()
}
