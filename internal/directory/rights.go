package directory

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of what a key may carry beside its dimensions (L9).
const (
	// MaxDescription is the longest description, in bytes: a few lines of a ticket.
	MaxDescription = 512
	// MaxPatterns is how many patterns one list of a key may have.
	MaxPatterns = 64
	// MaxPattern is the longest pattern, in bytes; no path and no provider comes near.
	MaxPattern = 256
	// MaxChildren is how many children with a slice of the budget one key may have at
	// a time, and DefaultChildren how many where it does not say.
	MaxChildren     = 4096
	DefaultChildren = 1000
)

// Scopes say what a key may be used for. The bits are append-only.
type Scopes uint32

// The scopes.
const (
	ScopeInference  Scopes = 1 << iota // calls that a model answers, and what belongs to them
	ScopeEmbeddings                    // embeddings
	ScopeModels                        // lists of models
	ScopeMint                          // child keys
	ScopeUsage                         // what the key itself has used and may still spend
	ScopeCacheTrace                    // how the caches come to answer what it asks
	endOfScopes
)

// DefaultScopes are those of a key that names none.
const DefaultScopes = ScopeInference | ScopeEmbeddings | ScopeModels | ScopeUsage

var scopeNames = [...]string{"inference", "embeddings", "models:list", "children:mint", "usage:self", "cache:trace"}

// ParseScope is the scope of that name.
func ParseScope(name string) (Scopes, error) {
	for i, n := range scopeNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q: there are %s", clip(name), strings.Join(scopeNames[:], ", "))
}

// Names are the names of the scopes, in order of their bits.
func (s Scopes) Names() (names []string) {
	for i, n := range scopeNames {
		if s&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// OwnerKind is what owns a key. The numbers are append-only.
type OwnerKind uint8

// The kinds of owner.
const (
	Unowned OwnerKind = iota
	OwnedByMember
	OwnedByAgent
	OwnedByTeam
	endOfOwners
)

var ownerNames = [...]string{OwnedByMember: "member", OwnedByAgent: "agent", OwnedByTeam: "team"}

// Owner is whose a key is. Nothing is decided by it: what requests are charged to
// are the key's bound dimensions.
type Owner struct {
	Kind OwnerKind
	ID   string // as [ValidObjectID] takes it; "" of an unowned key
}

// ParseOwner reads "member:<id>", "agent:<id>" or "team:<id>"; "" is nobody.
func ParseOwner(text string) (Owner, error) {
	if text == "" {
		return Owner{}, nil
	}
	kind, id, _ := strings.Cut(text, ":")
	for k, name := range ownerNames {
		if name != "" && name == kind {
			o := Owner{OwnerKind(k), id}
			return o, o.validate()
		}
	}
	return Owner{}, fmt.Errorf("owner %q is not member:<id>, agent:<id> or team:<id>", clip(text))
}

// String is the inverse of [ParseOwner].
func (o Owner) String() string {
	if o.Kind == Unowned || o.Kind >= endOfOwners {
		return ""
	}
	return ownerNames[o.Kind] + ":" + o.ID
}

func (o Owner) validate() error {
	switch {
	case o.Kind >= endOfOwners:
		return fmt.Errorf("no owner is of kind %d", o.Kind)
	case o.Kind == Unowned && o.ID != "":
		return errors.New("an owner of no kind has an id")
	case o.Kind == Unowned:
		return nil
	}
	return ValidObjectID(o.ID)
}

// Can says whether the key has every one of the scopes.
func (k *Key) Can(s Scopes) bool {
	have := k.Scopes
	if have == 0 {
		have = DefaultScopes
	}
	return have&s == s
}

// MayHave is how many children with a slice the key may have at a time.
func (k *Key) MayHave() int {
	if k.MaxChildren == 0 {
		return DefaultChildren
	}
	return int(k.MaxChildren)
}

// validateRights checks what a key has beside its dimensions.
func (k *Key) validateRights() error {
	if err := validText(k.Description, MaxDescription); err != nil {
		return fmt.Errorf("description of key %s: %w", k.ID, err)
	}
	if err := k.Owner.validate(); err != nil {
		return fmt.Errorf("owner of key %s: %w", k.ID, err)
	}
	for i, list := range [][]string{k.AllowEndpoints, k.AllowProviders, k.AllowUpstreams} {
		if err := validPatterns(list); err != nil {
			return fmt.Errorf("%s of key %s: %w", [...]string{"endpoints", "providers", "upstreams"}[i], k.ID, err)
		}
	}
	if k.Scopes >= endOfScopes {
		return fmt.Errorf("key %s has a scope that does not exist", k.ID)
	}
	if k.MaxChildren > MaxChildren {
		return fmt.Errorf("key %s may have %d children, the most is %d", k.ID, k.MaxChildren, MaxChildren)
	}
	return nil
}

func validPatterns(list []string) error {
	if len(list) > MaxPatterns {
		return fmt.Errorf("%d of them, the most is %d", len(list), MaxPatterns)
	}
	for i, p := range list {
		if p == "" {
			return fmt.Errorf("number %d is empty", i)
		}
		if err := validText(p, MaxPattern); err != nil {
			return fmt.Errorf("number %d: %w", i, err)
		}
	}
	return nil
}

// clip keeps an error about an oversized string short.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
