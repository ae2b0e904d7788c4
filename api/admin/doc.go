// Package admin is the JSON administration API under /admin/v1: keys, budgets,
// usage and status, behind a bearer token. It reads and checks what it is given
// and takes no decisions; what it asks for, the node does.
//
// Errors have the body {"error":{"code","message"}} with a stable code:
// invalid_request (400), unauthorized (401), forbidden and cross_site (403),
// not_found (404), conflict (409), too_large (413), too_many_failures (429),
// undecided and provider_unavailable (503, try again), internal (500).
//
// Every route is a line of the table in routes.go, with the permission that it
// needs and whose things it touches; that is asked before its handler runs.
package admin
