package form

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"purser/internal/outcomes"
	"purser/ledger"
)

// Stripe is how meter events are read.
type Stripe struct {
	// Customers are the values of the dimension customer by Stripe's ids. One that is not
	// among them is a customer of Stripe's id.
	Customers map[string]string
	// Prices are dollars for one of an event's value, by its name. An event without one has
	// no value, only a count.
	Prices map[string]ledger.Amount
	// Customer and Value name the fields of the payload, "" as Stripe does.
	Customer, Value string
}

// MeterEvent is an event as Stripe has it.
type MeterEvent struct {
	Object     string            `json:"object"`
	Created    int64             `json:"created,omitempty"` // Unix seconds
	Name       string            `json:"event_name"`
	Identifier string            `json:"identifier"`
	Livemode   bool              `json:"livemode"`
	Payload    map[string]string `json:"payload"`
	Timestamp  json.RawMessage   `json:"timestamp,omitempty"` // Unix seconds, of version 2 RFC 3339
}

// The objects that are meter events.
const (
	meterEvent   = "billing.meter_event"
	meterEventV2 = "v2.billing.meter_event"
)

// Errors of signatures. Neither says what the right one would have been.
var (
	ErrSignature = errors.New("the signature is not one of this endpoint's secrets over this body")
	ErrStale     = errors.New("the signature is of another time: it is sent again, or a clock is wrong")
)

// maxSignature bounds the header, which has a signature for each secret that is in force.
const maxSignature = 4 << 10

// Signed checks a Stripe-Signature header, "t=1492774577,v1=5257a8...": a signature must be
// that of one of the secrets, and its time within tolerance of now.
func Signed(header string, body []byte, secrets []string, now, tolerance ledger.Instant) error {
	if len(header) > maxSignature {
		return ErrSignature
	}
	stamp, signatures := "", [][]byte{}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			stamp = value
		case "v1":
			if sum, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, sum)
			}
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return ErrSignature
	}
	good := false
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp + "."))
		mac.Write(body)
		sum := mac.Sum(nil)
		for _, s := range signatures {
			good = hmac.Equal(s, sum) || good
		}
	}
	if !good {
		return ErrSignature
	}
	if tolerate := int64(tolerance / ledger.Second); seconds < int64(now/ledger.Second)-tolerate || seconds > int64(now/ledger.Second)+tolerate {
		return ErrStale
	}
	return nil
}

// Event reads a webhook's event. One that is not of a meter event is none of ours: false.
func (s *Stripe) Event(body []byte, t Teller) (r outcomes.Report, ours bool, fault *Error) {
	var in struct {
		Object string `json:"object"`
		Type   string `json:"type"`
		Data   struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return r, false, bad("", "the body is not an event of Stripe's")
	}
	var event MeterEvent
	var kind struct {
		Object string `json:"object"`
	}
	if len(in.Data.Object) == 0 || json.Unmarshal(in.Data.Object, &kind) != nil || kind.Object != meterEvent && kind.Object != meterEventV2 {
		return r, false, nil
	}
	if err := json.Unmarshal(in.Data.Object, &event); err != nil {
		return r, true, bad("data.object", "data.object is not a meter event")
	}
	r, fault = s.report(&event, t)
	return r, true, fault
}

// Form reads the body of POST /v1/billing/meter_events.
func (s *Stripe) Form(body []byte, t Teller) (r outcomes.Report, event MeterEvent, fault *Error) {
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return r, event, bad("", "the body is not a form")
	}
	event = MeterEvent{Object: meterEvent, Created: int64(t.Now / ledger.Second), Livemode: true, Payload: map[string]string{}}
	for name, values := range v {
		key, inside := strings.CutPrefix(name, "payload[")
		switch {
		case len(values) != 1:
			return r, event, bad(name, "%.40q is there more than once", name)
		case inside && strings.HasSuffix(key, "]"):
			event.Payload[strings.TrimSuffix(key, "]")] = values[0]
		case name == "event_name":
			event.Name = values[0]
		case name == "identifier":
			event.Identifier = values[0]
		case name == "timestamp":
			if _, err := strconv.ParseInt(values[0], 10, 64); err != nil {
				return r, event, bad("timestamp", "timestamp is not a time in Unix seconds")
			}
			event.Timestamp = json.RawMessage(values[0])
		default:
			return r, event, bad(name, "unknown parameter %.40q", name)
		}
	}
	r, fault = s.report(&event, t)
	if len(event.Timestamp) == 0 {
		event.Timestamp = json.RawMessage(strconv.FormatInt(int64(t.Now/ledger.Second), 10))
	}
	return r, event, fault
}

func (s *Stripe) report(e *MeterEvent, t Teller) (r outcomes.Report, fault *Error) {
	if e.Identifier == "" {
		return r, bad("identifier", "identifier is missing: without it, an event that is sent twice counts twice")
	}
	customer, value := or(s.Customer, "stripe_customer_id"), or(s.Value, "value")
	who := e.Payload[customer]
	if who == "" {
		return r, bad("payload["+customer+"]", "the payload has no %s", customer)
	}
	n, err := strconv.ParseInt(e.Payload[value], 10, 64)
	if err != nil || n < 0 || n > outcomes.MaxCount {
		return r, bad("payload["+value+"]", "%s is not a whole number from 0 to %d", value, outcomes.MaxCount)
	}
	r = outcomes.Report{ID: "stripe:" + e.Identifier, Name: e.Name, Count: max(n, 1), Told: true}
	if r.At, err = stampOf(e.Timestamp, t.Now); err != nil {
		return r, bad("timestamp", "timestamp: %v", err)
	}
	if len(e.Timestamp) == 0 {
		r.Told = false
	}
	price, priced := s.Prices[e.Name]
	switch {
	case n == 0:
		return r, bad("payload["+value+"]", "an event of 0 says nothing")
	case priced && price != 0 && n > int64(outcomes.MaxValue)/int64(price):
		return r, bad("payload["+value+"]", "%d of %s are worth more than an outcome can be", n, e.Name)
	case priced:
		r.Valued, r.Value = true, ledger.Amount(n)*price
	}
	name := who
	if known := s.Customers[who]; known != "" {
		name = known
	}
	if fault := matches(&r.Join, map[string]string{"customer": name}, r.At); fault != nil {
		return r, fault
	}
	return r, t.report(&r)
}

func stampOf(raw json.RawMessage, now ledger.Instant) (ledger.Instant, error) {
	s, err := literal(raw)
	switch {
	case err != nil || s == "":
		return now, err
	case raw[0] == '"':
		return Instant(s)
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || seconds < 0 || seconds > 7_258_118_400 { // 2200
		return 0, errors.New("it is not a time in Unix seconds")
	}
	return ledger.Instant(seconds) * ledger.Second, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
