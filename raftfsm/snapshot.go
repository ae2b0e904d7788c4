package raftfsm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// A snapshot is the magic, then frames:
//
//	kind, 1 byte
//	length of the payload, 4 bytes, big endian
//	payload
//	CRC-32C of the three, 4 bytes, big endian
//
// in this order: one header (uvarint index of the last entry), the ledger's
// records, the directory's records, the audit trail's records if it has an entry, one
// trailer (uvarint number of frames before it, ledger digest, directory digest, and the
// trail's if it has an entry: 32 bytes each), and nothing after it. Without an audit
// trail it is what builds of before [GovernanceLevel] read.
const snapshotMagic = "PURSNAP\x01"

const (
	frameHeader    = 1
	frameLedger    = 2
	frameDirectory = 3
	frameTrailer   = 4
	frameAudit     = 5
)

// maxFrame bounds a payload. The largest is a node's last answer, some hundred
// bytes for each of its leases.
const maxFrame = 64 << 20

// errSnapshot is a snapshot that is damaged or of a later build.
var errSnapshot = errors.New("unreadable")

// image is a state and the entry it was reached with.
type image struct {
	index     uint64
	ledger    *ledger.State
	directory *directory.State
	trail     *audit.Trail
}

// hasTrail says whether there is anything of the audit trail to be told.
func (m *image) hasTrail() bool { return m.trail.Head().Seq > 0 }

// digests appends those of all parts.
func (m *image) digests(b []byte) []byte {
	l, d := m.ledger.Digest(), m.directory.Digest()
	b = append(append(b, l[:]...), d[:]...)
	if m.hasTrail() {
		t := m.trail.Digest()
		b = append(b, t[:]...)
	}
	return b
}

// snapshot implements raft.FSMSnapshot.
type snapshot struct{ image }

// Persist implements raft.FSMSnapshot. It streams; nothing of the size of the
// state is held in memory.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s *snapshot) Release() { s.image = image{} }

func (m *image) write(w io.Writer) error {
	out := frameWriter{w: bufio.NewWriterSize(w, 64<<10)}
	out.raw([]byte(snapshotMagic))
	out.frame(frameHeader, binary.AppendUvarint(nil, m.index))
	for b := range m.ledger.Records() {
		out.frame(frameLedger, b)
	}
	for b := range m.directory.Records() {
		out.frame(frameDirectory, b)
	}
	if m.hasTrail() {
		for b := range m.trail.Records() {
			out.frame(frameAudit, b)
		}
	}
	out.frame(frameTrailer, m.digests(binary.AppendUvarint(nil, out.frames)))
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// frameWriter writes until the first error, and keeps it.
type frameWriter struct {
	w      *bufio.Writer
	frames uint64
	err    error
}

func (o *frameWriter) raw(b []byte) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

func (o *frameWriter) frame(kind byte, payload []byte) {
	if len(payload) > maxFrame && o.err == nil {
		o.err = fmt.Errorf("record of kind %d has %d bytes, the most is %d", kind, len(payload), maxFrame)
	}
	head := frameHead(kind, len(payload))
	o.raw(head[:])
	o.raw(payload)
	o.raw(binary.BigEndian.AppendUint32(nil, frameSum(head, payload)))
	o.frames++
}

func frameHead(kind byte, size int) (head [5]byte) {
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(size))
	return head
}

func frameSum(head [5]byte, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
}

