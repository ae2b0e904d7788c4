// Package imports reads other projects' price catalogues as models of this one:
// LiteLLM's model_prices_and_context_window.json and models.dev's api.json. It is
// pure: bytes in, models and a report out.
//
// It does not write overrides (package overrides does), it fetches nothing, and
// it does not decide which models are wanted.
//
// # What is left out
//
// The rule is that of package price: an answer must never be costed below what is
// known. A model is left out, so that it counts as unpriced,
//
//   - when it is priced by something that is not metered here and that its tokens
//     do not cost too: images, seconds, pages, characters;
//   - when a kind of token that is metered under another name costs more than it;
//   - when it has no price, or its prices are zero: there a zero means as often
//     unknown as free.
//
// Prices that have no meter, such as a session's, or a tier's that does not exist
// here, are left out alone: a request for them is refused. All that is left out is
// in [Result.Left], by reason; only prices of zero without a meter are not, as
// nothing is lost with them.
//
// # Numbers
//
// Prices are read as decimals, exactly. What is finer than a pico-dollar is
// rounded up, but for the last digits that floating point left behind.
//
// # Limits
//
// A file of up to [MaxFile] bytes, and as many models as a catalogue takes. What
// is not such a file is an error; a model that package price would refuse is left
// out, so that everything in a [Result] is valid.
//
// # Tests
//
// Files of the real form with costs by hand, and fuzzing: whatever the input, what
// comes out survives being written as overrides and read again.
package imports
