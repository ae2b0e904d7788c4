// Package pixels reads the width and height of an image from the first bytes of
// its file: PNG, JPEG, GIF and WebP, the formats that models take. It decodes no
// picture, trusts no media type, allocates only a small buffer, and says
// "unknown" for whatever it cannot read. Fuzzed against image.DecodeConfig.
package pixels
