package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"purser/internal/access"
)

// Client calls the admin API of a node.
type Client struct {
	URL   string // of the node, without /admin/v1
	Token string
	// Source gives the token of each request where Token is empty; nil: none is sent.
	Source func(context.Context) (string, error)
	Read   Read         // of budgets, status and members
	HTTP   *http.Client // nil: the default one
}

// clientTimeout bounds one call; the slowest, a wide usage query, takes seconds.
const clientTimeout = 60 * time.Second

// maxAnswer bounds what a client reads of one answer.
const maxAnswer = 64 << 20

// CreateKey makes a virtual key.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (out CreatedKey, err error) {
	err = c.call(ctx, http.MethodPost, "/keys", k, &out)
	return out, err
}

// ListKeys lists the virtual keys.
func (c *Client) ListKeys(ctx context.Context) ([]Key, error) {
	var out struct{ Keys []Key }
	err := c.call(ctx, http.MethodGet, "/keys", nil, &out)
	return out.Keys, err
}

// FindKey finds the virtual key whose secret has this SHA-256, in hexadecimal.
func (c *Client) FindKey(ctx context.Context, hash string) (Key, error) {
	var out struct{ Keys []Key }
	if err := c.call(ctx, http.MethodGet, "/keys?sha256="+url.QueryEscape(hash), nil, &out); err != nil {
		return Key{}, err
	}
	if len(out.Keys) == 0 {
		return Key{}, NotFound("no key of this secret")
	}
	return out.Keys[0], nil
}

// RevokeKey revokes a virtual key.
func (c *Client) RevokeKey(ctx context.Context, id string) (out Key, err error) {
	err = c.call(ctx, http.MethodPost, "/keys/"+url.PathEscape(id)+"/revoke", nil, &out)
	return out, err
}

// PutBudget creates or changes a budget.
func (c *Client) PutBudget(ctx context.Context, b Budget) (out Budget, err error) {
	err = c.call(ctx, http.MethodPut, "/budgets/"+url.PathEscape(b.ID), b, &out)
	return out, err
}

// DeleteBudget closes a budget.
func (c *Client) DeleteBudget(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/budgets/"+url.PathEscape(id), nil, nil)
}

// ReleaseBudget gives back what a restore withheld of a budget.
func (c *Client) ReleaseBudget(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/budgets/"+url.PathEscape(id)+"/release", nil, nil)
}

// ListBudgets lists the budgets with their open accounts.
func (c *Client) ListBudgets(ctx context.Context) ([]BudgetDetail, error) {
	var out struct{ Budgets []BudgetDetail }
	err := c.call(ctx, http.MethodGet, "/budgets"+c.how(), nil, &out)
	return out.Budgets, err
}

// ShowBudget shows one budget with its open accounts.
func (c *Client) ShowBudget(ctx context.Context, id string) (out BudgetDetail, err error) {
	err = c.call(ctx, http.MethodGet, "/budgets/"+url.PathEscape(id)+c.how(), nil, &out)
	return out, err
}

// Status asks how the node is.
func (c *Client) Status(ctx context.Context) (out Status, err error) {
	err = c.call(ctx, http.MethodGet, "/status"+c.how(), nil, &out)
	return out, err
}

// Members lists the nodes of the cluster.
func (c *Client) Members(ctx context.Context) (out Members, err error) {
	err = c.call(ctx, http.MethodGet, "/cluster"+c.how(), nil, &out)
	return out, err
}

// NewToken makes a join token.
func (c *Client) NewToken(ctx context.Context, in NewToken) (out Token, err error) {
	err = c.call(ctx, http.MethodPost, "/cluster/tokens", in, &out)
	return out, err
}

// ChangeNode drains, resumes, removes or fences a node, or has it lead.
func (c *Client) ChangeNode(ctx context.Context, id string, change NodeChange) error {
	return c.call(ctx, http.MethodPost, "/cluster/nodes/"+url.PathEscape(id)+"/"+string(change), nil, nil)
}

// CreateAdminToken makes an admin token.
func (c *Client) CreateAdminToken(ctx context.Context, t NewAdminToken) (out CreatedAdminToken, err error) {
	err = c.call(ctx, http.MethodPost, "/tokens", t, &out)
	return out, err
}

// ListAdminTokens lists the admin tokens.
func (c *Client) ListAdminTokens(ctx context.Context) ([]AdminToken, error) {
	var out struct{ Tokens []AdminToken }
	err := c.call(ctx, http.MethodGet, "/tokens", nil, &out)
	return out.Tokens, err
}

// RevokeAdminToken ends an admin token for good.
func (c *Client) RevokeAdminToken(ctx context.Context, id string) (out AdminToken, err error) {
	err = c.call(ctx, http.MethodPost, "/tokens/"+url.PathEscape(id)+"/revoke", nil, &out)
	return out, err
}

// Whoami asks who the caller is, and what they may do.
func (c *Client) Whoami(ctx context.Context) (out Whoami, err error) {
	err = c.call(ctx, http.MethodGet, "/whoami", nil, &out)
	return out, err
}

// LoginClient asks how people log in. It needs no token.
func (c *Client) LoginClient(ctx context.Context) (out access.LoginClient, err error) {
	err = c.call(ctx, http.MethodGet, "/login/client", nil, &out)
	return out, err
}

// how is the query of a read.
func (c *Client) how() string {
	if c.Read == Stale {
		return "?stale=ok"
	}
	return ""
}

// call sends one request; an error answer comes back as a *Fault.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	return c.callIf(ctx, method, path, nil, in, out)
}

// callIf is call for a change of what is expected.
func (c *Client) callIf(ctx context.Context, method, path string, expect Expect, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	res, err := c.send(ctx, method, path, conditions(expect), in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the node's answer: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return c.fault(res, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the node's answer: %w", err)
	}
	return nil
}

// send sends one request; the caller closes the answer's body.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+"/admin/v1"+path, body)
	if err != nil {
		return nil, fmt.Errorf("the node's address %q: %w", c.URL, err)
	}
	maps.Copy(req.Header, header)
	token := c.Token
	if token == "" && c.Source != nil {
		if token, err = c.Source(ctx); err != nil {
			return nil, err
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := cmp.Or(c.HTTP, http.DefaultClient).Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the node at %s (is it running? set --url or PURSER_URL): %w", c.URL, err)
	}
	return res, nil
}
