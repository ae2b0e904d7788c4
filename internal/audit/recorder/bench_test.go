package recorder

import "testing"

// BenchmarkDeny is what a denial costs the request that is denied.
func BenchmarkDeny(b *testing.B) {
	w := newWorld()
	d := denied("p", "k", "192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		w.Deny(d)
	}
}
