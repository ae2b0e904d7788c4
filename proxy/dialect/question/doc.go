// Package question finds the question that a call ends with, in the dialects whose
// bodies are lists of messages, and the text of the answer. It does not judge: whether
// another answer may be given to the question is the caller's affair.
//
// What a question is: the last text of the last message, which is the user's and has
// nothing but texts in it. Everything else of the body, other texts of that message
// too, is what the question is asked in.
package question
