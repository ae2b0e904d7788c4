package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
)

// Link is an entry in the chain, in its stored form.
type Link struct {
	Prev   Hash // of the entry before it
	Hash   Hash // of this one
	Stored []byte
}

// link is the link of a stored entry after prev.
func link(prev Hash, stored []byte) Link {
	return Link{Prev: prev, Hash: sum(prev, stored), Stored: stored}
}

// NewLink puts an entry after prev.
func NewLink(prev Hash, e *Entry) Link { return link(prev, AppendEntry(nil, e)) }

func sum(prev Hash, stored []byte) (h Hash) {
	d := sha256.New()
	d.Write(prev[:])
	d.Write(stored)
	d.Sum(h[:0])
	return h
}

// Entry decodes the entry.
func (l Link) Entry() (Entry, error) { return DecodeEntry(l.Stored) }

// AppendLink appends the stored form of a link: version=1, prev, hash, the entry to
// the end.
func AppendLink(b []byte, l Link) []byte {
	b = append(append(b, codecVersion), l.Prev[:]...)
	return append(append(b, l.Hash[:]...), l.Stored...)
}

// DecodeLink reads one link, and copies what it keeps of b. Whether it is sound
// [Verify] says.
func DecodeLink(b []byte) (Link, error) {
	r := reader{b: b}
	if version := r.byte(); !r.bad && version != codecVersion {
		return Link{}, fmt.Errorf("audit link of version %d: %w", version, ErrUnknown)
	}
	l := Link{Prev: r.hash(), Hash: r.hash()}
	if r.bad || len(r.b) == 0 {
		return Link{}, fmt.Errorf("audit link: %w", ErrMalformed)
	}
	l.Stored = append([]byte(nil), r.b...)
	return l, nil
}

// Fault is what is wrong with a chain.
type Fault string

// The faults.
const (
	Changed    Fault = "changed"
	Removed    Fault = "removed"
	Reordered  Fault = "reordered"
	Inserted   Fault = "inserted"   // an entry that is there twice, too
	Unreadable Fault = "unreadable" // changed so that it is no entry any more
	Rewritten  Fault = "rewritten"  // sound in itself, and not the chain of a head that is known
)

// BrokenError is a chain that is not what was written.
type BrokenError struct {
	Seq    uint64 // of the first entry that is wrong
	Fault  Fault
	Detail string
}

// Error implements error.
func (b *BrokenError) Error() string {
	return fmt.Sprintf("entry %d is %s: %s", b.Seq, b.Fault, b.Detail)
}

// Expect is what is known of a sequence before it is read.
type Expect struct {
	// After is what the first entry follows; nil where that is not known, and the
	// sequence may begin anywhere.
	After *Head
	// Heads are heads that were noted elsewhere. Those of the first entry's
	// predecessor and of entries in the sequence are compared; one that lies behind
	// its end says that the end is missing.
	Heads []Head
}

// Verified is a sequence that was found sound.
type Verified struct {
	After, Head Head // the sequence continues the one and ends with the other
	Entries     uint64
	Compared    int // heads of Expect that were compared
}

// Verify reads links to their end and reports the first that is not in its place,
// as a *[BrokenError]. An error of the sequence that wraps [ErrMalformed] or
// [ErrUnknown] is such a link too; any other is returned as it is.
func Verify(links iter.Seq2[Link, error], expect Expect) (Verified, error) {
	v := verifier{expect: expect}
	if expect.After != nil {
		v.begin(*expect.After)
		if err := v.compare(); err != nil {
			return v.Verified, err
		}
	}
	for l, err := range links {
		switch {
		case v.missing != nil: // only looking whether what is missing comes later
			if e, bad := l.Entry(); err == nil && bad == nil && e.Seq == v.missing.Seq {
				v.missing.Fault = Reordered
				return v.Verified, v.missing
			}
		case errors.Is(err, ErrMalformed), errors.Is(err, ErrUnknown):
			return v.Verified, &BrokenError{v.Head.Seq + 1, Unreadable, err.Error()}
		case err != nil:
			return v.Verified, err
		default:
			if err := v.next(l); err != nil {
				return v.Verified, err
			}
		}
	}
	if v.missing != nil {
		return v.Verified, v.missing
	}
	for _, h := range expect.Heads {
		if h.Seq > v.Head.Seq {
			return v.Verified, &BrokenError{v.Head.Seq + 1, Removed, fmt.Sprintf("the chain ends with entry %d, and had %d", v.Head.Seq, h.Seq)}
		}
	}
	return v.Verified, nil
}

// verifier is where a verification has come to.
type verifier struct {
	Verified
	expect  Expect
	begun   bool
	missing *BrokenError
}

func (v *verifier) begin(after Head) {
	v.After, v.Head, v.begun = after, after, true
}

// next takes one link, or says why it is not the next.
func (v *verifier) next(l Link) error {
	e, err := l.Entry()
	if err != nil {
		return &BrokenError{v.Head.Seq + 1, Unreadable, err.Error()}
	}
	if l.Hash != sum(l.Prev, l.Stored) {
		at := e.Seq // what it says, where nothing says better
		if v.begun {
			at = v.Head.Seq + 1
		}
		return &BrokenError{at, Changed, "its hash is not that of its content"}
	}
	if !v.begun {
		if e.Seq == 1 && l.Prev != (Hash{}) {
			return &BrokenError{e.Seq, Changed, "the first entry has one before it"}
		}
		v.begin(Head{e.Seq - 1, l.Prev})
		if err := v.compare(); err != nil {
			return err
		}
	}
	switch want := v.Head.Seq + 1; {
	case e.Seq > want:
		v.missing = &BrokenError{want, Removed, fmt.Sprintf("entry %d is in its place", e.Seq)}
		return nil
	case e.Seq < want:
		return &BrokenError{e.Seq, Inserted, fmt.Sprintf("it follows entry %d", v.Head.Seq)}
	case l.Prev != v.Head.Hash:
		return &BrokenError{e.Seq, Changed, "it does not continue the entry before it"}
	}
	v.Head = Head{e.Seq, l.Hash}
	v.Entries++
	return v.compare()
}

// compare compares the entry that was just reached with the heads that are known.
func (v *verifier) compare() error {
	for _, h := range v.expect.Heads {
		if h.Seq != v.Head.Seq {
			continue
		}
		v.Compared++
		if h.Hash != v.Head.Hash {
			return &BrokenError{h.Seq, Rewritten, fmt.Sprintf("its hash is %x…, and was %x…: it or an entry before it is another one", v.Head.Hash[:8], h.Hash[:8])}
		}
	}
	return nil
}
