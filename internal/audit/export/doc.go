// Package export writes the audit trail for people and other programs, and reads it
// again: JSON lines, which can be verified, and CEF, which cannot.
//
// A line has everything that its hash covers, and has one way to be written: what is
// read is written again and compared, so that there is no byte of a file that may
// change unnoticed.
//
// # Tests
//
// Every byte of a file changed, every line removed, exchanged, repeated and put in;
// random entries written and read; the escapes of CEF.
package export
