package idempotency

import "purser/ledger"

// Print is a digest of what decides the answer of a request.
type Print [32]byte

// Token names a claim. It is random.
type Token [16]byte

// State is what is known of a key that has one.
type State uint8

// The states. They are stored: none is renumbered.
const (
	Claimed  State = 1 // its holder may make the call, or has
	Answered State = 2 // the call was made, and the answer is kept
	Spent    State = 3 // the call was made, and no answer is kept
	Lost     State = 4 // the call may have been made; nobody knows what came of it
)

// Entry is what a home keeps of a key. It is immutable.
type Entry struct {
	State   State
	Print   Print
	Token   Token
	Holder  string         // the node that has the claim
	Request string         // id of the request that has it
	Until   ledger.Instant // when its time is over
	Size    int64          // of the kept answer, bytes
}

// Ask is one request for a claim.
type Ask struct {
	Key     Key
	Print   Print
	Token   Token
	Request string
	// Since is when the key's scope began: no claim was asked for before. It is the same
	// in every ask of a scope.
	Since ledger.Instant
}

// Verdict is what an ask comes to.
type Verdict uint8

// The verdicts. They go over the wire: none is renumbered.
const (
	Free        Verdict = 1  // nobody has a claim
	Granted     Verdict = 2  // the asker has it
	Running     Verdict = 3  // another has it, and the call is under way
	Reused      Verdict = 4  // the key was another request's
	Replay      Verdict = 5  // there is an answer
	NotKept     Verdict = 6  // the call was made; there is no answer to give
	Unknown     Verdict = 7  // the call may have been made
	Full        Verdict = 8  // there is no room for another key
	Elsewhere   Verdict = 9  // the asked node is no home of the key
	Unavailable Verdict = 10 // it cannot be decided at present
)

// Judge says what an ask comes to where e is what is known of its key; nil for nothing.
func (e *Entry) Judge(a *Ask, now ledger.Instant) Verdict {
	switch {
	case e == nil || now >= e.Until:
		return Free
	case e.Print != a.Print:
		return Reused
	}
	switch e.State {
	case Claimed:
		if e.Token == a.Token {
			return Granted // it did not hear the answer
		}
		return Running
	case Answered:
		return Replay
	case Spent:
		return NotKept
	default:
		return Unknown
	}
}

// Claim is the entry of a claim that is granted until then.
func Claim(a *Ask, holder string, until ledger.Instant) *Entry {
	return &Entry{State: Claimed, Print: a.Print, Token: a.Token, Holder: holder, Request: a.Request, Until: until}
}

// Ending is how a claim ended.
type Ending uint8

// The endings. They are stored and go over the wire: none is renumbered.
const (
	Released Ending = 1 // nothing was sent, or the provider said that it did nothing
	Kept     Ending = 2 // there is an answer
	Unkept   Ending = 3 // the call was made, and the answer is not to be kept
	Doubtful Ending = 4 // the call may have been made
)

// End gives what is known after the claim of that token ended; nil for nothing. ok is
// false where that changes nothing: the claim is another's, or has ended before.
func (e *Entry) End(t Token, how Ending, size int64) (next *Entry, ok bool) {
	if e == nil || e.State != Claimed || e.Token != t {
		return e, false
	}
	after := *e
	switch how {
	case Released:
		return nil, true
	case Kept:
		after.State, after.Size = Answered, size
	case Unkept:
		after.State = Spent
	default:
		after.State = Lost
	}
	return &after, true
}

// Word is what the holder of a claim says of it.
type Word uint8

// The words. They go over the wire: none is renumbered.
const (
	NoneOfMine Word = 1 // it knows nothing of such a claim
	Runs       Word = 2 // the request is under way
	Ended      Word = 3 // how it ended is on its way
	GaveUp     Word = 4 // it has given the claim up, and sent nothing
	Silent     Word = 5 // it does not answer at present
)

// Heard is what a claim that another has comes to, by the word of its holder. Whoever
// knows nothing of its claim has started anew since: the call may have been made. Of a
// holder that does not answer at present that is open: it may be paused, or have the
// answer when it is back.
func Heard(w Word) Verdict {
	switch w {
	case Runs, Ended:
		return Running
	case GaveUp:
		return Free
	case Silent:
		return Unavailable
	default:
		return Unknown
	}
}
