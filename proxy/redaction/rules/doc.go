// Package rules reads rules for secrets in gitleaks' TOML form, and has a set of its
// own that is compiled in.
//
// Of the form it reads what bears on a text alone: id, description, regex, keywords,
// entropy, secretGroup, and the allow-lists of rules and of the file, in both of their
// spellings, with regexes, stop words, targets and conditions. What speaks of files
// and commits is read over: a rule by path alone is left out, and so is one that
// requires another. The caller is told which.
//
// It reads bytes; it opens no files.
package rules
