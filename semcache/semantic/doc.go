// Package semantic is the second tier of the response cache: it finds an answer to a
// question that was asked in other words.
package semantic
