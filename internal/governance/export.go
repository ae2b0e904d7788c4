package governance

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/internal/directory"
	"purser/internal/focus"
)

// Export is an export that is kept up: files of whole days, by month, at a place.
type Export struct {
	Format   string        `json:"format"`            // focus, cbf, vantage, usage
	Version  focus.Version `json:"version,omitempty"` // of focus; default 1.2
	File     string        `json:"file,omitempty"`    // csv or parquet; default csv, of usage parquet
	Rows     string        `json:"rows,omitempty"`    // hour, day or request; default hour, of vantage day
	Raw      bool          `json:"raw,omitempty"`     // whose it is as it was recorded, without the rules of tags
	Every    string        `json:"every,omitempty"`   // hour or day; default day
	Lag      int64         `json:"lag_minutes,omitempty"`
	From     string        `json:"from,omitempty"` // the first day, such as 2026-11-01; default that of the month it was made in
	To       ExportTo      `json:"to"`
	Disabled bool          `json:"disabled,omitempty"`
}

// ExportTo is where files go: one of the two.
type ExportTo struct {
	Dir string    `json:"dir,omitempty"` // below exports.dir of the configuration
	S3  *ExportS3 `json:"s3,omitempty"`
}

// ExportS3 is a bucket of an S3-compatible store. Keys are named, and in the configuration.
type ExportS3 struct {
	Endpoint  string `json:"endpoint,omitempty"` // such as https://minio.internal:9000; default AWS's of the region
	Region    string `json:"region"`
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix,omitempty"`     // of keys, without a slash at its ends
	PathStyle bool   `json:"path_style,omitempty"` // the bucket is in the path, and not in the host's name
	AllowHTTP bool   `json:"allow_http,omitempty"` // send without TLS
	AccessKey string `json:"access_key"`           // a name under exports.secrets of the configuration
	SecretKey string `json:"secret_key"`           // the same
	Session   string `json:"session_token,omitempty"`
}

// Limits of an export.
const (
	maxExportPath = 200
	maxExportLag  = 7 * 24 * 60 // minutes
	// DefaultExportLag is how long after an hour or a day it is written, in minutes.
	DefaultExportLag = 15
)

// Form is what its files are.
func (e *Export) Form() (focus.Form, error) {
	return focus.Form{Format: e.Format, Version: e.Version, File: e.File, Rows: e.Rows, Raw: e.Raw}.Complete()
}

// Validate implements Spec.
func (e *Export) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := e.Form(); err != nil {
		errs = append(errs, err)
	}
	if e.Every != "" && e.Every != "hour" && e.Every != "day" {
		bad("every: %.40q is neither hour nor day", e.Every)
	}
	if e.Lag < 0 || e.Lag > maxExportLag {
		bad("lag_minutes: %d is not 0 to %d", e.Lag, maxExportLag)
	}
	if e.From != "" && !isDay(e.From) {
		bad("from: %.40q is not a day such as 2026-11-01", e.From)
	}
	switch {
	case (e.To.Dir == "") == (e.To.S3 == nil):
		bad("to: give dir, or s3: one of the two")
	case e.To.S3 == nil:
		if err := safePath(e.To.Dir); err != nil {
			bad("to.dir: %w", err)
		}
	default:
		errs = append(errs, e.To.S3.validate()...)
	}
	return errors.Join(errs...)
}

// Refs implements Spec.
func (*Export) Refs() []directory.Ref { return nil }

func (s *ExportS3) validate() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("to.s3."+format, args...)) }
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "") {
		bad("endpoint: is not an address of scheme and host alone")
	} else if s.Endpoint != "" && u.Scheme != "https" && (u.Scheme != "http" || !s.AllowHTTP) {
		bad("endpoint: files are not sent without TLS; use https, or set allow_http: true")
	}
	if !plainName(s.Region, 64) {
		bad("region: %.40q is none", s.Region)
	}
	if !plainName(s.Bucket, 63) || len(s.Bucket) < 3 {
		bad("bucket: %.40q is no name of a bucket", s.Bucket)
	}
	if s.Prefix != "" {
		if err := safePath(s.Prefix); err != nil {
			bad("prefix: %w", err)
		}
	}
	for _, secret := range [...]struct{ field, name string }{{"access_key", s.AccessKey}, {"secret_key", s.SecretKey}, {"session_token", s.Session}} {
		if secret.name == "" && secret.field != "session_token" || secret.name != "" && !secretName(secret.name) {
			bad("%s: is to be a name of a-z, 0-9, '_' and '-' under exports.secrets of the configuration, not the secret", secret.field)
		}
	}
	return errs
}

// secretName tells a name from a key: keys of AWS's have upper case or are longer.
func secretName(s string) bool {
	return len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func plainName(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && !strings.HasPrefix(s, ".") && !strings.Contains(s, "..")
}

// safePath refuses what would lead out of its place, or mean something to a shell.
func safePath(path string) error {
	const chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-=/"
	if len(path) > maxExportPath || strings.Trim(path, chars) != "" {
		return fmt.Errorf("is not up to %d characters of a-z, A-Z, 0-9, '.', '_', '-', '=', '/'", maxExportPath)
	}
	if slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "" || part == "." || part == ".." }) {
		return errors.New("has an empty part, '.' or '..', or begins or ends with a slash")
	}
	return nil
}

// isDay tells whether a text is a date; which days a month has is not looked at.
func isDay(s string) bool {
	if len(s) != len("2026-11-01") || s[4] != '-' || s[7] != '-' {
		return false
	}
	y, errY := strconv.Atoi(s[:4])
	m, errM := strconv.Atoi(s[5:7])
	d, errD := strconv.Atoi(s[8:])
	return errors.Join(errY, errM, errD) == nil && y >= 2020 && y < 2200 && m >= 1 && m <= 12 && d >= 1 && d <= 31
}

// Exports reads the exports of a directory, by ID. One that this build cannot read is
// left out, and is an error of its own.
func Exports(s *directory.State) (list []KeptExport, unreadable []error) {
	k, _ := kindNumbered(directory.ObjectExport)
	for o := range s.Objects(directory.ObjectExport) {
		spec, err := k.Decode(o.Spec)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("%s is not readable by this build: %w", Named(o.Ref), err))
			continue
		}
		list = append(list, KeptExport{Object: o, Says: spec.(*Export)})
	}
	slices.SortFunc(list, func(a, b KeptExport) int { return strings.Compare(a.ID, b.ID) })
	return list, unreadable
}

// KeptExport is an export and the object that says so.
type KeptExport struct {
	*directory.Object
	Says *Export
}
