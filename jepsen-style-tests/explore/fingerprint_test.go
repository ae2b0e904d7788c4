package explore

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
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

// past are moments of which only the distance counts while they lie ahead.
var past = map[string]bool{
	"core.nextAt": true, "core.flushAt": true, "core.scanAt": true, "lease.wantAfter": true, "lease.ceilingTill": true, "waiter.askAt": true,
}

// since are moments whose distance always counts.
var since = map[string]bool{
	"core.heard": true, "lease.rateAt": true, "lease.usedAt": true, "waiter.deadline": true, "exchange.began": true,
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
	t := v.Type()
	switch {
	case t.PkgPath() == "sync/atomic" && strings.HasPrefix(t.Name(), "Pointer["):
		f.pointer(v.FieldByName("v").UnsafePointer(), t.Field(0).Type.Elem().Elem())
		return
	case t.PkgPath() == "sync/atomic":
		f.value(v.FieldByName("v"))
		return
	case t.Name() == "core":
		f.pass = v.FieldByName("pass").Uint()
	case t.Name() == "latencies":
		f.latencies(v)
		return
	case t.Name() == "hold":
		n := int(v.FieldByName("n").Int())
		f.value(v.FieldByName("legs").Slice(0, n)) // what is behind is of earlier requests
		return
	}
	for i := range t.NumField() {
		f.field(t, v, i)
	}
}

func (f *fingerprint) field(t reflect.Type, v reflect.Value, i int) {
	name := t.Name() + "." + t.Field(i).Name
	switch {
	case skipped[name] != "":
	case past[name]:
		f.int(max(0, v.Field(i).Int()-f.mono))
	case since[name]:
		f.int(v.Field(i).Int() - f.mono)
	case name == "lease.blocked":
		f.int(int64(b2i(v.Field(i).Uint() == f.pass)))
	case name == "lease.demand":
		if v.FieldByName("blocked").Uint() == f.pass {
			f.value(v.Field(i))
		}
	default:
		f.value(v.Field(i))
	}
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
