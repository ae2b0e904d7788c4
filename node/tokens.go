package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/directory"
	"purser/ledger"
)

// tokenTable is the admin tokens as this node knows them: compiled when the
// directory changed, and swapped whole.
type tokenTable struct {
	now   atomic.Pointer[access.Tokens]
	known map[string]knownToken // by id; only compile touches it
}

type knownToken struct {
	version uint64
	token   *access.Token
}

// compile puts the tokens of a directory in place. One that this build cannot read
// is left out: whoever holds it is refused.
func (t *tokenTable) compile(s *directory.State, log *slog.Logger) {
	known := map[string]knownToken{}
	var list []*access.Token
	for o := range s.Objects(directory.ObjectAdminToken) {
		k := t.known[o.ID]
		if k.version != o.Version {
			var err error
			if k.token, err = readToken(o); err != nil {
				log.Error("an admin token cannot be read by this build, and is refused", slog.String("token", o.ID), slog.Any("error", err))
			}
			k.version = o.Version
		}
		known[o.ID] = k
		if k.token != nil {
			list = append(list, k.token)
		}
	}
	t.known = known
	t.now.Store(access.NewTokens(list))
}

func readToken(o *directory.Object) (*access.Token, error) {
	t := &access.Token{}
	d := json.NewDecoder(bytes.NewReader(o.Spec))
	d.DisallowUnknownFields() // of a later build; it may be a limit
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("reading admin token %s: %w", o.ID, err)
	}
	if t.ID != o.ID {
		return nil, fmt.Errorf("admin token %s is stored as %s", t.ID, o.ID)
	}
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("admin token %s: %w", o.ID, err)
	}
	return t, nil
}

// Ended tokens are kept for a while, so that lists show what became of them.
const (
	keepEnded = 30 * 24 * time.Hour
	// maxSweep is how many are forgotten with each that is made.
	maxSweep = 16
)

// Tokens implements admin.Tokens.
func (c control) Tokens() *access.Tokens { return c.n.adminTokens.now.Load() }

// CreateToken implements admin.Tokens.
func (c control) CreateToken(ctx context.Context, t *access.Token) (string, error) {
	id, random := make([]byte, keyIDBytes), make([]byte, secretBytes)
	_, _ = rand.Read(id) // crypto/rand.Read never fails since Go 1.24
	_, _ = rand.Read(random)
	secret := access.TokenPrefix + lowerBase32.EncodeToString(random)
	t.ID, t.Hash, t.Created = "tok_"+lowerBase32.EncodeToString(id), access.HashOf(secret), time.Now().Unix()
	if err := c.makeRoom(ctx); err != nil {
		return "", err
	}
	return secret, c.putToken(ctx, t, 0)
}

// RevokeToken implements admin.Tokens.
func (c control) RevokeToken(ctx context.Context, id string) (*access.Token, error) {
	o, ok := c.n.fsm.Directory().Object(directory.Ref{Kind: directory.ObjectAdminToken, ID: id})
	if !ok {
		return nil, admin.NotFound("no admin token " + strconv.Quote(id))
	}
	t, err := readToken(o)
	if err != nil {
		return nil, err
	}
	if t.Revoked == 0 {
		t.Revoked = time.Now().Unix()
		err = c.putToken(ctx, t, o.Version)
	}
	return t, err
}

// maxEndedSessions is how many sessions one person may have ended that would still
// last: they take the room of tokens, and whoever may log in can end some.
const maxEndedSessions = 64

// EndSession implements admin.Tokens: the session is kept as a token that grants
// nothing until it would have ended by itself.
func (c control) EndSession(ctx context.Context, h access.Hash, expires time.Time) error {
	who := admin.ActorFrom(ctx).Name
	if endedBy(c.Tokens().All(), who, now()) >= maxEndedSessions {
		return admin.Conflict(fmt.Sprintf("there are %d ended sessions of %s that would still last, the most there may be; this one ends at %s", maxEndedSessions, who, expires.UTC().Format(time.RFC3339)))
	}
	if err := c.makeRoom(ctx); err != nil {
		return err
	}
	const digits = 32
	t := &access.Token{ID: "ses_" + string(h[:digits]), Name: "session", Hash: h, Session: true, Expires: expires.Unix(), Created: time.Now().Unix(), By: who}
	return c.putToken(ctx, t, directory.AnyVersion)
}

// endedBy is how many sessions a person has ended that would still last.
func endedBy(list []*access.Token, who string, at ledger.Instant) (n int) {
	for _, t := range list {
		if t.Session && t.By == who && !forgettable(t, at, false) {
			n++
		}
	}
	return n
}

func (c control) putToken(ctx context.Context, t *access.Token, expect uint64) error {
	if err := t.Validate(); err != nil {
		return admin.Invalid(err.Error())
	}
	spec, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding an admin token: %w", err)
	}
	ref := directory.Ref{Kind: directory.ObjectAdminToken, ID: t.ID}
	return c.changeObject(ctx, ref, directory.PutObject{Ref: ref, Expect: expect, Spec: spec}, nil)
}

// makeRoom forgets some tokens that ended long ago, or when the table is full any
// that have ended.
func (c control) makeRoom(ctx context.Context) error {
	list := c.Tokens().All()
	full := len(list) >= access.MaxTokens
	gone := 0
	for _, t := range list {
		if gone >= maxSweep || !forgettable(t, now(), full) {
			continue
		}
		ref := directory.Ref{Kind: directory.ObjectAdminToken, ID: t.ID}
		if err := c.changeObject(ctx, ref, directory.DeleteObject{Ref: ref, Expect: directory.AnyVersion}, nil); err != nil {
			return err
		}
		gone++
	}
	if full && gone == 0 {
		return admin.Conflict(fmt.Sprintf("there are %d admin tokens, the most there may be; revoke some", len(list)))
	}
	return nil
}

// forgettable says that a token ended long enough ago. A session is kept until it
// would have ended, whatever the room: its cookie is good until then.
func forgettable(t *access.Token, at ledger.Instant, full bool) bool {
	seconds := int64(at / ledger.Second)
	if t.Session {
		return seconds >= t.Expires
	}
	ended := t.Revoked
	if ended == 0 {
		ended = t.Expires
	}
	switch {
	case ended == 0 || seconds < ended:
		return false
	case full:
		return true
	}
	return seconds-ended > int64(keepEnded/time.Second)
}

// Complete implements admin.Hierarchy. The team of a member is not among what
// follows: a request of the member may say another.
func (c control) Complete(in map[string]string) (map[string]string, bool) {
	rules, err := c.n.objects.compiled()
	if err != nil {
		return nil, false
	}
	dims, err := dimensions(in)
	if err != nil || rules.Follow(&dims) != nil {
		return nil, false
	}
	return dimensionMap(&dims), true
}

// TeamsOf implements admin.Hierarchy.
func (c control) TeamsOf(org string) []string {
	rules, err := c.n.objects.compiled()
	if err != nil {
		return nil
	}
	return rules.TeamsOf(org)
}
