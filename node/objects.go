package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/proxy/template"
)

// ObjectKinds implements admin.Objects.
func (c control) ObjectKinds() []string {
	var out []string
	for _, k := range governance.Kinds {
		out = append(out, k.Plural)
	}
	return out
}

// ListObjects implements admin.Objects.
func (c control) ListObjects(ctx context.Context, kind string, how admin.Read) ([]admin.Object, admin.Age, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, 0, err
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	list := []admin.Object{}
	for o := range c.n.fsm.Directory().Objects(k.Number) {
		list = append(list, objectText(o))
	}
	slices.SortFunc(list, func(a, b admin.Object) int { return strings.Compare(a.ID, b.ID) })
	return list, age, nil
}

// ShowObject implements admin.Objects.
func (c control) ShowObject(ctx context.Context, kind, id string, how admin.Read) (admin.Object, admin.Age, error) {
	k, err := kindOf(kind)
	if err != nil {
		return admin.Object{}, 0, err
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.Object{}, 0, err
	}
	o, ok := c.n.fsm.Directory().Object(directory.Ref{Kind: k.Number, ID: id})
	if !ok {
		return admin.Object{}, age, admin.NotFound("no " + k.Name + " " + strconv.Quote(id))
	}
	return objectText(o), age, nil
}

// PutObject implements admin.Objects.
func (c control) PutObject(ctx context.Context, kind, id string, expect admin.Expect, spec json.RawMessage) (admin.Object, error) {
	k, err := kindOf(kind)
	if err != nil {
		return admin.Object{}, err
	}
	read, err := k.Decode(spec)
	if err != nil {
		return admin.Object{}, admin.Invalid(k.Name + " " + strconv.Quote(id) + ": " + err.Error())
	}
	if l, ok := read.(*governance.Loop); ok && l.Forgiven == nil {
		return c.putLoop(ctx, k, id, expect, l)
	}
	return c.putSpec(ctx, k, id, expect, read)
}

func (c control) putSpec(ctx context.Context, k *governance.Kind, id string, expect admin.Expect, read governance.Spec) (admin.Object, error) {
	if r, ok := read.(*governance.Redaction); ok {
		if err := c.n.objects.checkRedaction(id, r.Spec); err != nil {
			return admin.Object{}, admin.Invalid(err.Error())
		}
	}
	version := versionOf(expect)
	if _, ok := read.(*governance.Template); ok {
		if name, v, _, err := template.ParseID(id); err != nil || v == 0 {
			return admin.Object{}, admin.Invalid("a template's id is its name and version, such as support@3; `purser prompt push` counts them")
		} else if o, ok := c.n.fsm.Directory().Object(directory.Ref{Kind: k.Number, ID: id}); ok {
			if spec, err := governance.Encode(read); err != nil || !bytes.Equal(spec, o.Spec) {
				return admin.Object{}, admin.Conflict("version " + strconv.FormatInt(v, 10) + " of the template " + name + " is there, and versions never change: push the next one")
			}
		} else if version != 0 && version != directory.AnyVersion {
			return admin.Object{}, admin.Conflict("template " + id + " is not there, or this node has not seen it yet: read it again")
		}
		version = 0 // never changed: made, or there as it is
	}
	cmd, err := k.Put(id, version, read)
	if err != nil {
		return admin.Object{}, admin.Invalid(k.Name + " " + strconv.Quote(id) + ": " + err.Error())
	}
	if err := c.changeObject(ctx, cmd.Ref, cmd, cmd.Refs); err != nil {
		return admin.Object{}, err
	}
	o, ok := c.n.fsm.Directory().Object(cmd.Ref)
	if !ok {
		return admin.Object{}, admin.Conflict("the " + k.Name + " was put and has been deleted again")
	}
	return objectText(o), nil
}

// DeleteObject implements admin.Objects.
func (c control) DeleteObject(ctx context.Context, kind, id string, expect admin.Expect) error {
	k, err := kindOf(kind)
	if err != nil {
		return err
	}
	cmd := directory.DeleteObject{Ref: directory.Ref{Kind: k.Number, ID: id}, Expect: versionOf(expect)}
	if _, ok := c.n.fsm.Directory().Object(cmd.Ref); !ok {
		if err := c.n.catchUp(ctx); err != nil {
			return ambiguous(err)
		}
		if _, ok := c.n.fsm.Directory().Object(cmd.Ref); !ok {
			return admin.NotFound("no " + k.Name + " " + strconv.Quote(id))
		}
	}
	return c.changeObject(ctx, cmd.Ref, cmd, nil)
}

// changeObject proposes a command and returns once this node's request path has
// seen its effect.
func (c control) changeObject(ctx context.Context, r directory.Ref, cmd directory.Command, refs []directory.Ref) error {
	if err := directory.ValidObjectID(r.ID); err != nil {
		return admin.Invalid(err.Error())
	}
	out, err := c.changeDirectory(ctx, cmd)
	if err != nil {
		return err
	}
	dir := c.n.fsm.Directory()
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	case directory.VersionMismatch:
		if o, ok := dir.Object(r); ok {
			return admin.Conflict(fmt.Sprintf("%s is at version %d: somebody changed it; read it again", governance.Named(r), o.Version))
		}
		return admin.Conflict(governance.Named(r) + " is not there: somebody deleted it")
	case directory.MissingReference:
		var missing []string
		for _, ref := range refs {
			if _, ok := dir.Object(ref); !ok {
				missing = append(missing, governance.Named(ref))
			}
		}
		return admin.Invalid(fmt.Sprintf("%s refers to what is not there: %s", governance.Named(r), strings.Join(missing, ", ")))
	case directory.Referenced:
		return admin.Conflict(fmt.Sprintf("%s is referred to by %s: change these first", governance.Named(r), referrers(dir, r)))
	case directory.CyclicReference:
		return admin.Invalid(governance.Named(r) + " would refer to itself through what it refers to")
	case directory.LimitReached:
		return admin.Conflict(fmt.Sprintf("there is no room: the directory takes %d objects, %d bytes of them, and %d above one", directory.MaxObjects, directory.MaxObjectBytes, directory.MaxAncestors))
	}
	return admin.Invalid("the directory refused " + governance.Named(r) + ": " + out.Code.String())
}

// referrers names some of the objects that refer to one.
func referrers(dir *directory.State, r directory.Ref) string {
	const most = 5
	var names []string
	for _, k := range governance.Kinds {
		for o := range dir.Objects(k.Number) {
			if slices.Contains(o.Refs, r) {
				names = append(names, governance.Named(o.Ref))
			}
		}
	}
	slices.Sort(names)
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func kindOf(name string) (*governance.Kind, error) {
	k, ok := governance.KindOf(name)
	if !ok {
		return nil, admin.NotFound("no kind of object is called " + strconv.Quote(name))
	}
	return k, nil
}

func versionOf(e admin.Expect) uint64 {
	if e == nil {
		return directory.AnyVersion
	}
	return *e
}

func objectText(o *directory.Object) admin.Object {
	return admin.Object{ID: o.ID, Version: o.Version, Created: timeText(o.Created), Changed: timeText(o.Changed), Spec: json.RawMessage(o.Spec)}
}

// changeDirectory proposes a command and returns once this node's request path has
// seen its effect.
func (c control) changeDirectory(ctx context.Context, cmd directory.Command) (directory.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	out, err := c.n.changed(ctx, cmd)
	if err != nil {
		return out, ambiguous(err)
	}
	return out, c.seen(ctx)
}
