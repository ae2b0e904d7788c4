package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.css assets/*.js assets/*.svg
var assetFiles embed.FS

// asset is one file, as it is and compressed.
type asset struct {
	body, zipped []byte
	kind         string // media type
	version      string // the beginning of its SHA-256, which is also its ETag
}

// loadAssets reads and compresses every file, once.
func loadAssets() (map[string]*asset, error) {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("listing the assets: %w", err)
	}
	out := map[string]*asset{}
	for _, f := range files {
		body, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the assets: %w", err)
		}
		var z bytes.Buffer
		w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
		if err == nil {
			_, err = w.Write(body)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("compressing %s: %w", f.Name(), err)
		}
		sum := sha256.Sum256(body)
		out[f.Name()] = &asset{body: body, zipped: z.Bytes(), kind: mime.TypeByExtension(path.Ext(f.Name())), version: hex.EncodeToString(sum[:8])}
	}
	return out, nil
}

// assetPath is where a page finds an asset: the address changes with the content, so
// that browsers keep it for good.
func (u *UI) assetPath(name string) (string, error) {
	a, ok := u.assets[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return "/ui/assets/" + name + "?v=" + a.version, nil
}

func (u *UI) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := u.assets[r.PathValue("name")]
	if !ok {
		u.problem(w, r, notFound("there is no such file"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", `"`+a.version+`"`)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "public, max-age=3600")
	if r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+a.version+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	_, _ = w.Write(body) // a reader that went away is no fault of ours
}
