package ui

import (
	"net/http"
	"net/url"
	"strings"
)

// export is a file that a page offers.
type export struct{ Name, Link, What string }

// mayDownload says which answers of the API can be had as files.
func mayDownload(path string) bool {
	return path == "usage" || path == "usage/records" || path == "economics/units" || path == "statements" || strings.HasPrefix(path, "export/") && !strings.Contains(path[len("export/"):], "/")
}

// exports are the files about a selection.
func (s *selection) exports() []export {
	v := s.values()
	file := func(path string, more ...string) string {
		q := url.Values{}
		for name, values := range v {
			q[name] = values
		}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		u := url.URL{Path: "/ui/download/" + path, RawQuery: q.Encode()}
		return u.String()
	}
	by := strings.Join(s.By, ",")
	return []export{
		{"CSV", file("usage", "group", by, "format", "csv"), "this table"},
		{"JSON", file("usage", "group", by), "this table"},
		{"JSON lines", file("usage/records"), "each request"},
		{"FOCUS", file("export/focus"), "charges as the FinOps Open Cost and Usage Specification has them"},
	}
}

// download hands on an answer of the API, as a file.
func download(c *Call) error {
	path := c.R.PathValue("path")
	if !mayDownload(path) {
		return notFound("there is no such file")
	}
	r, err := http.NewRequestWithContext(c.R.Context(), http.MethodGet, "/admin/v1/"+path+"?"+c.R.URL.RawQuery, http.NoBody)
	if err != nil {
		return invalid("The address has a character that none may have.")
	}
	c.u.lend(r, c.R)
	w := &handedOn{w: c.W, name: strings.ReplaceAll(path, "/", "-")}
	c.u.API.ServeHTTP(w, r)
	if w.wrong != nil {
		return faultOf(w.wrong)
	}
	return nil
}

// handedOn writes a good answer on to a browser as a file, and keeps a bad one.
type handedOn struct {
	w     http.ResponseWriter
	name  string
	begun bool
	wrong *answer
}

// endings of the files, by the beginning of their media type.
var endings = []struct{ kind, ending string }{
	{"text/csv", ".csv"}, {"text/html", ".html"}, {"application/x-ndjson", ".jsonl"}, {"application/json", ".json"}, {"application/vnd.apache.parquet", ".parquet"}, {"application/zip", ".zip"},
}

// Header implements http.ResponseWriter.
func (h *handedOn) Header() http.Header { return h.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (h *handedOn) WriteHeader(status int) {
	switch {
	case h.begun || h.wrong != nil:
	case status >= http.StatusBadRequest:
		h.wrong = &answer{status: status}
	default:
		h.begun = true
		if h.Header().Get("Content-Disposition") == "" {
			name := "purser-" + h.name
			for _, e := range endings {
				if strings.HasPrefix(h.Header().Get("Content-Type"), e.kind) {
					name += e.ending
					break
				}
			}
			h.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		}
		h.w.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (h *handedOn) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if h.wrong != nil {
		return h.wrong.Write(p)
	}
	return h.w.Write(p)
}

// Unwrap is for http.ResponseController.
func (h *handedOn) Unwrap() http.ResponseWriter { return h.w }
