// Package template renders prompts that have a name and a version: a system prompt and
// messages with typed variables, put into the body of a request in the dialect it is in.
//
// It is pure: what a request becomes follows from its body and the template alone.
//
// # What a request says
//
// A body has the member purser_template, `{"id": "support@3", "variables": {...}}`, or
// names a template by a header. The id is name@version, name@environment, or a name
// alone, which stands for the environment "production". Versions never change.
//
// # The stable part first
//
// Providers remember prompts by their beginnings. So the system prompt comes first and
// may only have variables that are declared stable; then the template's messages in
// their order, then what the request itself has. A template whose system prompt depends
// on the request is refused when it is pushed.
//
// # Variables are data
//
// A value is put in place once and never read again: braces, quotes and roles in it are
// text of the message in which it stands. There is no logic in templates.
package template
