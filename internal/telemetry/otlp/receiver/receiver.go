// Package receiver is an OpenTelemetry receiver, for tests and measurements alone: the
// protocol's gRPC services and its form over HTTP in protobuf, as
// https://opentelemetry.io/docs/specs/otlp/ has them. It keeps what it is sent.
//
// It shares no code with package otlp, or both would err alike.
package receiver

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	metricsservice "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traceservice "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compression
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// maxBody bounds an export, unpacked.
const maxBody = 64 << 20

// Export is one export as it came.
type Export struct {
	Path   string      // of HTTP; the service of gRPC
	Header http.Header // gRPC's metadata, too
	Spans  []*trace.ResourceSpans
	Series []*metrics.ResourceMetrics
}

// Receiver listens on two ports of this machine.
type Receiver struct {
	HTTP string // URL
	GRPC string // URL

	mu      sync.Mutex
	exports []Export
	answer  func(Export) error // nil takes everything

	plain *http.Server
	rpc   *grpc.Server
	ended sync.WaitGroup
}

// Start listens. answer, if it is not nil, decides on each export: an error refuses it,
// and it may wait. What it refuses is not kept.
func Start(answer func(Export) error) (*Receiver, error) {
	r := &Receiver{answer: answer, rpc: grpc.NewServer(grpc.MaxRecvMsgSize(maxBody))}
	here := func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	a, err := here()
	if err != nil {
		return nil, err
	}
	b, err := here()
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	r.HTTP, r.GRPC = "http://"+a.Addr().String(), "http://"+b.Addr().String()
	r.plain = &http.Server{Handler: r}
	traceservice.RegisterTraceServiceServer(r.rpc, spansOf{r: r})
	metricsservice.RegisterMetricsServiceServer(r.rpc, seriesOf{r: r})
	r.ended.Go(func() { _ = r.plain.Serve(a) }) // ends by Close
	r.ended.Go(func() { _ = r.rpc.Serve(b) })
	return r, nil
}

// Close ends it.
func (r *Receiver) Close() error {
	r.rpc.Stop()
	err := r.plain.Close()
	r.ended.Wait()
	return err
}

// Exports is what has come until now.
func (r *Receiver) Exports() []Export {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Export(nil), r.exports...)
}

// Spans is every span that has come and was not refused.
func (r *Receiver) Spans() []*trace.Span {
	var out []*trace.Span
	for _, e := range r.Exports() {
		for _, res := range e.Spans {
			for _, scope := range res.ScopeSpans {
				out = append(out, scope.Spans...)
			}
		}
	}
	return out
}

// Metrics is the last that has come of each metric, by name.
func (r *Receiver) Metrics() map[string]*metrics.Metric {
	out := map[string]*metrics.Metric{}
	for _, e := range r.Exports() {
		for _, res := range e.Series {
			for _, scope := range res.ScopeMetrics {
				for _, m := range scope.Metrics {
					out[m.Name] = m
				}
			}
		}
	}
	return out
}

func (r *Receiver) take(e Export) error {
	if r.answer != nil {
		if err := r.answer(e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exports = append(r.exports, e)
	return nil
}

// ServeHTTP takes exports over HTTP. The signal is the end of the path, and what is
// before is the receiver's own.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	e := Export{Path: q.URL.Path, Header: q.Header}
	body, err := read(q)
	if err == nil && (q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/x-protobuf") {
		err = fmt.Errorf("%s of %q is no export", q.Method, q.Header.Get("Content-Type"))
	}
	var spans traceservice.ExportTraceServiceRequest
	var series metricsservice.ExportMetricsServiceRequest
	switch n := len(e.Path); {
	case err != nil:
	case n >= 10 && e.Path[n-10:] == "/v1/traces":
		err = proto.Unmarshal(body, &spans)
		e.Spans = spans.ResourceSpans
	case n >= 11 && e.Path[n-11:] == "/v1/metrics":
		err = proto.Unmarshal(body, &series)
		e.Series = series.ResourceMetrics
	default:
		err = fmt.Errorf("there is no signal at %s", e.Path)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.take(e); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func read(q *http.Request) ([]byte, error) {
	var body io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = z
	}
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err == nil && len(b) > maxBody {
		err = errors.New("the export is too large")
	}
	return b, err
}

type spansOf struct {
	traceservice.UnimplementedTraceServiceServer
	r *Receiver
}

// Export implements the service of spans.
func (s spansOf) Export(ctx context.Context, q *traceservice.ExportTraceServiceRequest) (*traceservice.ExportTraceServiceResponse, error) {
	return &traceservice.ExportTraceServiceResponse{}, s.r.take(Export{Path: "traces", Header: headerOf(ctx), Spans: q.ResourceSpans})
}

type seriesOf struct {
	metricsservice.UnimplementedMetricsServiceServer
	r *Receiver
}

// Export implements the service of metrics.
func (s seriesOf) Export(ctx context.Context, q *metricsservice.ExportMetricsServiceRequest) (*metricsservice.ExportMetricsServiceResponse, error) {
	return &metricsservice.ExportMetricsServiceResponse{}, s.r.take(Export{Path: "metrics", Header: headerOf(ctx), Series: q.ResourceMetrics})
}

func headerOf(ctx context.Context) http.Header {
	h := http.Header{}
	md, _ := metadata.FromIncomingContext(ctx)
	for name, values := range md {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}
