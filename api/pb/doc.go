// Package pb is the messages between the nodes of a cluster, generated from
// cluster.proto by make gen. Fields are only ever added; their numbers are for
// good, because nodes of two builds run side by side during an upgrade.
package pb
