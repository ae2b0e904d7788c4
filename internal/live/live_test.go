package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"purser/internal/record"
	"purser/ledger"
)

func made(i int) *record.Record {
	return &record.Record{ID: record.NewID(ledger.Instant(i)), At: ledger.Instant(i), Attempt: 1, Model: fmt.Sprint("m", i%2)}
}

func all(*record.Record) bool { return true }

func models(t *testing.T, b Batch) (list []string) {
	t.Helper()
	var dec record.Decoder
	for _, stored := range b.Records {
		var r record.Record
		if err := dec.Decode(&r, stored); err != nil {
			t.Fatal(err)
		}
		list = append(list, r.Model)
	}
	return list
}

func TestAWatchGetsWhatItSelectsInOrder(t *testing.T) {
	var h Hub
	h.See(made(0)) // nobody watches
	one, every := NewInbox(), NewInbox()
	endOne, err := h.Watch(one, func(r *record.Record) bool { return r.Model == "m1" })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Watch(every, all); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		h.See(made(i))
	}
	if b, err := one.Next(t.Context()); err != nil || fmt.Sprint(models(t, b)) != "[m1 m1]" {
		t.Errorf("of one model: %v, %v", models(t, b), err)
	}
	if b, err := every.Next(t.Context()); err != nil || fmt.Sprint(models(t, b)) != "[m0 m1 m0 m1]" || b.Dropped != 0 {
		t.Errorf("of all: %v, %v", models(t, b), err)
	}
	endOne()
	h.See(made(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b, err := one.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v, %v", b, err)
	}
}

func TestWhatFindsNoRoomIsDroppedAndCounted(t *testing.T) {
	var h Hub
	in := NewInbox()
	if _, err := h.Watch(in, all); err != nil {
		t.Fatal(err)
	}
	for i := range maxHeld + 7 {
		h.See(made(i))
	}
	in.Lose(3)
	b, err := in.Next(t.Context())
	if err != nil || len(b.Records) != maxHeld || b.Dropped != 7+3 {
		t.Fatalf("%d records, %d dropped, %v", len(b.Records), b.Dropped, err)
	}
	in.Put(make([]byte, maxBytes))
	in.Put([]byte{1})
	if b, err = in.Next(t.Context()); err != nil || len(b.Records) != 1 || b.Dropped != 1 {
		t.Errorf("of large ones: %d records, %d dropped, %v", len(b.Records), b.Dropped, err)
	}
}

func TestWatchesAreBoundedAndEndWithTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		var waiting sync.WaitGroup
		for range MaxWatches {
			in := NewInbox()
			if _, err := h.Watch(in, all); err != nil {
				t.Fatal(err)
			}
			waiting.Go(func() {
				if b, err := in.Next(t.Context()); err != nil || len(b.Records) != 1 {
					t.Errorf("what was there before the end: %v, %v", b, err)
				}
				if b, err := in.Next(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("after the end: %v, %v", b, err)
				}
			})
		}
		if _, err := h.Watch(NewInbox(), all); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more: %v", err)
		}
		h.See(made(1))
		synctest.Wait()
		h.Close()
		waiting.Wait()
		if _, err := h.Watch(NewInbox(), all); !errors.Is(err, ErrClosed) {
			t.Errorf("of a closed hub: %v", err)
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(AppendBatch(nil, Batch{Records: [][]byte{{1, 2}, {}, {3}}, Dropped: 300}))
	f.Add([]byte{batchVersion, 0, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, err := DecodeBatch(b)
		if err != nil {
			return
		}
		again, err := DecodeBatch(AppendBatch(nil, batch))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(batch) {
			t.Errorf("%v became %v, %v", batch, again, err)
		}
	})
}

func BenchmarkSeeWithNobodyWatching(b *testing.B) {
	var h Hub
	r := made(1)
	for b.Loop() {
		h.See(r)
	}
}

func BenchmarkSeeWithAWatch(b *testing.B) {
	var h Hub
	in := NewInbox()
	if _, err := h.Watch(in, all); err != nil {
		b.Fatal(err)
	}
	r := made(1)
	for i := 0; b.Loop(); i++ {
		h.See(r)
		if i%1024 == 0 {
			_, _ = in.take()
		}
	}
}