// readSnapshot reads one whole snapshot and checks all there is to check.
func readSnapshot(r io.Reader) (*image, error) {
	in := frameReader{r: bufio.NewReaderSize(r, 64<<10)}
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(in.r, magic); err != nil || string(magic) != snapshotMagic {
		return nil, fmt.Errorf("%w: it does not begin as version 1 does", errSnapshot)
	}
	header, err := in.one(frameHeader)
	if err != nil {
		return nil, err
	}
	index, n := binary.Uvarint(header)
	if n <= 0 || n != len(header) {
		return nil, fmt.Errorf("%w: header", errSnapshot)
	}
	m := &image{index: index}
	if m.ledger, err = ledger.Load(in.run(frameLedger)); err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if m.directory, err = directory.Load(in.run(frameDirectory)); err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if m.trail, err = in.trail(); err != nil {
		return nil, err
	}
	before := in.frames
	trailer, err := in.one(frameTrailer)
	if err != nil {
		return nil, err
	}
	if err := m.checkTrailer(trailer, before); err != nil {
		return nil, err
	}
	if _, err := in.r.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the trailer", errSnapshot)
	}
	return m, nil
}

func (m *image) checkTrailer(trailer []byte, frames uint64) error {
	count, n := binary.Uvarint(trailer)
	digests := m.digests(nil)
	if n <= 0 || len(trailer) != n+len(digests) || count != frames {
		return fmt.Errorf("%w: trailer does not fit %d frames", errSnapshot, frames)
	}
	if !bytes.Equal(trailer[n:], digests) {
		return fmt.Errorf("%w: what was read has another digest than what was written", errSnapshot)
	}
	return nil
}

// trail reads the audit trail, which is empty where there are no frames of it.
func (in *frameReader) trail() (*audit.Trail, error) {
	switch kind, err := in.peek(); {
	case err != nil:
		return nil, err
	case kind != frameAudit:
		return audit.New(), nil
	}
	t, err := audit.Load(in.run(frameAudit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if t.Head().Seq == 0 {
		return nil, fmt.Errorf("%w: an audit trail without entries", errSnapshot)
	}
	return t, nil
}

// frameReader reads frames, one ahead.
type frameReader struct {
	r      *bufio.Reader
	frames uint64 // taken
	buf    bytes.Buffer
	kind   byte // of the frame in buf; 0 when there is none
}

// peek makes sure that there is a frame in buf and returns its kind.
func (in *frameReader) peek() (byte, error) {
	if in.kind != 0 {
		return in.kind, nil
	}
	var head [5]byte
	if _, err := io.ReadFull(in.r, head[:]); err != nil {
		return 0, fmt.Errorf("%w: it ends early: %w", errSnapshot, err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if head[0] == 0 || size > maxFrame {
		return 0, fmt.Errorf("%w: frame %d of kind %d with %d bytes", errSnapshot, in.frames, head[0], size)
	}
	in.buf.Reset()
	// Grows with what is there, not with what a damaged length promises.
	if _, err := io.CopyN(&in.buf, in.r, int64(size)); err != nil {
		return 0, fmt.Errorf("%w: it ends early: %w", errSnapshot, err)
	}
	var sum [4]byte
	if _, err := io.ReadFull(in.r, sum[:]); err != nil {
		return 0, fmt.Errorf("%w: it ends early: %w", errSnapshot, err)
	}
	if binary.BigEndian.Uint32(sum[:]) != frameSum(head, in.buf.Bytes()) {
		return 0, fmt.Errorf("%w: checksum of frame %d", errSnapshot, in.frames)
	}
	in.kind = head[0]
	return in.kind, nil
}

// take gives the frame in buf away; it is valid until the next peek.
func (in *frameReader) take() []byte {
	in.kind = 0
	in.frames++
	return in.buf.Bytes()
}

// one returns the next frame, which must be of this kind.
func (in *frameReader) one(kind byte) ([]byte, error) {
	got, err := in.peek()
	if err != nil {
		return nil, err
	}
	if got != kind {
		return nil, fmt.Errorf("%w: frame %d is of kind %d, not %d", errSnapshot, in.frames, got, kind)
	}
	return in.take(), nil
}

// run yields frames while they are of this kind.
func (in *frameReader) run(kind byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			got, err := in.peek()
			if err != nil {
				yield(nil, err)
				return
			}
			if got != kind || !yield(in.take(), nil) {
				return
			}
		}
	}
}
