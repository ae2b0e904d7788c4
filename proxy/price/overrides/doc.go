// Package overrides reads an operator's own prices from YAML and puts them
// before those of a catalogue. It knows the file's form; what the rows mean and
// which are valid is package price's business.
//
//	providers:
//	  openai:                              # the catalogue's name; "openai:eu" for a region
//	    unpriced:                          # a ceiling for models that have no price
//	      input_usd_per_mtok: 20
//	      output_usd_per_mtok: 80
//	    models:
//	      gpt-5.4:                         # replaces every rate of the catalogue's gpt-5.4,
//	        input_usd_per_mtok: 2.25       # and keeps its other names, limits and tokenizer
//	        cache_read_usd_per_mtok: 0.225
//	        output_usd_per_mtok: 13.5
//	      our-finetune:                    # a model the catalogue does not have
//	        match: {prefix: ["ft:gpt-4o:acme:"]}
//	        context_window: 128000
//	        max_output: 16384
//	        tokenizer: o200k
//	        source: contract 4711
//	        rates:
//	          - {input_usd_per_mtok: 3.75, output_usd_per_mtok: 15}
//	          - {from: 2027-01-01, input_usd_per_mtok: 3, output_usd_per_mtok: 12}
//	          - {from: 2027-01-01, context_over: 200000, input_usd_per_mtok: 6, output_usd_per_mtok: 18}
//	          - {from: 2027-01-01, tier: priority, input_usd_per_mtok: 6, output_usd_per_mtok: 24}
//	discounts:                             # what a contract takes off list prices
//	  - provider: openai                   # that bills the call; "openai:eu" for a region
//	    match: {prefix: [gpt-5]}           # none: every model
//	    meters: [cache_read]               # none: every meter
//	    percent_off: 50
//	    from: 2027-01-01
//	    until: 2028-01-01
//	  - {provider: openai, match: {prefix: [gpt-5]}, percent_off: 12.5}
//
// A model has one rate, written with its other fields, or a list of rates. The
// prices are <meter>_usd_per_mtok for the token meters of package price and
// <meter>_usd for calls (web_search_usd, requests_usd). A threshold is either
// context_over, which the tokens must exceed, or context_from, which they must
// reach. Days (from, until) and hours ("16:30-00:30") are UTC; until and the end
// of hours are not included. Numbers are read as decimals, exactly; one that is
// not a whole number of pico-dollars is refused, not rounded.
//
// Of several discounts that cover a call, for each meter the first in the file
// counts; they do not add up. They are taken off the catalogue's prices and off
// those of this file, which are list prices too, but not off a ceiling.
//
// Any key that is not known, or there twice, is an error. Errors begin with the
// file's name, the line and the path of what is wrong, and everything that is
// wrong is reported. Aliases and anchors are not supported.
package overrides
