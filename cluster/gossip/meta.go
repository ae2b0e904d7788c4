package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/memberlist"
)

const (
	metaVersion = 1
	metaFixed   = 6 // version, flags, incarnation
	flagLeaving = 1
)

// Meta is what a node says of itself.
type Meta struct {
	Incarnation uint32 // its ledger incarnation; 0 before it has registered
	Region      string
	Zone        string
	Address     string // of its cluster port, as others reach it
	Version     string // of its build
}

// record is Meta as it travels.
type record struct {
	Meta
	cluster string // the label of the cluster it is of
	leaving bool
}

// errVersion is a record of a later build.
var errVersion = errors.New("metadata of another version")

func (r *record) encode() ([]byte, error) {
	b := make([]byte, metaFixed, memberlist.MetaMaxSize)
	b[0] = metaVersion
	if r.leaving {
		b[1] = flagLeaving
	}
	binary.BigEndian.PutUint32(b[2:], r.Incarnation)
	for _, text := range r.texts() {
		if !plain(*text) {
			return nil, fmt.Errorf("metadata: %q is not plain text", *text)
		}
		if len(b)+2+len(*text) > memberlist.MetaMaxSize {
			return nil, fmt.Errorf("metadata has more than %d bytes", memberlist.MetaMaxSize)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(*text)))
		b = append(b, *text...)
	}
	return b, nil
}

// texts are the fields of variable length, in their order on the wire.
func (r *record) texts() []*string {
	return []*string{&r.cluster, &r.Region, &r.Zone, &r.Address, &r.Version}
}

// decodeRecord accepts what encode makes, and nothing else.
func decodeRecord(b []byte) (*record, error) {
	switch {
	case len(b) > memberlist.MetaMaxSize:
		return nil, fmt.Errorf("metadata has %d bytes, more than %d", len(b), memberlist.MetaMaxSize)
	case len(b) > 0 && b[0] != metaVersion:
		return nil, fmt.Errorf("%w: %d", errVersion, b[0])
	case len(b) < metaFixed:
		return nil, fmt.Errorf("metadata has %d bytes, fewer than %d", len(b), metaFixed)
	case b[1]&^flagLeaving != 0:
		return nil, fmt.Errorf("metadata has unknown flags %#x", b[1])
	}
	r := &record{leaving: b[1] == flagLeaving}
	r.Incarnation = binary.BigEndian.Uint32(b[2:])
	b = b[metaFixed:]
	for _, text := range r.texts() {
		if len(b) < 2 {
			return nil, errors.New("metadata ends within a length")
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; len(b) < n {
			return nil, errors.New("metadata ends within a text")
		}
		if *text = string(b[:n]); !plain(*text) {
			return nil, errors.New("metadata has a text that is not plain")
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("metadata has %d bytes too many", len(b))
	}
	return r, nil
}

// plain texts can be shown on a terminal.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
