//go:build race

package purse

const raceEnabled = true
