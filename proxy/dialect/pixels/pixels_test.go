package pixels

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	gifs "image/gif"
	jpegs "image/jpeg"
	pngs "image/png"
	"testing"

	"pgregory.net/rapid"
)

// files encodes a picture of this size in each format the library can write.
func files(t interface{ Fatal(...any) }, w, h int) map[string][]byte {
	img := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White})
	var p, j, g bytes.Buffer
	if err := pngs.Encode(&p, img); err != nil {
		t.Fatal(err)
	}
	if err := jpegs.Encode(&j, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := gifs.Encode(&g, img, nil); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"png": p.Bytes(), "jpeg": j.Bytes(), "gif": g.Bytes()}
}

func TestSizes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 300).Draw(t, "w"), rapid.IntRange(1, 300).Draw(t, "h")
		for format, file := range files(t, w, h) {
			if gw, gh, ok := Size(file); !ok || gw != w || gh != h {
				t.Fatalf("%s of %d x %d: %d x %d %v", format, w, h, gw, gh, ok)
			}
			text := base64.StdEncoding.EncodeToString(file)
			if gw, gh, ok := SizeBase64([]byte(text)); !ok || gw != w || gh != h {
				t.Fatalf("%s of %d x %d in base64: %d x %d %v", format, w, h, gw, gh, ok)
			}
		}
	})
}

// A JPEG may carry long metadata before its size.
func TestJPEGWithMetadata(t *testing.T) {
	file := files(t, 33, 44)["jpeg"]
	segment := append([]byte{0xff, 0xe1, 0xff, 0xff}, make([]byte, 0xfffd)...)
	long := append(append(append([]byte(nil), file[:2]...), segment...), file[2:]...)
	if w, h, ok := SizeBase64([]byte(base64.StdEncoding.EncodeToString(long))); !ok || w != 33 || h != 44 {
		t.Errorf("%d x %d %v", w, h, ok)
	}
}

func TestWebP(t *testing.T) {
	head := func(kind string, body ...byte) []byte {
		b := append([]byte("RIFF\x00\x00\x00\x00WEBP"+kind+"\x00\x00\x00\x00"), body...)
		return append(b, make([]byte, 16)...)
	}
	for name, x := range map[string]struct {
		file []byte
		w, h int
	}{
		"lossy":    {head("VP8 ", 0, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xf0, 0x00), 320, 240},
		"lossless": {head("VP8L", 0x2f, 0x3f, 0xc1, 0x3b, 0x00), 320, 240},
		"extended": {head("VP8X", 0, 0, 0, 0, 0x3f, 1, 0, 0xef, 0, 0), 320, 240},
		"broken":   {head("VP8 "), 0, 0},
		"unknown":  {head("ALPH", 1, 2, 3), 0, 0},
	} {
		if w, h, ok := Size(x.file); w != x.w || h != x.h || ok != (x.w > 0) {
			t.Errorf("%s: %d x %d %v", name, w, h, ok)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, text := range []string{"", "AAAA", "!!!!", "iVBORw0KGgo=", "/9j/", "<svg/>"} {
		if w, h, ok := SizeBase64([]byte(text)); ok || w != 0 || h != 0 {
			t.Errorf("%q: %d x %d", text, w, h)
		}
	}
	huge := files(t, 3, 3)["png"]
	huge[16] = 0x7f
	if _, _, ok := Size(huge); ok {
		t.Error("a side of two thousand million is believed")
	}
}

func FuzzSize(f *testing.F) {
	for _, file := range files(f, 20, 30) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		w, h, ok := Size(file)
		if ok != (w > 0 && h > 0) || w > MaxSide || h > MaxSide {
			t.Fatalf("%d x %d %v", w, h, ok)
		}
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil && ok && (cfg.Width != w || cfg.Height != h) {
			t.Fatalf("%d x %d, the library reads %d x %d", w, h, cfg.Width, cfg.Height)
		}
		SizeBase64(file)
	})
}
