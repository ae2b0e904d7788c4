package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"purser/internal/outcomes"
	"purser/internal/outcomes/form"
	"purser/ledger"
)

// OutcomesConfig is how outcomes of other programs are read, and how long revenue is kept.
type OutcomesConfig struct {
	RevenueRetention time.Duration  `yaml:"revenue_retention"` // default 26280h (3 years); that of usage where it is longer
	Stripe           StripeConfig   `yaml:"stripe"`
	Langfuse         LangfuseConfig `yaml:"langfuse"`
}

// StripeConfig is how meter events of Stripe's are read.
type StripeConfig struct {
	Enabled   bool              `yaml:"enabled"`             // POST /v1/outcomes/stripe is served, default false
	Secrets   []string          `yaml:"secrets,omitempty"`   // of the endpoint that Stripe signs for, whsec_...; two while one is replaced. None: no events
	Tolerance time.Duration     `yaml:"tolerance"`           // age of a signature, default 5m, 1s to 1h
	Org       string            `yaml:"org"`                 // whose requests events speak of; default all
	Customers map[string]string `yaml:"customers,omitempty"` // value of the dimension customer by Stripe's id
	Prices    map[string]string `yaml:"prices,omitempty"`    // dollars for one of an event's value, by its name
	Customer  string            `yaml:"customer"`            // field of the payload, default stripe_customer_id
	Value     string            `yaml:"value"`               // field of the payload, default value
}

// LangfuseConfig is how scores of Langfuse's are read.
type LangfuseConfig struct {
	Enabled bool                   `yaml:"enabled"` // POST /v1/outcomes/langfuse is served, default false
	Scores  map[string]ScoreConfig `yaml:"scores,omitempty"`
}

// ScoreConfig says what the values of a score are worth.
type ScoreConfig struct {
	Min        float64            `yaml:"min"` // of a numeric one, default 0
	Max        float64            `yaml:"max"` // default 1
	Categories map[string]float64 `yaml:"categories,omitempty"`
}

func defaultOutcomes() OutcomesConfig {
	return OutcomesConfig{RevenueRetention: 3 * 365 * 24 * time.Hour, Stripe: StripeConfig{Tolerance: 5 * time.Minute}}
}

// maxSecrets bounds the secrets that a signature is tried with.
const maxSecrets = 4

func (c *OutcomesConfig) validate() error {
	var errs []error
	bad := func(text string, args ...any) { errs = append(errs, fmt.Errorf(text, args...)) }
	if c.RevenueRetention < time.Hour {
		bad("revenue_retention: %v is shorter than 1h", c.RevenueRetention)
	}
	s := &c.Stripe
	if s.Tolerance < time.Second || s.Tolerance > time.Hour {
		bad("stripe.tolerance: %v is not within 1s to 1h", s.Tolerance)
	}
	if len(s.Secrets) > maxSecrets {
		bad("stripe.secrets: there are more than %d", maxSecrets)
	}
	for i, secret := range s.Secrets {
		if len(secret) < 16 || !strings.HasPrefix(secret, "whsec_") {
			bad("stripe.secrets[%d]: is not a signing secret of an endpoint, whsec_ and more", i)
		}
	}
	if len(s.Org) > ledger.MaxDimValue {
		bad("stripe.org: has more than %d bytes", ledger.MaxDimValue)
	}
	for id, name := range s.Customers {
		if id == "" || name == "" || len(name) > ledger.MaxDimValue {
			bad("stripe.customers: %.40q: the customer has 1 to %d bytes", id, ledger.MaxDimValue)
		}
	}
	if _, err := s.reads(); err != nil {
		errs = append(errs, err)
	}
	for name, score := range c.Langfuse.Scores {
		if !(score.Min < score.Max) && (score.Min != 0 || score.Max != 0) {
			bad("langfuse.scores.%s: min is not below max", name)
		}
		for category, q := range score.Categories {
			if !(q >= 0 && q <= 1) {
				bad("langfuse.scores.%s.categories: %.40q is not worth 0 to 1", name, category)
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// reads is how events are read.
func (c *StripeConfig) reads() (form.Stripe, error) {
	s := form.Stripe{Customers: c.Customers, Prices: map[string]ledger.Amount{}, Customer: c.Customer, Value: c.Value}
	for name, text := range c.Prices {
		price, err := form.Dollars(text)
		if err == nil && (price < 0 || price > outcomes.MaxValue) {
			err = errors.New("it is not from 0 to 1000000")
		}
		if err != nil {
			return s, fmt.Errorf("stripe.prices.%s: %w", name, err)
		}
		s.Prices[name] = price
	}
	return s, nil
}

// reads is how scores are read.
func (c *LangfuseConfig) reads() form.Langfuse {
	l := form.Langfuse{Scores: map[string]form.Scale{}}
	for name, s := range c.Scores {
		l.Scores[name] = form.Scale{Min: s.Min, Max: s.Max, Categories: s.Categories}
	}
	return l
}
