package port

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// headStart is how long the first of two addresses is tried alone.
const headStart = 100 * time.Millisecond

// dialEither connects to whichever address the right node answers at. The second is
// tried when the first has failed, or has not answered for a moment: so a wrong one
// costs a connection and no time.
func dialEither(ctx context.Context, first, second string, cfg *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	try := func(address string) {
		conn, err := dial(ctx, address, cfg)
		results <- result{conn, err}
	}
	go try(first)
	wait := time.NewTimer(headStart)
	defer wait.Stop()
	var won net.Conn
	var errs []error
	for pending, both := 1, false; pending > 0; {
		next := false
		select {
		case <-wait.C:
			next = won == nil
		case r := <-results:
			pending--
			switch {
			case r.err != nil:
				errs = append(errs, r.err)
				next = won == nil
			case won == nil:
				won = r.conn
				cancel() // ends the other, which is waited for
			default:
				_ = r.conn.Close() // it came second
			}
		}
		if next && !both {
			both = true
			pending++
			go try(second)
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, errors.Join(errs...)
}
