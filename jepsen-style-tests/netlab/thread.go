//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an operating-system thread that does what it is given, one thing after
// another, and ends at close. What it starts with Pdeathsig dies with it.
type thread struct {
	work  chan func()
	stop  chan struct{}
	ended chan struct{}
	// space is its network namespace, for other threads to enter; nil if it is that of
	// the process.
	space *os.File
}

// errClosed is of what is asked of a host whose lab was closed.
var errClosed = errors.New("the lab is closed")

// newThread starts a thread, in a network namespace of its own or in the
// process's.
func newThread(apart bool) (*thread, error) {
	t := &thread{work: make(chan func()), stop: make(chan struct{}), ended: make(chan struct{})}
	ready := make(chan error)
	onOwnThread(func() {
		defer close(t.ended)
		if err := t.enter(apart); err != nil {
			ready <- err
			return
		}
		ready <- nil
		for {
			select {
			case f := <-t.work:
				f()
			case <-t.stop:
				return
			}
		}
	})
	if err := <-ready; err != nil {
		<-t.ended
		return nil, err
	}
	return t, nil
}

func (t *thread) enter(apart bool) error {
	if !apart {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace: unshare: %w", err)
	}
	space, err := ownSpace()
	if err != nil {
		return err
	}
	t.space = space
	return nil
}

// do runs a function on the thread. It may not ask the same thread again.
func (t *thread) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case t.work <- func() { done <- f() }:
		return <-done
	case <-t.ended:
		return errClosed
	}
}

// close ends the thread, once it has done what it does. It is called once.
func (t *thread) close() error {
	close(t.stop)
	<-t.ended
	if t.space == nil {
		return nil
	}
	return t.space.Close()
}

// onOwnThread runs a function on a thread that is not used for anything else, and
// ends with it. It is not the process's first thread, which cannot end.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		elsewhere := make(chan struct{})
		onOwnThread(func() { close(elsewhere); f() })
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

// ownSpace opens the network namespace of the calling thread.
func ownSpace() (*os.File, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("a network namespace: %w", err)
	}
	return f, nil
}

// within runs a function on a thread of its own inside a namespace, so that it may
// block for long.
func within(space *os.File, f func() error) error {
	done := make(chan error)
	onOwnThread(func() {
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering a network namespace: %w", err)
			return
		}
		done <- f()
	})
	return <-done
}
