// Package pieces takes JSON answers apart and puts them together, as the dialects
// do to fold a stream into the answer it amounts to, to replay an answer as a
// stream, and to end a stream in the middle. Pieces are the answer's own bytes, so
// that what nobody reads stays as it was.
//
// What goes in has been checked to be JSON before, unless a function says
// otherwise. What an answer's pieces mean is each dialect's own affair.
package pieces
