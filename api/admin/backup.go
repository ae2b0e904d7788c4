package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// backupType is the media type of a backup.
const backupType = "application/vnd.purser.backup"

// backup streams: a state may be larger than what anyone wants to hold twice.
func (a *API) backup(w http.ResponseWriter, r *http.Request) {
	out := &streamed{w: w, mediaType: backupType}
	err := a.Reports.Backup(r.Context(), out)
	switch {
	case err == nil:
	case !out.begun:
		a.fail(w, r, err)
	default:
		a.Log.ErrorContext(r.Context(), "a backup was broken off", slog.Any("error", err))
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
}

// streamed sends each write on its way.
type streamed struct {
	w         http.ResponseWriter
	mediaType string
	begun     bool
}

// Write implements io.Writer.
func (s *streamed) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", s.mediaType)
	}
	n, err := s.w.Write(p)
	if err == nil {
		err = http.NewResponseController(s.w).Flush()
	}
	return n, err
}

// Backup writes the node's replicated state to w. It may take as long as ctx
// lets it. What was written is whole only if reading it says so.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, "/backup", func(r io.Reader) error {
		if _, err := io.Copy(w, r); err != nil {
			return fmt.Errorf("reading the backup: %w", err)
		}
		return nil
	})
}

// stream has read called with the body of an answer, which may take as long as ctx
// lets it.
func (c *Client) stream(ctx context.Context, path string, read func(io.Reader) error) error {
	res, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("reading the node's answer: %w", err)
		}
		return c.fault(res, b)
	}
	return read(res.Body)
}

// fault reads an error answer.
func (c *Client) fault(res *http.Response, body []byte) error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Error.Code == "" {
		return fmt.Errorf("the node at %s answered %s; is it a Purser node?", c.URL, res.Status)
	}
	f := &Fault{Status: res.StatusCode, Code: p.Error.Code, Message: p.Error.Message}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		f.RetryAfter = time.Duration(s) * time.Second
	}
	return f
}
