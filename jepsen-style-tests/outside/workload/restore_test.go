package workload

import (
	"maps"
	"testing"
	"time"

	"purser/internal/simprovider"
)

func TestWhatWasBilledSinceABackup(t *testing.T) {
	since := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	rows := []simprovider.Row{
		{EndUser: "a", Cost: 100, At: since.Add(-time.Second)},
		{EndUser: "a", Cost: 1, At: since.Add(time.Second)},
		{EndUser: "b", Cost: 10, At: since.Add(time.Second)},
		{EndUser: "nobody", Cost: 1000, At: since.Add(time.Second)},
	}
	got, unknown := billedSince(rows, since, map[string][]string{"a": {"all", "each[x]"}, "b": {"all"}})
	if want := map[string]int64{"all": 11, "each": 1}; !maps.Equal(got, want) || unknown != 1000 {
		t.Errorf("%v and %d, want %v and 1000", got, unknown, want)
	}
}
