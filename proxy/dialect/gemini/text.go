package gemini

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

func ambiguous(param, how string) error {
	return dialect.NewError(dialect.CodeAmbiguous, param,
		"'%s' %s. Send it once, under its name in the API reference.", param, how)
}

func invalidType(param, what string, got jsonscan.Kind) error {
	return dialect.NewError(dialect.CodeInvalidType, param,
		"Invalid type for '%s': expected %s, but got %s instead.", param, what, got)
}

func invalidValue(param, format string, args ...any) error {
	return dialect.NewError(dialect.CodeInvalidValue, param,
		"Invalid value for '%s': %s.", param, fmt.Sprintf(format, args...))
}

func tooMany(param string, limit int) error {
	return dialect.NewError(dialect.CodeLimit, param, "'%s' has too many entries: the limit is %d.", param, limit)
}

func missing(param string) error {
	return dialect.NewError(dialect.CodeMissingField, param, "Missing required field: '%s'.", param)
}

func unsupported(param, why string) error {
	return dialect.NewError(dialect.CodeUnsupported, param, "'%s' is not supported here: %s. Leave it out.", param, why)
}

// unbounded refuses a field whose cost is not known beforehand.
func unbounded(param string) error {
	return unsupported(param, "its cost cannot be bounded beforehand")
}
