// Package ui is the dashboard under /ui: HTML that is rendered here, and a little
// script that makes it live. It is a client of the admin API and can do nothing that
// the API cannot: each page asks the API's handler, in this process, with its
// reader's own credential, so that permissions and reach are decided in one place.
//
// # Vocabulary
//
// A [Call] is one request for a page, with who sent it. A page is a handler that
// asks the API through its Call and renders a template of the same name in
// templates/, inside of templates/layout.html. All state of a page is in its URL; every
// page can be read without JavaScript.
//
// # What must stay true
//
//   - Templates are html/template alone, and nothing that came from a request is ever
//     a template.HTML, .JS, .CSS or .URL: the contextual escaping is what keeps a
//     model's name from being a script.
//   - Every answer has the content security policy of [policy]. There is no inline script
//     and no style attribute; what has a length is drawn as SVG.
//   - A change comes from a page of ours (see fromHere), beside what SameSite does.
//   - A token is in the sealed cookie and nowhere else: no URL, no log, no page.
//
// # Failure
//
// An answer of the API that is no success becomes a page that says what went wrong and
// what to do. A part of a page whose route is not there, or not for the reader, is left out.
//
// # Concurrency
//
// A [UI] may be used by any number of goroutines. It starts none; streams of live
// values end with their request, at their time, or when the node shuts down.
package ui
