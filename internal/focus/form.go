package focus

import "fmt"

// Form is what a file of an export is: which format, of which version, as which kind of
// file, and what a row stands for. It is comparable.
type Form struct {
	Format  string  `json:"format"`            // focus, cbf, vantage, usage
	Version Version `json:"version,omitempty"` // of focus
	File    string  `json:"file"`              // csv, parquet
	Rows    string  `json:"rows,omitempty"`    // hour, day, request; of usage each record
	Raw     bool    `json:"raw,omitempty"`     // whose it is as it was recorded, without the rules of tags
}

// The formats, kinds of file and kinds of row.
const (
	FOCUS         = "focus"
	CBFFormat     = "cbf"
	VantageFormat = "vantage"
	UsageFormat   = "usage"

	CommaSeparated = "csv"
	Parquet        = "parquet"

	Hourly  = "hour"
	Daily   = "day"
	Request = "request"
)

// Complete fills in what a form leaves out, and says what is wrong with it.
func (f Form) Complete() (Form, error) {
	def := CommaSeparated
	if f.Format == UsageFormat {
		def = Parquet
	}
	if f.File == "" {
		f.File = def
	}
	if f.Rows == "" && f.Format != UsageFormat {
		f.Rows = Hourly
		if f.Format == VantageFormat {
			f.Rows = Daily
		}
	}
	switch f.Format {
	case FOCUS:
		v, err := ParseVersion(string(f.Version))
		if err != nil {
			return f, err
		}
		f.Version = v
	case CBFFormat, VantageFormat:
		if f.File != CommaSeparated {
			return f, fmt.Errorf("%s is written as csv alone: its receivers read no %.40q", f.Format, f.File)
		}
	case UsageFormat:
		if f.Rows != "" {
			return f, fmt.Errorf("usage has a row for each record, and not for each %.40q", f.Rows)
		}
	default:
		return f, fmt.Errorf("format %.40q is none that is exported: choose focus, cbf, vantage or usage", f.Format)
	}
	switch {
	case f.Format != FOCUS && f.Version != "":
		return f, fmt.Errorf("version is of focus; %s has none", f.Format)
	case f.File != CommaSeparated && f.File != Parquet:
		return f, fmt.Errorf("file %.40q is neither csv nor parquet", f.File)
	case f.Format != UsageFormat && f.Rows != Hourly && f.Rows != Daily && f.Rows != Request:
		return f, fmt.Errorf("rows %.40q are none of hour, day, request", f.Rows)
	}
	return f, nil
}

// MediaType is that of the file.
func (f Form) MediaType() string {
	if f.File == Parquet {
		return "application/vnd.apache.parquet"
	}
	return "text/csv; charset=utf-8"
}

// Base begins the names of the form's files.
func (f Form) Base() string {
	if f.Format == FOCUS {
		return "focus-" + string(f.Version)
	}
	return f.Format
}
