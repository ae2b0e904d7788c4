// Package conversationtest draws requests and answers in no dialect, for the tests
// of those who write and read them, and compares what comes back.
package conversationtest
