package usage

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
	"purser/proxy/price"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenBucket has a column of each kind, with and without what was given up.
func goldenBucket() *bucket {
	b := newBucket(40)
	s := scan{into: b.record}
	for i := range 60 {
		r := &record.Record{
			ID: record.FirstID(midnight + ledger.Instant(i)).String(), Attempt: 1, Attempts: 1 + i%3, Outcome: record.Outcome(1 + i%3), Status: 200 + i%2,
			Step: string(rune('a' + i%13)), Stream: i%2 == 0, Cost: ledger.Amount(1000 * i), List: ledger.Amount(1000 * i), Priced: ledger.Amount(900 * i), Baseline: ledger.Amount(1100 * i),
			Total: int64(i) * 50_000_000, FirstByte: int64(i) * 1_000_000,
		}
		r.Usage[price.InputText] = int64(i)
		r.Dims.Values[ledger.DimTeam] = []string{"", "red", "blue"}[i%3]
		r.Dims.Values[ledger.DimRun] = r.ID
		r.Dims.Tags = []ledger.Tag{{Name: "job", Value: string(rune('a' + i%5))}}
		if i%10 == 9 {
			r.Kind, r.Outcome = record.KindPresumed, 0
			r.Savings = []record.Saving{{Lever: record.LeverRouting, Amount: -5}}
		}
		s.count(r)
	}
	s.endRequest()
	b.finish()
	return b
}

// TestCompatRollups: what was rolled up is read by builds that come later.
func TestCompatRollups(t *testing.T) {
	p := progress{rolled: [numLevels]ledger.Instant{0, 3 * ledger.Minute, 2 * ledger.Hour, 24 * ledger.Hour}, kept: [numLevels]ledger.Instant{1, 2, 3, 4}}
	blocks := goldenBucket().blocks()
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for name, now := range map[string][]byte{"block1.golden": blocks[0], "progress1.golden": p.append(nil)} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(hex.EncodeToString(now)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, now) {
			t.Errorf("%s: it is written in another way: give it a new version", name)
		}
		switch name {
		case "progress1.golden":
			if got, err := decodeProgress(stored); err != nil || got != p {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		default:
			k, err := openBlock(stored)
			if err != nil {
				t.Fatal(err)
			}
			again := newBucket(40)
			if err := again.merge(k); err != nil {
				t.Fatal(err)
			}
			again.finish()
			if !bytes.Equal(again.blocks()[0], stored) {
				t.Errorf("%s: what is read is not what was written", name)
			}
		}
	}
}

// FuzzOpenBlock: whatever is stored is read, or refused.
func FuzzOpenBlock(f *testing.F) {
	f.Add(goldenBucket().blocks()[0])
	f.Add([]byte{blockVersion, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{99})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := openBlock(b)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNewer) {
				t.Errorf("%v", err)
			}
			return
		}
		to := newBucket(1000)
		if err := to.merge(k); err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%v", err)
			}
			return
		}
		to.finish()
		to.blocks()
		team, _ := ParseField("team")
		status, _ := ParseField("status")
		q := TotalsQuery{Range: Always, By: []Field{team, status}}
		tally, err := newTally(&q)
		if err != nil {
			t.Fatal(err)
		}
		fold := fold{q: &q, t: tally}
		if err := fold.block(newView(k, midnight, nil), 0); err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%v", err)
		}
	})
}
