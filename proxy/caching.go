package proxy

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
)

// headerCacheTags names tags of the answer, by which it can be purged.
const headerCacheTags = "x-purser-cache-tags"

// headerCacheKey names the entry that a hit came from, so that it can be purged.
const headerCacheKey = "x-purser-cache-key"

// Limits of the tags that a request gives its answer.
const (
	maxCacheTags = 4
	maxCacheTag  = 64 // bytes
)

// caching is what a request asks of the exact cache, and what it needs for its fill.
type caching struct {
	told  bool // by the header x-purser-cache, which goes before Cache-Control
	fresh bool // no answer that is there will do
	// declined: the client wants no cache to be used at all.
	declined bool
	maxAge   time.Duration // of answers that will; 0: any
	tags     []string

	since int64   // as [Cache].Key gave it
	stale *Cached // an answer whose time is over, which this request makes anew
}

// askCache reads how a request wants the cache to be used: "off", "bypass" or
// "no-store": neither read nor fill it; "refresh" or "no-cache": fill it only.
func (x *exchange) askCache(value string) *dialect.Error {
	x.caching.told = true
	switch strings.ToLower(value) {
	case "off", "bypass", "no-store":
		x.store, x.caching.declined = false, true
	case "refresh", "no-cache":
		x.caching.fresh = true
	case "on", "":
	default:
		return dialect.NewError(dialect.CodeInvalidValue, "", "the header %s takes off (or bypass, no-store), refresh (or no-cache) or on", headerCache)
	}
	return nil
}

// cacheControl reads the standard header of a request (RFC 9111 section 5.2.1):
// no-store, no-cache and max-age. What else it says, or says wrongly, is left out of
// account, as that asks for.
func (x *exchange) cacheControl(value string) {
	if value == "" || x.caching.told {
		return
	}
	for directive := range strings.SplitSeq(value, ",") {
		name, arg, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store":
			x.store, x.caching.declined = false, true
		case "no-cache":
			x.caching.fresh = true
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(arg, `"`), 10, 31)
			switch {
			case err != nil:
			case seconds == 0:
				x.caching.fresh = true
			default:
				x.caching.maxAge = time.Duration(seconds) * time.Second
			}
		}
	}
}

// tagAnswer reads the tags of the answer.
func (x *exchange) tagAnswer(value string) *dialect.Error {
	for tag := range strings.SplitSeq(value, ",") {
		tag = strings.TrimSpace(tag)
		switch {
		case tag == "" || slices.Contains(x.caching.tags, tag):
			continue
		case len(tag) > maxCacheTag || strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return dialect.NewError(dialect.CodeInvalidValue, "", "a tag in %s has up to %d printable ASCII characters without spaces", headerCacheTags, maxCacheTag)
		case len(x.caching.tags) == maxCacheTags:
			return dialect.NewError(dialect.CodeInvalidValue, "", "%s takes %d tags", headerCacheTags, maxCacheTags)
		}
		x.caching.tags = append(x.caching.tags, tag)
	}
	return nil
}

// cacheTags are those of the request and of its settings.
func (x *exchange) cacheTags() []string {
	tags := x.caching.tags
	for _, ref := range x.levers.Cache.TagBy {
		if value := x.rec.Dims.Get(ref); value != "" {
			tags = append(tags, ref.String()+":"+value)
		}
	}
	return tags
}

// cacheAsk is which answers the request takes.
func (x *exchange) cacheAsk() CacheAsk {
	ask := CacheAsk{Fresh: x.caching.fresh, Stale: x.levers.Cache.Stale > 0, Wait: x.g.cfg.CoalesceWait, Since: x.caching.since}
	if x.caching.maxAge > 0 {
		ask.Created, ask.Stale = x.rec.At-ledger.Instant(x.caching.maxAge), false
	}
	return ask
}

// tellCache says what part the cache had in an answer, unless that is to stay hidden:
// who may know that somebody has asked the same before.
func (x *exchange) tellCache(h []HeaderField, c *Cached, state record.CacheState) []HeaderField {
	if x.hidesCache() {
		return h
	}
	word := "bypass"
	switch state {
	case record.CacheMiss:
		word = "miss"
	case record.CacheStale:
		word = "stale"
	case record.CacheServed, record.CacheShared, record.CacheSemantic:
		word = "hit"
	}
	h = append(h, HeaderField{headerCache, word})
	if c == nil {
		return h
	}
	age := max(0, int64(x.rec.At-c.Created)/int64(time.Second))
	return append(h, HeaderField{"Age", strconv.FormatInt(age, 10)}, // RFC 9111 section 5.1
		HeaderField{headerCacheKey, hex.EncodeToString(x.cacheKey[:])})
}

// hidesCache says that nothing in the answer is to tell whether it came from a cache.
func (x *exchange) hidesCache() bool { return x.levers.Cache != nil && x.levers.Cache.Hidden }
