package raftfsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"purser/internal/directory"
	"purser/ledger"
)

// An entry of the log is an envelope around a command:
//
//	offset 0   version, 1
//	       1   shard, 0 (one Raft group)
//	       2   room: 1 ledger, 2 directory
//	       3   stamp: ledger time, 8 bytes, big endian
//	      11   CRC-32C of all other bytes, 4 bytes, big endian
//	      15   the command, as its room stores it
//
// The log store keeps no checksum of what it holds; this one is looked at when
// the entry is applied.
const (
	entryVersion = 1
	entryShard   = 0
	headerSize   = 15
	crcOffset    = 11
)

// maxEntry bounds an entry. The largest by far is the Register of a node that
// comes back with every lease it may have: 2^17 of them at some 100 bytes.
const maxEntry = 32 << 20

// room says which state a command is for.
type room uint8

const (
	roomLedger    room = 1
	roomDirectory room = 2
)

// errUnreadable is an entry that this build cannot apply. It never leaves the
// package as an error: the state machine panics with it.
var errUnreadable = errors.New("unreadable entry")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newEntry(r room, stamp ledger.Instant) []byte {
	b := make([]byte, headerSize, 256)
	b[0], b[1], b[2] = entryVersion, entryShard, byte(r)
	binary.BigEndian.PutUint64(b[3:], uint64(stamp))
	return b
}

func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[crcOffset:], entrySum(b))
	return b
}

func entrySum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:crcOffset], castagnoli), castagnoli, b[headerSize:])
}

func ledgerEntry(stamp ledger.Instant, c ledger.Command) []byte {
	return seal(ledger.AppendCommand(newEntry(roomLedger, stamp), c))
}

func directoryEntry(stamp ledger.Instant, c directory.Command) []byte {
	return seal(directory.AppendCommand(newEntry(roomDirectory, stamp), c))
}

// entry is a decoded entry; one of the commands is set.
type entry struct {
	stamp     ledger.Instant
	ledger    ledger.Command
	directory directory.Command
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
	e := entry{stamp: ledger.Instant(binary.BigEndian.Uint64(b[3:]))}
	var err error
	switch r := room(b[2]); r {
	case roomLedger:
		e.ledger, err = ledger.DecodeCommand(b[headerSize:])
	case roomDirectory:
		e.directory, err = directory.DecodeCommand(b[headerSize:])
	default:
		err = fmt.Errorf("room %d", r)
	}
	if err != nil {
		return entry{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return e, nil
}
