package pixels

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// MaxSide is the largest side that is believed, the limit of the JPEG and GIF
// formats; a larger one counts as unknown.
const MaxSide = 1 << 16

// SizeBase64 is Size for the first part of a file in standard base64.
func SizeBase64(text []byte) (width, height int, ok bool) {
	var small [96]byte // enough for all but JPEG
	n := decode(small[:], text[:min(len(text), 128)])
	head := small[:n]
	if isJPEG(head) && len(text) > 128 {
		big := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		head = big[:decode(big, text)]
	}
	return Size(head)
}

// decode decodes as many whole groups of base64 as text has; a line break or
// anything else foreign ends it.
func decode(dst, text []byte) int {
	n, _ := base64.StdEncoding.Decode(dst, text[:len(text)&^3])
	return n
}

// Size gives the size in pixels of the image whose file begins with head.
func Size(head []byte) (width, height int, ok bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		width, height = png(head)
	case isJPEG(head):
		width, height = jpeg(head)
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		width, height = gif(head)
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		width, height = webp(head)
	}
	if width <= 0 || height <= 0 || width > MaxSide || height > MaxSide {
		return 0, 0, false
	}
	return width, height, true
}

func png(b []byte) (int, int) {
	if len(b) < 24 || string(b[12:16]) != "IHDR" {
		return 0, 0
	}
	w, h := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if w > MaxSide || h > MaxSide {
		return 0, 0
	}
	return int(w), int(h)
}

func gif(b []byte) (int, int) {
	if len(b) < 10 {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
}

func isJPEG(b []byte) bool { return len(b) >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff }

// jpeg walks the segments to the frame header (ITU T.81, B.2.2).
func jpeg(b []byte) (int, int) {
	for i := 2; i+4 <= len(b); {
		if b[i] != 0xff {
			return 0, 0
		}
		marker := b[i+1]
		if marker == 0xff { // fill byte
			i++
			continue
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 { // no length
			i += 2
			continue
		}
		size := int(binary.BigEndian.Uint16(b[i+2:]))
		switch {
		case size < 2 || marker == 0xd9 || marker == 0xda: // end, or data before a frame
			return 0, 0
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if i+9 > len(b) {
				return 0, 0
			}
			return int(binary.BigEndian.Uint16(b[i+7:])), int(binary.BigEndian.Uint16(b[i+5:]))
		}
		i += 2 + size
	}
	return 0, 0
}

// webp reads the first chunk: lossy, lossless or extended.
func webp(b []byte) (int, int) {
	if len(b) < 30 {
		return 0, 0
	}
	switch string(b[12:16]) {
	case "VP8 ":
		if b[23] != 0x9d || b[24] != 0x01 || b[25] != 0x2a {
			return 0, 0
		}
		return int(binary.LittleEndian.Uint16(b[26:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[28:]) & 0x3fff)
	case "VP8L":
		if b[20] != 0x2f {
			return 0, 0
		}
		v := binary.LittleEndian.Uint32(b[21:])
		return int(v&0x3fff) + 1, int(v>>14&0x3fff) + 1
	case "VP8X":
		return u24(b[24:]) + 1, u24(b[27:]) + 1
	}
	return 0, 0
}

func u24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
