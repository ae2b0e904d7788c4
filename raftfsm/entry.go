package raftfsm

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// An entry of the log is an envelope around one command, or several:
//
//	offset 0   version, 1
//	       1   shard, 0 (one Raft group)
//	       2   room: 1 ledger, 2 directory, 3 a batch, 4 an audited command, 5 audit
//	       3   stamp: ledger time, 8 bytes, big endian
//	      11   CRC-32C of all other bytes, 4 bytes, big endian
//	      15   the command, as its room stores it; of a batch, for each command
//	           its room (any but 3), its length (uvarint) and itself; of an audited
//	           command, the facts of the change as package audit stores them, the
//	           command's room (1 or 2) and itself to the end
//
// An audited command and its entry in the audit trail are one: there is no moment at
// which one of them is in the state and the other is not.
//
// The commands of a batch are applied in their order, with one stamp. The log
// store keeps no checksum of what it holds; this one is looked at when the entry
// is applied.
const (
	entryVersion = 1
	entryShard   = 0
	headerSize   = 15
	crcOffset    = 11
)

// Level says which commands a build can read; it grows with every kind that is
// added. An entry that one replica cannot read stops it, so a leader proposes
// commands of its own accord only when all can.
//
//	1  up to ledger kind 6 and directory kind 6
//	2  and Restore, Checkpoint, Release; ForgetNodes
//	3  and AdmitGateway
//	4  and governance: objects of the directory and what else rules requests
//	5  and objects of levers, prompt templates and routers, and routes with candidates
//	6  and objects of mappings and exports
const Level = 6

const (
	// CheckpointLevel is the level that has [ledger.Checkpoint].
	CheckpointLevel = 2
	// GatewayLevel is the level that has [directory.AdmitGateway].
	GatewayLevel = 3
	// GovernanceLevel is the level that has objects of the directory.
	GovernanceLevel = 4
	// LeverLevel is the level that has objects of the kinds from [directory.ObjectLever] on,
	// and routes that are more than another name of a model.
	LeverLevel = 5
	// UsageLevel is the level that has objects of the kinds from [directory.ObjectMapping] on.
	UsageLevel = 6
)

// ObjectLevel is the level of an object. A build of an earlier one cannot read its spec,
// and refuses every request as long as the object is there.
func ObjectLevel(kind directory.ObjectKind, spec []byte) uint32 {
	if kind >= directory.ObjectMapping {
		return UsageLevel
	}
	if kind >= directory.ObjectLever || kind == directory.ObjectRoute && !isAlias(spec) {
		return LeverLevel
	}
	return GovernanceLevel
}

// isAlias says whether the spec of a route has the fields alone that routes have at
// [GovernanceLevel].
func isAlias(spec []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(spec, &fields) != nil {
		return false
	}
	for name := range fields {
		if name != "model" && name != "upstream" && name != "description" {
			return false
		}
	}
	return true
}

// maxEntry bounds an entry. The largest by far is the Register of a node that
// comes back with every lease it may have: 2^17 of them at some 100 bytes.
const maxEntry = 32 << 20

// Room says which state a command is for.
type Room uint8

// The rooms. A batch is not a room of its own; it only stands where one would.
const (
	RoomLedger    Room = 1
	RoomDirectory Room = 2
	roomBatch     Room = 3
	RoomAudited   Room = 4 // a command of one of the two above, and who wants it
	RoomAudit     Room = 5 // the audit trail itself
)

// level is the level of what a message carries, as far as it matters: commands of
// level 1 count as 0, for a [Proposer] puts them into the log whoever reads it.
func (m message) level() uint32 {
	if len(m.body) < 2 {
		return 0
	}
	switch m.room {
	case RoomLedger:
		switch kind := ledger.Kind(m.body[0]); kind {
		case ledger.KindRestore, ledger.KindCheckpoint, ledger.KindRelease:
			return CheckpointLevel
		case ledger.KindPutRaise, ledger.KindEndRaise, ledger.KindTrip, ledger.KindReset, ledger.KindProbed:
			return GovernanceLevel
		case ledger.KindPutBudget:
			if m.body[1] > 1 { // its first version has neither breaker nor expectation
				return GovernanceLevel
			}
		}
	case RoomDirectory:
		switch directory.Kind(m.body[1]) {
		case directory.KindForgetNodes:
			return CheckpointLevel
		case directory.KindAdmitGateway:
			return GatewayLevel
		case directory.KindPutObject:
			if c, err := directory.DecodeCommand(m.body); err == nil {
				o := c.(directory.PutObject)
				return ObjectLevel(o.Ref.Kind, o.Spec)
			}
			return GovernanceLevel // it is refused, whoever reads it
		case directory.KindDeleteObject, directory.KindRaiseAlerts, directory.KindNoteDeliveries,
			directory.KindWriteKey, directory.KindWriteSuspended, directory.KindRotateKey, directory.KindTouchKeys, directory.KindAdmitChild:
			return GovernanceLevel
		}
	case RoomAudited:
		if _, inner, err := m.split(); err == nil {
			return max(GovernanceLevel, inner.level())
		}
		return GovernanceLevel
	case RoomAudit:
		return GovernanceLevel
	}
	return 0
}

