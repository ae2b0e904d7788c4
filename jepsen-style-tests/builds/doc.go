// Package builds makes the programs that tests of processes run: the one that is
// shipped, and builds of the same tree, or of an older one, that differ from it by
// what only a test needs: a clock that can be set wrong, a log that is cut all the
// time, a known bug, the race detector. Nothing of it is in the shipped program, and
// nothing in the tree changes: files are put over others by go build's overlay, or
// chosen by a build tag. ADR 0061.
package builds
