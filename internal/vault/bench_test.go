package vault

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkChoose is what a call costs that is sent with a credential of a pool of
// this size: the draw, and the opened secret.
func BenchmarkChoose(b *testing.B) {
	for _, size := range []int{1, 4, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			v := with(b, key(b, 1))
			var list []*Credential
			for i := range size {
				list = append(list, credential(b, v, fmt.Sprintf("c%d", i), "sk-proj-0123456789abcdef"))
			}
			o, p, d := NewOpener(v), NewPool(list, Selection{Provider: "openai", Pattern: "*"}), dims("customer", "acme")
			o.Serve(list)
			b.ReportAllocs()
			for i := range b.N {
				if _, err := o.Open(context.Background(), p.Order(d, 0, uint64(i))[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is what a secret costs that is not opened yet.
func BenchmarkOpen(b *testing.B) {
	v := with(b, key(b, 1))
	c := credential(b, v, "a", "sk-proj-0123456789abcdef")
	b.ReportAllocs()
	for range b.N {
		if _, err := v.Open(context.Background(), c.Binding(), c.Sealed); err != nil {
			b.Fatal(err)
		}
	}
}
