// Package clock sets the wall clock of running programs wrong, each by its own
// file. A program takes part when it is built with Files in go build's overlay and
// started with Variable in its environment; any other build has nothing of it.
//
// What is shifted is the wall part of every time.Now: the program's own, and that of
// each library, of TLS and of logs. The monotonic part is the machine's, so that
// timers, and differences of two times of one process, stay right: it is what a clock
// that was stepped, or is slewed, looks like on a machine. Times that the kernel gives,
// such as those of files, are not shifted, and the monotonic clock does not drift.
//
// # The file
//
// A page of 4096 bytes that the program maps at its start. It consists of 64-bit
// words in the machine's byte order, read and written as wholes:
//
//	word 0    the bytes "purserck"
//	word 1    the version of this layout, 1
//	word 2    how often the shift was changed; its lowest bit is the slot that holds
//	word 8    slot 0: five words
//	word 16   slot 1: five words
//
// A slot is a signed offset, the instant from which drift counts, drift, and the swing
// and period of a strobe: nanoseconds, nanoseconds since 1970, parts in a thousand
// million, nanoseconds, nanoseconds. At the true instant t the clock shows
//
//	t + offset + (t - since) * drift / 1e9 + (swing when t/period is odd)
//
// The slot that does not hold is written first, then the count; a reader takes a slot
// when the count is the same before and after. Neither waits for the other, nor for
// one that was stopped or killed halfway. The file must not be cut short: the program
// would end by SIGBUS.
package clock

// Variable is the name in a program's environment of the path of its file. Without
// it the clock is true; with a file that cannot be mapped the program panics.
const Variable = "PURSER_FAULT_CLOCK"

const (
	magic   = "purserck"
	version = 1
	size    = 4096

	wordMagic   = 0
	wordVersion = 1
	wordChanges = 2
	wordSlots   = 8 // each slot takes this many, too
)

// shift is a slot.
type shift struct {
	offset, since, drift, swing, period int64
}

// at is what the clock is off by at a true instant, in nanoseconds.
func (s shift) at(t int64) int64 {
	off := s.offset
	if s.drift != 0 {
		// Apart, as a product of nanoseconds would overflow within hours.
		past := t - s.since
		off += past/1e9*s.drift + past%1e9*s.drift/1e9
	}
	if s.period > 0 && t/s.period%2 != 0 {
		off += s.swing
	}
	return off
}
