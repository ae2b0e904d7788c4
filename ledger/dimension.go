package ledger

// Dim is one of the dimensions a request is attributed along.
type Dim uint8

// The dimensions. DimTag stands for the free tags, which carry their own name.
const (
	DimOrg Dim = iota
	DimTeam
	DimProject
	DimMember
	DimKey
	DimCustomer
	DimFeature
	DimAgent
	DimRun
	DimSession
	DimPrompt
	DimModel
	DimProvider
	DimEnv
	DimTag
)

// NumDims is how many fixed dimensions there are (all but the free tags).
const NumDims = int(DimTag)

// MaxTags is how many free tags one request may carry.
const MaxTags = 16

// MaxDimValue is the longest value of a dimension or tag, in bytes.
const MaxDimValue = 256

// MaxTagName is the longest name of a tag, in bytes.
const MaxTagName = 64

// DimRef names a fixed dimension, or (DimTag, name) for a free tag. Its text
// form is the dimension's name, or "tag:<name>".
type DimRef struct {
	Dim Dim
	Tag string
}

// Tag is one free tag of a request.
type Tag struct {
	Name, Value string
}

// Dimensions are what one request is attributed to. An empty string means the
// dimension is not set. Tags are sorted by name and hold no name twice.
type Dimensions struct {
	Values [NumDims]string
	Tags   []Tag
}

// Get returns the value r refers to, or "" when it is not set.
func (d *Dimensions) Get(r DimRef) string {
	if r.Dim != DimTag {
		return d.Values[r.Dim]
	}
	for _, t := range d.Tags {
		if t.Name == r.Tag {
			return t.Value
		}
	}
	return ""
}
