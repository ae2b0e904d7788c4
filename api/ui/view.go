package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
)

//go:embed templates
var templateFiles embed.FS

// view is what a template is executed with.
type view struct {
	Title string
	Data  any // of the page

	Path   string   // of the page
	Here   string   // path and query
	URL    *url.URL // the same
	Places []place
	Who    *admin.Whoami // nil: nobody is logged in
	Theme  string
	Themes []string
	Flash  []flash
	Now    time.Time
	Again  bool // the page is to be asked for again, at once
}

// view is one of nobody's, such as the login.
func (u *UI) view(r *http.Request, title string, data any) *view {
	v := &view{Title: title, Data: data, Path: r.URL.Path, Here: "/ui/", URL: r.URL, Theme: "auto", Themes: themes, Now: u.Now()}
	if r.Method == http.MethodGet {
		v.Here = r.URL.RequestURI()
	}
	if t, ok := cookieOf(r, themeCookie); ok && slices.Contains(themes, t) {
		v.Theme = t
	}
	return v
}

// Render answers with a template and what it shows.
func (c *Call) Render(page, title string, data any) error {
	return c.RenderAs(http.StatusOK, page, title, data)
}

// RenderAs is Render with a status, such as that of a form with wrong input.
func (c *Call) RenderAs(status int, page, title string, data any) error {
	c.u.render(c.W, c.R, status, page, c.view(title, data))
	return nil
}

// view is one of the reader's.
func (c *Call) view(title string, data any) *view {
	v := c.u.view(c.R, title, data)
	v.Who, v.Flash, v.Now = &c.Who, c.flash, c.Now
	for _, p := range places {
		if c.Can(p.needs) && (!p.whole || c.CanAll(p.needs)) {
			v.Places = append(v.Places, p)
		}
	}
	return v
}

// Part answers with a part of a page, for a page that is shown already.
func (c *Call) Part(page, name string, data any) error {
	v := c.u.view(c.R, "", data)
	v.Now = c.Now
	c.u.execute(c.W, c.R, http.StatusOK, page, name, v)
	return nil
}

// Active says that a line of the navigation leads to the page, or to one above it.
func (v *view) Active(p place) bool {
	return p.Path == v.Path || p.Path != "/ui/" && strings.HasPrefix(v.Path, p.Path+"/")
}

// render answers with a whole page.
func (u *UI) render(w http.ResponseWriter, r *http.Request, status int, page string, v *view) {
	u.execute(w, r, status, page, "layout", v)
}

// execute executes a template into memory first, so that a fault in it is a whole answer.
func (u *UI) execute(w http.ResponseWriter, r *http.Request, status int, page, name string, v *view) {
	t, ok := u.pages[page]
	if !ok {
		panic("ui: no template is named " + page)
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, v); err != nil {
		u.Log.ErrorContext(r.Context(), "a page of the dashboard could not be rendered", slog.String("page", page), slog.Any("error", err))
		http.Error(w, "The page could not be rendered; the node's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // a reader that went away is no fault of ours
}

// loadTemplates parses each page with the layout and the parts that pages share.
func (u *UI) loadTemplates() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions).Funcs(template.FuncMap{"asset": u.assetPath}).ParseFS(templateFiles, "templates/layout.html", "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the templates: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("listing the templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		if f.IsDir() || f.Name() == "layout.html" {
			continue
		}
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, path.Join("templates", f.Name()))
		}
		if err != nil {
			return nil, fmt.Errorf("parsing the templates: %w", err)
		}
		pages[strings.TrimSuffix(f.Name(), ".html")] = t
	}
	return pages, nil
}
