package explore

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// A fingerprint is everything in memory that a purse's future depends on, as
// bytes: two purses with the same one do the same from then on. It is made by
// reflection, so that a field that is new counts until this file says that it
// need not. Times are taken relative to now, and pointers are numbered in the
// order in which they are met.
type fingerprint struct {
	b    []byte
	mono int64
	pass uint64 // of the core
	seen map[unsafe.Pointer]int
}

// skipped are fields that no later step reads.
var skipped = map[string]string{
	// Constant while the purse lives, or the shell's.
	"Purse.cfg": "constant", "Purse.seams": "constant", "Purse.epoch": "the shell's clock", "Purse.mu": "lock",
	"Purse.saves": "shell", "Purse.sends": "shell", "Purse.drained": "shell", "Purse.ctx": "shell", "Purse.stop": "shell",
	"Purse.owned": "shell", "Purse.failed": "shell", "Purse.emptied": "shell",
	"core.cfg": "constant", "bell.signal": "wakes the shell", "book.mu": "lock",
	// Written before they are read, within one call.
	"core.draft": "stamps the two below", "lease.supply": "scratch of nextExchange", "lease.supplyDraft": "its stamp",
	"lease.row": "scratch of nextExchange", "lease.rowDraft": "its stamp", "waiter.missing": "scratch of reckon",
	"core.pass": "only compared with blocked",
	// A request takes its result at once.
	"waiter.hold": "taken", "waiter.refusal": "taken", "waiter.err": "taken", "waiter.done": "taken",
	// A hold object is as good as any other.
	"holds.pool": "free objects", "hold.pool": "the same for all", "hold.gen": "of the object", "Hold.gen": "of the object",
}

// modes are the fields that are not taken as they are.
var modes = map[string]mode{
	"core.nextAt": ahead, "core.flushAt": ahead, "core.scanAt": ahead,
	"lease.wantAfter": ahead, "lease.ceilingTill": ahead, "waiter.askAt": ahead,
	"core.heard": distance, "lease.rateAt": distance, "lease.usedAt": distance,
	"waiter.deadline": distance, "exchange.began": distance,
	"lease.blocked": ofPass, "lease.demand": inPass,
}

func (f *fingerprint) add(v any) {
	if f.seen == nil {
		f.seen = map[unsafe.Pointer]int{}
	}
	f.value(reflect.ValueOf(v))
}

func (f *fingerprint) int(n int64) { f.b = binary.AppendVarint(f.b, n) }

func (f *fingerprint) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			f.int(1)
		} else {
			f.int(0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.int(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.int(int64(v.Uint()))
	case reflect.String:
		f.int(int64(v.Len()))
		f.b = append(f.b, v.String()...)
	case reflect.Slice, reflect.Array:
		f.int(int64(v.Len()))
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Pointer:
		f.pointer(v.UnsafePointer(), v.Type().Elem())
	case reflect.Interface:
		f.int(int64(b2i(v.IsNil()))) // errors: whether there is one
	case reflect.Map:
		f.mapping(v)
	case reflect.Struct:
		f.structure(v)
	default:
		panic(fmt.Sprintf("explore: a purse has a %v in %v: say in fingerprint_test.go what it is", v.Kind(), v.Type()))
	}
}

func (f *fingerprint) pointer(p unsafe.Pointer, to reflect.Type) {
	if p == nil {
		f.int(-1)
		return
	}
	if n, ok := f.seen[p]; ok {
		f.int(int64(n))
		return
	}
	f.seen[p] = len(f.seen)
	f.int(int64(f.seen[p]))
	f.value(reflect.NewAt(to, p).Elem())
}

// mapping takes the entries in the order of their keys' bytes.
func (f *fingerprint) mapping(v reflect.Value) {
	type item struct {
		key   string
		value reflect.Value
	}
	var items []item
	for r := v.MapRange(); r.Next(); {
		k := fingerprint{}
		k.value(r.Key())
		items = append(items, item{string(k.b), r.Value()})
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	f.int(int64(len(items)))
	for _, it := range items {
		f.b = append(f.b, it.key...)
		f.value(it.value)
	}
}

func (f *fingerprint) structure(v reflect.Value) {
	p := planOf(v.Type())
	switch p.special {
	case atomicPointer:
		f.pointer(v.Field(p.fields[0].index).UnsafePointer(), p.to)
		return
	case latencies:
		f.latencies(v)
		return
	case hold:
		n := int(v.FieldByName("n").Int())
		f.value(v.FieldByName("legs").Slice(0, n)) // what is behind is of earlier requests
		return
	case core:
		f.pass = v.FieldByName("pass").Uint()
	}
	for _, field := range p.fields {
		x := v.Field(field.index)
		switch field.mode {
		case plain:
			f.value(x)
		case ahead:
			f.int(max(0, x.Int()-f.mono))
		case distance:
			f.int(x.Int() - f.mono)
		case ofPass:
			f.int(int64(b2i(x.Uint() == f.pass)))
		case inPass:
			if v.FieldByName("blocked").Uint() == f.pass {
				f.value(x)
			}
		}
	}
}

// plan is how a struct is taken.
type plan struct {
	special special
	to      reflect.Type // of an atomic pointer
	fields  []plannedField
}

type special uint8

const (
	asIs special = iota
	atomicPointer
	latencies
	hold
	core
)

type plannedField struct {
	index int
	mode  mode
}

type mode uint8

const (
	plain    mode = iota
	ahead         // a moment, of which only the distance counts while it lies ahead
	distance      // a moment
	ofPass        // a pass: whether it is this one
	inPass        // counts in this pass alone
)

var plans sync.Map // by reflect.Type

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range t.NumField() {
		name := t.Name() + "." + t.Field(i).Name
		if skipped[name] == "" {
			p.fields = append(p.fields, plannedField{i, modes[name]})
		}
	}
	switch {
	case t.PkgPath() == "sync/atomic" && strings.HasPrefix(t.Name(), "Pointer["):
		p.special, p.to = atomicPointer, t.Field(0).Type.Elem().Elem()
		v, _ := t.FieldByName("v")
		p.fields = []plannedField{{index: v.Index[0]}}
	case t.PkgPath() == "sync/atomic":
		v, _ := t.FieldByName("v")
		p.fields = []plannedField{{index: v.Index[0]}}
	case t.Name() == "latencies":
		p.special = latencies
	case t.Name() == "hold":
		p.special = hold
	case t.Name() == "core":
		p.special = core
	}
	plans.Store(t, p)
	return p
}

// latencies counts for its two largest alone, as long as its ring is not full.
func (f *fingerprint) latencies(v reflect.Value) {
	ring := v.FieldByName("ring")
	if v.FieldByName("n").Int() >= int64(ring.Len()) {
		panic("explore: a history is longer than the ring of latencies")
	}
	var first, second int64
	for i := range ring.Len() {
		if d := ring.Index(i).Int(); d > first {
			first, second = d, first
		} else if d > second {
			second = d
		}
	}
	f.int(first)
	f.int(second)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
