package double

import (
	"context"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Fault is something that goes wrong with calls.
type Fault struct {
	Method string // such as "Query"; "" is any
	Calls  int    // how many calls it strikes; 0 is all until [Server.Clear]

	Delay      time.Duration // before the answer; it ends with the caller's patience
	Code       codes.Code    // the answer; OK is none
	Message    string        // of Code; "" is one as Qdrant writes it
	RetryAfter int           // seconds, with ResourceExhausted
	Applied    bool          // the call is carried out before it fails: its acknowledgement is lost
	Reset      bool          // the connection breaks off instead of an answer
	Pad        int           // bytes that the answer of a Query has too many
	Forge      func(*qdrant.QueryResponse)
}

// Inject adds a fault. The oldest that fits a call strikes it, one a call.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Clear ends all faults.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// take finds the fault that strikes a call, and counts the call.
func (s *Server) take(full string) *Fault {
	short := full[strings.LastIndexByte(full, '/')+1:]
	service := strings.TrimPrefix(full, "/qdrant.")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[short]++
	s.calls[service]++
	for i, f := range s.faults {
		if f.Method != "" && f.Method != short && f.Method != service {
			continue
		}
		once := *f
		if f.Calls == 1 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		} else if f.Calls > 1 {
			f.Calls--
		}
		return &once
	}
	return nil
}

// intercept checks the key and lets faults happen.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	f := s.take(info.FullMethod)
	if err := s.authorize(ctx); err != nil {
		return nil, err
	}
	if f == nil {
		return handler(ctx, req)
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if f.Reset || f.Code != codes.OK {
		if f.Applied {
			if _, err := handler(ctx, req); err != nil {
				return nil, err
			}
		}
		if f.Reset {
			s.reset()
		}
		return nil, f.err(ctx)
	}
	resp, err := handler(ctx, req)
	if q, ok := resp.(*qdrant.QueryResponse); ok && err == nil {
		if f.Pad > 0 {
			q.Result = append(q.Result, &qdrant.ScoredPoint{Id: qdrant.NewIDNum(0), Payload: map[string]*qdrant.Value{"pad": qdrant.NewValueString(strings.Repeat("x", f.Pad))}})
		}
		if f.Forge != nil {
			f.Forge(q)
		}
	}
	return resp, err
}

// err is the fault as an answer.
func (f *Fault) err(ctx context.Context) error {
	message := f.Message
	switch {
	case message != "":
	case f.Code == codes.ResourceExhausted:
		message = "Rate limiting exceeded: Write rate limit exceeded, retry later"
	case f.Code == codes.Unavailable:
		message = "Shard temporarily unavailable: The shard has no active replicas"
	case f.Code == codes.DeadlineExceeded:
		message = "Timeout: Operation 'Search' timed out after 1s"
	case f.Code == codes.FailedPrecondition:
		message = "Storage locked: the storage is locked"
	default:
		message = "Service internal error: injected"
	}
	if f.RetryAfter > 0 {
		// The stream is there: this is within a call.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("retry-after", strconv.Itoa(f.RetryAfter)))
	}
	code := f.Code
	if code == codes.OK {
		code = codes.Unavailable
	}
	return status.Error(code, message)
}

// authorize wants the key as Qdrant does, from one of two headers.
func (s *Server) authorize(ctx context.Context) error {
	if s.opt.APIKey == "" {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	var key string
	if v := md.Get("api-key"); len(v) > 0 {
		key = v[0]
	} else if v := md.Get("authorization"); len(v) > 0 {
		key = strings.TrimPrefix(v[0], "Bearer ")
	} else {
		return status.Error(codes.Unauthenticated, "Must provide an API key or an Authorization bearer token")
	}
	if subtle.ConstantTimeCompare([]byte(key), []byte(s.opt.APIKey)) != 1 {
		return status.Error(codes.Unauthenticated, "Invalid API key or JWT")
	}
	return nil
}

type health struct {
	qdrant.UnimplementedQdrantServer
	s *Server
}

// HealthCheck implements qdrant.QdrantServer.
func (h health) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "qdrant - vector search engine", Version: h.s.opt.Version}, nil
}
