// Package proxy takes one request from the edge to the provider and back.
package proxy
