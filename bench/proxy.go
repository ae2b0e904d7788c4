package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"

	"purser/node"
)

// mallocsPath answers how many objects the process has allocated, in decimal.
const mallocsPath = "/_bench/mallocs"

// bareProxy is the measure: net/http's ReverseProxy with enough idle
// connections, flushing at once, reading the request before it is sent on (a
// ReverseProxy that does not can cut a fast stream short).
func bareProxy(upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+mallocsPath, func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprint(w, m.Mallocs) // a client that went away does not matter
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	})
	return mux
}

// serveProxy is the process of the bare proxy; it prints its address.
func serveProxy(ctx context.Context, upstream string) error {
	u, err := url.Parse(upstream)
	if err != nil {
		return fmt.Errorf("the upstream of the proxy: %w", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: bareProxy(u)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // ends Serve, below
	defer stop()
	fmt.Printf("proxy serves at http://%s\n", ln.Addr())
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveNode is the process of a node that is profiled until ctx ends.
func serveNode(ctx context.Context, config, profile string) (err error) {
	cfg, err := node.Load(config)
	if err != nil {
		return err
	}
	f, err := os.Create(profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	if err := node.Run(ctx, cfg, "bench", func(url string) { fmt.Println("node serves at " + url) }); err != nil {
		return err
	}
	heap, err := os.Create(profile + ".allocs")
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(heap, 0), heap.Close())
}
