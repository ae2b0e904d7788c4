package outside

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestItRestsAfterFailuresInARow: for its time, and not for clients that leave.
func TestItRestsAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Rest
		fail := errors.New("no")
		for range Failures - 1 {
			if r.Note(fail) != fail || r.Note(context.Canceled) == nil || r.Resting(time.Now()) {
				t.Fatal("it rests too soon, or the error is lost")
			}
		}
		if r.Note(nil) != nil || r.Resting(time.Now()) {
			t.Fatal("it rests after a success")
		}
		for range Failures {
			_ = r.Note(fail)
		}
		if now := time.Now(); !r.Resting(now) || !r.Resting(now.Add(RestsFor-1)) || r.Resting(now.Add(RestsFor)) {
			t.Error("it does not rest for its time")
		}
	})
}
