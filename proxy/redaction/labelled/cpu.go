package labelled

import (
	"syscall"
	"testing"
	"time"
)

// PerCPU reports how much of a benchmark's bytes are worked through in a second of
// CPU time: what other processes take of the machine does not count. It is to be
// deferred at the benchmark's beginning; bytes are those of one iteration.
func PerCPU(b *testing.B, bytes int) func() {
	before := cpu(b)
	return func() {
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpu(b)-before).Seconds(), "MB/cpu-s")
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
