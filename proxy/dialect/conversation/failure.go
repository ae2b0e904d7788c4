package conversation

import (
	"strings"

	"purser/proxy/dialect"
)

// StatusOf is the HTTP status nearest to what a provider calls an error that it
// tells in a stream, where there is no status: by the words that providers use.
// It is 500 for any other.
func StatusOf(u *dialect.UpstreamError) int {
	kind := strings.ToLower(u.Type + " " + u.Code)
	for _, x := range [...]struct {
		word   string
		status int
	}{
		{"rate_limit", 429}, {"resource_exhausted", 429}, {"throttling", 429}, {"insufficient_quota", 429},
		{"overloaded", 503}, {"unavailable", 503}, {"timeout", 504}, {"deadline", 504},
		{"invalid_request", 400}, {"invalid_argument", 400}, {"validation", 400}, {"permission", 403},
	} {
		if strings.Contains(kind, x.word) {
			return x.status
		}
	}
	return 500
}
