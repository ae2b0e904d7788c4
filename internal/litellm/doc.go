// Package litellm reads what rules a LiteLLM proxy and writes it as a node's
// configuration and a state file: the models of its configuration file, and the
// keys, teams and users that its API lists.
//
// Sources are LiteLLM's documentation of its configuration file (model_list,
// litellm_settings, router_settings, general_settings) and the answers of
// /key/list?return_full_object=true, /team/list and /user/list.
//
// # What holds
//
//   - No secret is written. os.environ/NAME becomes ${NAME}; a secret that stands
//     in the file becomes a variable, and the report says which.
//   - A key keeps working: LiteLLM keeps the SHA-256 of a key, as Purser does.
//   - A limit is never wider than it was. A duration that no window has takes the
//     next longer window with the same limit.
//   - What is not carried over is in the report, by its place; nothing is left out
//     in silence.
//
// The package is pure: it reads bytes and writes bytes.
package litellm
