package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// cursorSigner makes cursors: `payload.signature`, both base64url: the position, and the HMAC-SHA256 of the payload.
type cursorSigner struct {
	key []byte
}

func (s cursorSigner) render(p position) string {
	payload := base64.RawURLEncoding.EncodeToString([]byte(p.start + " " + p.id))
	return payload + "." + s.sign(payload)
}

// parse reports whether the cursor was rendered with the same key, and the position if so.
func (s cursorSigner) parse(cursor string) (position, bool) {
	payload, signature, _ := strings.Cut(cursor, ".")
	if !hmac.Equal([]byte(signature), []byte(s.sign(payload))) {
		return position{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	start, id, _ := strings.Cut(string(text), " ")
	return position{start, id}, err == nil
}

func (s cursorSigner) sign(payload string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
