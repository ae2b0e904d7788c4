package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// sumMerger adds zigzag varints up. Its name is stored in the files.
var sumMerger = &pebble.Merger{
	Name: "purser.sum.v1",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		s := new(sum)
		return s, s.add(value)
	},
}

type sum struct{ total int64 }

func (s *sum) add(value []byte) error {
	v, err := DecodeSum(value)
	if err != nil {
		return err
	}
	if v > 0 && s.total > math.MaxInt64-v || v < 0 && s.total < math.MinInt64-v {
		return fmt.Errorf("sum of %d and %d overflows", s.total, v)
	}
	s.total += v
	return nil
}

func (s *sum) MergeNewer(value []byte) error { return s.add(value) }
func (s *sum) MergeOlder(value []byte) error { return s.add(value) }

func (s *sum) Finish(bool) ([]byte, io.Closer, error) {
	return AppendSum(nil, s.total), nil, nil
}

// AppendSum appends the stored form of one summand, or of a sum.
func AppendSum(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// DecodeSum is the inverse of [AppendSum].
func DecodeSum(b []byte) (int64, error) {
	v, n := binary.Varint(b)
	if n <= 0 || n != len(b) {
		return 0, errors.New("a stored sum is not one varint")
	}
	return v, nil
}
