// Package gemini reads and writes conversations in the dialect of Google's Gemini
// API: generateContent and streamGenerateContent, as a client speaks them and as
// an upstream does. What is billed is none of its business: see package
// purser/proxy/dialect/gemini, which decodes and meters what is written here.
//
// What is Google's own, and what becomes of it:
//
//   - Signatures. Google signs what its models think and wants it back: on the part
//     that follows the thought, a call of a function above all, without which
//     newer models refuse a history. A call has no room for that in other dialects,
//     so its signature travels in the call's id (see sealedID). That of a text
//     becomes a thought without text after it.
//   - The other way round, a client of Gemini gets the seal of another dialect's
//     thought as the signature of the part after it, where Google's own clients
//     keep it, and gives it back there.
//   - Calls of functions without an id get one here, and a result without an id
//     answers the oldest call of its name.
//   - The schemas of parameters and responseSchema have types in capitals; they
//     become JSON Schema. What is written is always JSON Schema.
//   - A field has two spellings, and a list of one object may be the object alone.
//
// A value of [Dialect] has no state and may be shared. Readers and writers belong
// to one stream. Nothing here fails but by what it returns.
//
// Tested field by field, by requests drawn at random that are written and read
// again, by golden files of whole bodies and streams, by Google's Go SDK, and by
// fuzzing.
package gemini
