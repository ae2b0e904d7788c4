package otlp

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/credentials"
)

// dial makes the exporter of spans. It connects to nothing yet. The library's own
// retries are off: what is tried again, and how often, is decided in sink.go.
func dial(ctx context.Context, c *Config, t *target) (*otlptrace.Exporter, error) {
	trust, err := c.trust()
	if err != nil {
		return nil, err
	}
	if c.Protocol == protoGRPC {
		o := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(t.url.String()), otlptracegrpc.WithHeaders(t.headers), otlptracegrpc.WithTimeout(c.Timeout),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{})}
		if t.far() {
			o = append(o, otlptracegrpc.WithCompressor("gzip"))
		}
		if trust != nil {
			o = append(o, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(trust)))
		}
		return otlptracegrpc.New(ctx, o...)
	}
	o := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(t.signal("traces")), otlptracehttp.WithHeaders(t.headers), otlptracehttp.WithTimeout(c.Timeout),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}), otlptracehttp.WithHTTPClient(httpClient(c, trust))}
	if t.far() {
		o = append(o, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	return otlptracehttp.New(ctx, o...)
}

// dialMetrics makes the exporter of metrics, which counts its exports.
func dialMetrics(ctx context.Context, c *Config, t *target, n *counts, h *health) (sdkmetric.Exporter, error) {
	trust, err := c.trust()
	if err != nil {
		return nil, err
	}
	var e sdkmetric.Exporter
	if c.Protocol == protoGRPC {
		o := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpointURL(t.url.String()), otlpmetricgrpc.WithHeaders(t.headers), otlpmetricgrpc.WithTimeout(c.Timeout),
			otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{})}
		if t.far() {
			o = append(o, otlpmetricgrpc.WithCompressor("gzip"))
		}
		if trust != nil {
			o = append(o, otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(trust)))
		}
		e, err = otlpmetricgrpc.New(ctx, o...)
	} else {
		o := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpointURL(t.signal("metrics")), otlpmetrichttp.WithHeaders(t.headers), otlpmetrichttp.WithTimeout(c.Timeout),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}), otlpmetrichttp.WithHTTPClient(httpClient(c, trust))}
		if t.far() {
			o = append(o, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
		}
		e, err = otlpmetrichttp.New(ctx, o...)
	}
	return counted{e, n, h}, err
}

// httpClient follows no redirects: the headers prove who we are to the receiver that
// is configured, and to nobody else.
func httpClient(c *Config, trust *tls.Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.MaxIdleConnsPerHost = trust, 2
	return &http.Client{Transport: t, Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// counted counts the exports of metrics.
type counted struct {
	sdkmetric.Exporter
	n *counts
	h *health
}

// Export implements sdkmetric.Exporter.
func (c counted) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	err := arrived(c.Exporter.Export(ctx, m))
	c.h.tell(err)
	if err != nil {
		c.n.metricsFailed.Add(1)
		return nil // it is told; the library would log it each time
	}
	c.n.metricsSent.Add(1)
	return nil
}

// arrived is nil where a receiver took an export and rejected a part of it: sent again,
// the rest would be there twice. The library says so by its text alone.
func arrived(err error) error {
	if err != nil && strings.Contains(err.Error(), "OTLP partial success") {
		return nil
	}
	return err
}

// counts are what has become of requests, spans and exports.
type counts struct {
	told, dropped              atomic.Uint64 // requests
	spansSent, spansFailed     atomic.Uint64
	tracesSent, tracesFailed   atomic.Uint64 // exports
	metricsSent, metricsFailed atomic.Uint64
}

// health is whether exports of a signal work. One goroutine uses it.
type health struct {
	what    string
	failing bool
	log     *slog.Logger
}

// tell logs that exports have begun to fail, and that they work again.
func (h *health) tell(err error) {
	was := h.failing
	h.failing = err != nil
	switch {
	case err != nil && !was:
		h.log.Warn("telemetry cannot be sent; requests are served, and what is lost is counted", "signal", h.what, "error", shown(err))
	case err == nil && was:
		h.log.Info("telemetry is sent again", "signal", h.what)
	}
}

// maxShown bounds what is logged of an error, which may have a receiver's answer in it.
const maxShown = 300

func shown(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}
