// Package events redacts answers that come as streams of events, in the dialect of the
// client: what the model says is searched and restored across events, and everything
// else of an event as in a whole answer.
//
// The texts of one kind in one place of an answer, such as the arguments of its second
// tool call, are a channel. A channel is decided up to the first place from which a
// placeholder, or a match of something that is looked for, may have begun that is not
// over. An event goes on when all of its text is decided, and events keep their order;
// none is made, and none is taken away. What a placeholder was split over is put into
// the event where it began. The end of a channel, or of the stream, decides what is
// left.
//
// Memory is bounded: beyond it everything held is decided as it stands.
package events
