// Package netlab is a network of hosts on one machine, for tests of real processes.
// What goes from one host to another follows a [Rule] for each direction: it can be
// dropped, lost by chance, held, delayed, duplicated, reordered, or slowed to a rate.
package netlab
