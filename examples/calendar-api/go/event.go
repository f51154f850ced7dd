package main

import (
	"regexp"
	"time"

	"github.com/google/uuid"
)

// timestampLayout is how moments are kept and shown, in UTC. Text of this form sorts by time.
const timestampLayout = "2006-01-02T15:04:05Z"

var namespace = uuid.MustParse("3f0e6a5c-7d0b-4b64-9d0e-2f5b8c1a7e42")

// event is an event as it is kept.
type event struct {
	ID       string  `json:"id"`
	Title    string  `json:"title"`
	Start    string  `json:"start"`
	End      string  `json:"end"`
	Location *string `json:"location"`
	Notes    string  `json:"notes"`
}

// identified is the event with its id, which follows from its start and its title. No two events share both.
func (e event) identified() event {
	e.ID = uuid.NewSHA1(namespace, []byte(e.Start+" "+e.Title)).String()
	return e
}

// position is the place of an event in the order of the list.
type position struct {
	start string
	id    string
}

func (e event) position() position {
	return position{e.Start, e.ID}
}

const hourAndMinute = `(?:[01][0-9]|2[0-3]):[0-5][0-9]`

var timestampForm = regexp.MustCompile(
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}T` + hourAndMinute + `:[0-5][0-9](?:Z|[+-]` + hourAndMinute + `)$`)

// parseTimestamp takes RFC 3339 with whole seconds, in any offset, and returns the same moment in UTC.
func parseTimestamp(text string) (string, bool) {
	if !timestampForm.MatchString(text) {
		return "", false
	}
	moment, err := time.Parse(time.RFC3339, text)
	utc := moment.UTC()
	if err != nil || moment.Year() < 1 || utc.Year() < 1 || utc.Year() > 9999 {
		return "", false
	}
	return utc.Format(timestampLayout), true
}

// parseDate takes `2026-11-05` and returns it, since text of this form sorts by time.
func parseDate(text string) (string, bool) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1 {
		return "", false
	}
	return text, true
}

// parseMonth takes `2026-11` and returns the first day of the month.
func parseMonth(text string) (time.Time, bool) {
	month, err := time.Parse("2006-01", text)
	return month, err == nil && month.Year() > 0
}
