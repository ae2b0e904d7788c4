// Package gather decides who answers for whose records, and puts their answers into one
// order.
//
// It asks nobody: who has what is given, and records come as sequences. Each origin has at
// most one source, so that nothing is counted twice.
//
// All functions are pure; what [Merge] returns pulls from its sources as it is pulled from,
// and never holds more than one record of each.
package gather
