package purse

import (
	"errors"
	"fmt"
	"time"

	"purser/ledger"
)

// Config is fixed once the purse is open.
type Config struct {
	Node  ledger.NodeID
	Store ledger.StoreID

	// AdmissionWait is how long a request may wait for allowance before the
	// answer is no. Default 250 ms, 1 ms to 1 min.
	AdmissionWait time.Duration
	// AuthorityTTL is how long after the last answer from the ledger this node
	// goes on admitting: a changed budget or a revoked key takes effect
	// everywhere within it. Default 60 s, 1 s to 1 h.
	AuthorityTTL time.Duration
	// Flush is how often spending is reported to the ledger when nothing else
	// asks for an Exchange. Default 1 s, 10 ms to 1 min.
	Flush time.Duration
	// Idle is how long a lease goes unused before it is returned. Default 30 s,
	// 1 s to 1 day.
	Idle time.Duration
	// Tick is the resolution of the purse's clock: of window switches and of
	// the end of waits. Default 5 ms, 1 ms to 1 s.
	Tick time.Duration
	// Horizon is how much spending at the recent rate one refill should cover.
	// Default 10 s, 100 ms to 10 min.
	Horizon time.Duration
	// ExchangeTimeout ends one attempt at an Exchange; the same one is then
	// tried again. Default 5 s, 10 ms to 1 min.
	ExchangeTimeout time.Duration

	// MaxAccounts bounds the table of live accounts, and with it memory (about
	// 500 B each) and the evidence of a restart. Default 65536, 16 to half of
	// ledger.MaxEvidence (leases that have gone may still be on disk).
	MaxAccounts int
	// MaxParked bounds the requests waiting for allowance. Default 4096, 1 to 1<<16.
	MaxParked int
	// MaxRows and MaxNeeds bound one Exchange, and with it a log entry.
	// Defaults 512 and 256, MaxChain to 4096 and 1 to 4096.
	MaxRows  int
	MaxNeeds int
}

// Default returns the configuration that [Config.Validate] accepts as it is but
// for Node.
func Default() Config {
	return Config{
		AdmissionWait:   250 * time.Millisecond,
		AuthorityTTL:    60 * time.Second,
		Flush:           time.Second,
		Idle:            30 * time.Second,
		Tick:            5 * time.Millisecond,
		Horizon:         10 * time.Second,
		ExchangeTimeout: 5 * time.Second,
		MaxAccounts:     65536,
		MaxParked:       4096,
		MaxRows:         512,
		MaxNeeds:        256,
	}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	if c.Node == "" {
		errs = append(errs, errors.New("node is not set"))
	}
	span := func(name string, v, low, high time.Duration) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %v, not within %v to %v", name, v, low, high))
		}
	}
	span("admission_wait", c.AdmissionWait, time.Millisecond, time.Minute)
	span("authority_ttl", c.AuthorityTTL, time.Second, time.Hour)
	span("flush", c.Flush, 10*time.Millisecond, time.Minute)
	span("idle", c.Idle, time.Second, 24*time.Hour)
	span("tick", c.Tick, time.Millisecond, time.Second)
	span("horizon", c.Horizon, 100*time.Millisecond, 10*time.Minute)
	span("exchange_timeout", c.ExchangeTimeout, 10*time.Millisecond, time.Minute)
	count := func(name string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %d, not within %d to %d", name, v, low, high))
		}
	}
	count("max_accounts", c.MaxAccounts, 16, ledger.MaxEvidence/2)
	count("max_parked", c.MaxParked, 1, 1<<16)
	count("max_rows", c.MaxRows, MaxChain, 4096)
	count("max_needs", c.MaxNeeds, 1, 4096)
	return errors.Join(errs...)
}