// errUnreadable is an entry that this build cannot apply. It never leaves the
// package as an error: the state machine panics with it.
var errUnreadable = errors.New("unreadable entry")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// message is a command as it travels: encoded, for its room.
type message struct {
	room Room
	body []byte
}

func ledgerMessage(c ledger.Command) message {
	return message{RoomLedger, ledger.AppendCommand(make([]byte, 0, 256), c)}
}

func directoryMessage(c directory.Command) message {
	return message{RoomDirectory, directory.AppendCommand(make([]byte, 0, 256), c)}
}

// auditedMessage joins a command and the facts of the change.
func auditedMessage(f *audit.Facts, inner message) message {
	b := audit.AppendFacts(make([]byte, 0, 256+len(inner.body)), f)
	return message{RoomAudited, append(append(b, byte(inner.room)), inner.body...)}
}

func auditMessage(b *audit.Batch) message {
	return message{RoomAudit, audit.AppendBatch(make([]byte, 0, 256), b)}
}

// split is the inverse of auditedMessage.
func (m message) split() (audit.Facts, message, error) {
	facts, rest, err := audit.DecodeFacts(m.body)
	if err != nil {
		return facts, message{}, err
	}
	if len(rest) == 0 {
		return facts, message{}, errors.New("audited: no command")
	}
	inner := message{Room(rest[0]), rest[1:]}
	if inner.room != RoomLedger && inner.room != RoomDirectory {
		return facts, message{}, fmt.Errorf("audited: room %d", inner.room)
	}
	return facts, inner, nil
}

// newEntry seals messages, at least one, into an entry.
func newEntry(stamp ledger.Instant, messages ...message) []byte {
	size := headerSize
	for _, m := range messages {
		size += len(m.body) + 1 + binary.MaxVarintLen32
	}
	b := make([]byte, headerSize, size)
	b[0], b[1], b[2] = entryVersion, entryShard, byte(messages[0].room)
	binary.BigEndian.PutUint64(b[3:], uint64(stamp))
	if len(messages) == 1 {
		b = append(b, messages[0].body...)
	} else {
		b[2] = byte(roomBatch)
		for _, m := range messages {
			b = binary.AppendUvarint(append(b, byte(m.room)), uint64(len(m.body)))
			b = append(b, m.body...)
		}
	}
	binary.BigEndian.PutUint32(b[crcOffset:], entrySum(b))
	return b
}

func entrySum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:crcOffset], castagnoli), castagnoli, b[headerSize:])
}

// entry is a decoded entry.
type entry struct {
	stamp    ledger.Instant
	commands []command // one, unless it is a batch
	batch    bool
}

// command is a decoded command: one of the first three is set, and facts with one of
// the first two if it is audited.
type command struct {
	ledger    ledger.Command
	directory directory.Command
	audit     *audit.Batch
	facts     *audit.Facts
}

// decode reads what a message carries.
func (m message) decode() (c command, err error) {
	switch m.room {
	case RoomLedger:
		c.ledger, err = ledger.DecodeCommand(m.body)
	case RoomDirectory:
		c.directory, err = directory.DecodeCommand(m.body)
	case RoomAudit:
		c.audit, err = audit.DecodeBatch(m.body)
	case RoomAudited:
		facts, inner, err := m.split()
		if err != nil {
			return c, err
		}
		if c, err = inner.decode(); err != nil {
			return c, err
		}
		c.facts = &facts
		return c, nil
	default:
		err = fmt.Errorf("room %d", m.room)
	}
	return c, err
}

// decodeEntry reads an entry. Every error is errUnreadable.
func decodeEntry(b []byte) (entry, error) {
	if len(b) < headerSize {
		return entry{}, fmt.Errorf("%w: %d bytes", errUnreadable, len(b))
	}
	// The version first: a later one may sum its bytes in another way.
	if b[0] != entryVersion {
		return entry{}, fmt.Errorf("%w: version %d, this build knows %d", errUnreadable, b[0], entryVersion)
	}
	if stored, sum := binary.BigEndian.Uint32(b[crcOffset:]), entrySum(b); stored != sum {
		return entry{}, fmt.Errorf("%w: checksum %08x, content %08x: the log is damaged", errUnreadable, stored, sum)
	}
	if b[1] != entryShard {
		return entry{}, fmt.Errorf("%w: shard %d, this group is %d", errUnreadable, b[1], entryShard)
	}
	e := entry{stamp: ledger.Instant(binary.BigEndian.Uint64(b[3:])), batch: Room(b[2]) == roomBatch}
	for rest := b[headerSize:]; ; {
		m := message{Room(b[2]), rest}
		if e.batch {
			var err error
			if m, rest, err = cutMessage(rest); err != nil {
				return entry{}, fmt.Errorf("%w: command %d of a batch: %w", errUnreadable, len(e.commands), err)
			}
		}
		c, err := m.decode()
		if err != nil {
			return entry{}, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		e.commands = append(e.commands, c)
		if !e.batch || len(rest) == 0 {
			return e, nil
		}
	}
}

// cutMessage takes the first message off a batch.
func cutMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) == 0 {
		return m, nil, errors.New("nothing there")
	}
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return m, nil, errors.New("its length is wrong")
	}
	end := 1 + n + int(size)
	return message{Room(b[0]), b[1+n : end]}, b[end:], nil
}
