// Package body redacts the JSON of requests and answers, in place: strings of text are
// searched, what is found is replaced, and every other byte stays what it was. A body
// without a finding is given back as it is.
//
// Which strings are text is decided by their keys, for all dialects alike. What is not
// known counts as text; what is known as structure is left alone: models, ids, roles,
// names, types, signatures, links to media, media in base64. Of schemas, descriptions
// and defaults are text. Data of the caller's own, such as the input of a tool or a
// function's result, is text throughout, its keys and long numbers included, and each
// key counts as context of its value. A string that holds JSON is read as JSON, to a
// bounded depth, and so is text in base64 whose type says that it is text.
//
// It is pure; hooks are asked through a function of the caller's.
package body
