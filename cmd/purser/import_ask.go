package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// lists are the answers of a LiteLLM proxy.
type lists struct{ keys, teams, users []byte }

const (
	// pageRows is how many rows LiteLLM gives at most.
	pageRows = 100
	// maxPages bounds what is asked: more keys than the directory takes.
	maxPages = 4096
	// maxPageBytes bounds one answer; a list of teams is one.
	maxPageBytes = 64 << 20
	// askWait bounds one question.
	askWait = 60 * time.Second
)

// askLiteLLM reads the three lists, page by page.
func askLiteLLM(ctx context.Context, base, key string) (out lists, err error) {
	if key == "" {
		return out, errors.New("the variable is empty")
	}
	a := asker{base: strings.TrimRight(base, "/"), key: key}
	rows, err := a.pages(ctx, "/key/list", "keys", "size", url.Values{"return_full_object": {"true"}})
	if err != nil {
		return out, err
	}
	out.keys = join(rows)
	if out.teams, err = a.get(ctx, "/team/list", nil); err != nil {
		return out, err
	}
	if rows, err = a.pages(ctx, "/user/list", "users", "page_size", url.Values{}); err != nil {
		return out, err
	}
	out.users = join(rows)
	return out, nil
}

type asker struct{ base, key string }

// pages reads a list whose pages say how many there are.
func (a *asker) pages(ctx context.Context, path, name, size string, q url.Values) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	q.Set(size, strconv.Itoa(pageRows))
	for page := 1; page <= maxPages; page++ {
		q.Set("page", strconv.Itoa(page))
		b, err := a.get(ctx, path, q)
		if err != nil {
			return nil, err
		}
		var answer map[string]json.RawMessage
		var some []json.RawMessage
		var all, total int
		err = json.Unmarshal(b, &answer)
		if err == nil {
			err = json.Unmarshal(answer[name], &some)
		}
		if err == nil {
			err = json.Unmarshal(answer["total_pages"], &all)
		}
		if err != nil {
			return nil, fmt.Errorf("%s answers no page of %s: %w", path, name, err)
		}
		rows = append(rows, some...)
		if page < all {
			continue
		}
		count := answer["total_count"]
		if count == nil {
			count = answer["total"]
		}
		if json.Unmarshal(count, &total) == nil && total != len(rows) {
			return nil, fmt.Errorf("%s gave %d of %d %s: they changed meanwhile; ask again", path, len(rows), total, name)
		}
		return rows, nil
	}
	return nil, fmt.Errorf("%s has more than %d pages", path, maxPages)
}

func (a *asker) get(ctx context.Context, path string, q url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPageBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", path, res.Status) // its body may say the key
	case len(b) > maxPageBytes:
		return nil, fmt.Errorf("%s answers more than %d MiB", path, maxPageBytes>>20)
	}
	return b, nil
}
