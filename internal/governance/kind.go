package governance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"purser/internal/directory"
)

// Spec is what an object says.
type Spec interface {
	// Validate says what is wrong with it, by the names of its fields.
	Validate() error
	// Refs are the objects it refers to, in any order.
	Refs() []directory.Ref
}

// Kind is a kind of object.
type Kind struct {
	Number directory.ObjectKind
	Name   string // as messages say it: "team"
	Plural string // as paths and files have it: "teams"
	empty  func() Spec
}

// Kinds are the kinds of object, each after those it may refer to.
var Kinds = []Kind{
	{directory.ObjectOrg, "org", "orgs", func() Spec { return &Org{} }},
	{directory.ObjectTeam, "team", "teams", func() Spec { return &Team{} }},
	{directory.ObjectProject, "project", "projects", func() Spec { return &Project{} }},
	{directory.ObjectMember, "member", "members", func() Spec { return &Member{} }},
	{directory.ObjectAgent, "agent", "agents", func() Spec { return &Agent{} }},
	{directory.ObjectPolicy, "policy", "policies", func() Spec { return &Policy{} }},
	{directory.ObjectRedaction, "redaction", "redactions", func() Spec { return &Redaction{} }},
	{directory.ObjectRouter, "router", "routers", func() Spec { return &Router{} }},
	{directory.ObjectRoute, "route", "routes", func() Spec { return &Route{} }},
	{directory.ObjectLoop, "loop", "loops", func() Spec { return &Loop{} }},
	{directory.ObjectTemplate, "template", "templates", func() Spec { return &Template{} }},
	{directory.ObjectPrompt, "prompt", "prompts", func() Spec { return &Prompt{} }},
	{directory.ObjectLever, "lever", "levers", func() Spec { return &Lever{} }},
	{directory.ObjectExport, "export", "exports", func() Spec { return &Export{} }},
	{directory.ObjectMapping, "mapping", "mappings", func() Spec { return &Mapping{} }},
	{directory.ObjectWebhook, "webhook", "webhooks", func() Spec { return &Webhook{} }},
}

// KindOf finds a kind by its name or plural.
func KindOf(name string) (*Kind, bool) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name || k.Plural == name })
	if i < 0 {
		return nil, false
	}
	return &Kinds[i], true
}

// kindNumbered finds a kind by its number.
func kindNumbered(n directory.ObjectKind) (*Kind, bool) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Number == n })
	if i < 0 {
		return nil, false
	}
	return &Kinds[i], true
}

// Named writes a reference as messages say it: "team blue".
func Named(r directory.Ref) string {
	if k, ok := kindNumbered(r.Kind); ok {
		return k.Name + " " + r.ID
	}
	if r.Kind == directory.ObjectCredential { // has routes of its own: its spec is not shown
		return "credential " + r.ID
	}
	return fmt.Sprintf("object of kind %d %s", r.Kind, r.ID)
}

// Decode reads a spec: one JSON object with no field that the kind does not have.
// What it returns is valid.
func (k *Kind) Decode(b []byte) (Spec, error) {
	if len(b) > directory.MaxSpec {
		return nil, fmt.Errorf("%d bytes, the most is %d", len(b), directory.MaxSpec)
	}
	s := k.empty()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, unreadable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// unreadable says which field has a value of another type than it takes.
func unreadable(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	takes := "a number"
	switch wrong.Type.Kind() {
	case reflect.String:
		takes = "a text"
	case reflect.Bool:
		takes = "true or false"
	case reflect.Slice, reflect.Array:
		takes = "a list"
	case reflect.Map, reflect.Struct:
		takes = "a map of fields"
	default:
	}
	if wrong.Field == "" {
		return fmt.Errorf("it is a %s, and takes %s", wrong.Value, takes)
	}
	return fmt.Errorf("field %q has a %s, and takes %s", wrong.Field, wrong.Value, takes)
}

// Encode writes a spec: the same one in the same bytes.
func Encode(s Spec) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding a spec: %w", err)
	}
	return b, nil
}

// Put makes the command that gives an object this spec.
func (k *Kind) Put(id string, expect uint64, s Spec) (directory.PutObject, error) {
	refs := s.Refs()
	if n, ok := s.(interface {
		Named(id string) []directory.Ref
	}); ok {
		refs = append(refs, n.Named(id)...)
	}
	slices.SortFunc(refs, directory.Ref.Compare)
	refs = slices.Compact(refs)
	if len(refs) > directory.MaxRefs {
		return directory.PutObject{}, fmt.Errorf("it refers to %d objects, the most is %d", len(refs), directory.MaxRefs)
	}
	b, err := Encode(s)
	if err != nil {
		return directory.PutObject{}, err
	}
	if len(b) > directory.MaxSpec {
		return directory.PutObject{}, fmt.Errorf("it has %d bytes, the most is %d", len(b), directory.MaxSpec)
	}
	return directory.PutObject{Ref: directory.Ref{Kind: k.Number, ID: id}, Expect: expect, Refs: refs, Spec: b}, nil
}
