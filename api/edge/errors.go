package edge

import (
	"errors"
	"net"
	"net/http"

	"github.com/valyala/fasthttp"
)

// refusal is an answer that the edge gives itself. Codes are stable.
type refusal struct {
	status        int
	code, message string
}

var (
	refusedMalformed  = refusal{http.StatusBadRequest, "malformed_request", "The request is not valid HTTP."}
	refusedFraming    = refusal{http.StatusBadRequest, "ambiguous_length", "The request gives its length in more than one way."}
	refusedHeader     = refusal{http.StatusBadRequest, "invalid_header", "A request header has a name or a value that is not allowed."}
	refusedCompressed = refusal{http.StatusBadRequest, "invalid_compression", "The request body is not what its Content-Encoding says."}
	refusedCoding     = refusal{http.StatusUnsupportedMediaType, "unsupported_encoding", "The request body has a Content-Encoding other than gzip or deflate, or several."}
	refusedSlow       = refusal{http.StatusRequestTimeout, "request_timeout", "The request did not arrive in time."}
	refusedBody       = refusal{http.StatusRequestEntityTooLarge, "request_too_large", "The request body is larger than this server accepts."}
	refusedHeaders    = refusal{http.StatusRequestHeaderFieldsTooLarge, "headers_too_large", "The request headers are larger than this server accepts."}
	refusedPanic      = refusal{http.StatusInternalServerError, "internal_error", "The server failed to handle the request."}
	refusedConns      = refusal{http.StatusServiceUnavailable, "too_many_connections", "The server has as many connections as it accepts. Try again."}
	refusedDraining   = refusal{http.StatusServiceUnavailable, "shutting_down", "The server is shutting down. Try again."}
	refusedVersion    = refusal{http.StatusHTTPVersionNotSupported, "http_version_not_supported", "This server speaks HTTP/1.0, HTTP/1.1 and HTTP/2."}
	refusedPlain      = refusal{http.StatusBadRequest, "tls_required", "This port speaks TLS. Use https."}
)

// retryAfter is what the edge's own 503s advise, in seconds.
const retryAfter = "1"

// readRefusal maps an error of reading a request; never by its text, which quotes the request.
func readRefusal(err error) refusal {
	var (
		small *fasthttp.ErrSmallBuffer
		net   net.Error
	)
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return refusedBody
	case errors.As(err, &small):
		return refusedHeaders
	case errors.As(err, &net) && net.Timeout():
		return refusedSlow
	}
	return refusedMalformed
}
