//go:build race

package ledger

// raceEnabled makes the exhaustive tests shallower under the race detector.
const raceEnabled = true
