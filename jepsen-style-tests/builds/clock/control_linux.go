package clock

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Clock is the file of one program's clock. It is safe for several goroutines; no
// other process may write to the file. What is set holds at the program's next
// reading of its clock, and stays through restarts of it.
type Clock struct {
	path string
	page []byte
	word *[size / 8]uint64

	mu  sync.Mutex
	now shift // what the slot in force has
}

// Create makes the file of a clock that is right. What is at path is replaced.
func Create(path string) (*Clock, error) {
	// Written aside and moved: a program that has the former file mapped keeps it.
	b := make([]byte, size)
	copy(b, magic)
	w := (*[size / 8]uint64)(unsafe.Pointer(&b[0]))
	w[wordVersion] = version
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("clock: map %s: %w", path, err)
	}
	return &Clock{path: path, page: page, word: (*[size / 8]uint64)(unsafe.Pointer(&page[0]))}, nil
}

// Env is what the program's environment needs.
func (c *Clock) Env() string { return Variable + "=" + c.path }

// Jump steps the clock by d, forward or back, from where it is.
func (c *Clock) Jump(d time.Duration) {
	c.change(func(s *shift, _ int64) { s.offset += int64(d) })
}

// Drift makes the clock gain ppm microseconds a second from here on, or lose them
// when it is below zero; 0 ends that, and what was gained stays.
func (c *Clock) Drift(ppm int64) {
	c.change(func(s *shift, t int64) {
		was := shift{since: s.since, drift: s.drift}
		s.offset, s.since, s.drift = s.offset+was.at(t), t, ppm*1000
	})
}

// Strobe makes the clock jump by swing and back again, every time that so much time
// has passed, until the swing is 0.
func (c *Clock) Strobe(swing, every time.Duration) {
	c.change(func(s *shift, _ int64) { s.swing, s.period = int64(swing), int64(every) })
}

// Reset sets the clock right.
func (c *Clock) Reset() { c.change(func(s *shift, _ int64) { *s = shift{} }) }

// Offset is what the program's clock is off by, at this moment.
func (c *Clock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.now.at(time.Now().UnixNano()))
}

// Close lets go of the file. A program that has it mapped keeps what was set.
func (c *Clock) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	page := c.page
	c.page, c.word = nil, nil
	if page == nil {
		return nil
	}
	return syscall.Munmap(page)
}

// change writes what a change makes of the shift in force. A closed clock stays as
// it is.
func (c *Clock) change(how func(s *shift, t int64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.word == nil {
		return
	}
	how(&c.now, time.Now().UnixNano())
	changes := c.word[wordChanges] + 1 // written by no other
	at := wordSlots * (1 + int(changes&1))
	for i, v := range []int64{c.now.offset, c.now.since, c.now.drift, c.now.swing, c.now.period} {
		atomic.StoreUint64(&c.word[at+i], uint64(v))
	}
	atomic.StoreUint64(&c.word[wordChanges], changes)
}
