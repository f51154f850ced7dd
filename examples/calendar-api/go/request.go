package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxBodyBytes = 1 << 16

var eventKeys = []string{"title", "start", "end", "location", "notes"}

// eventQuery is which events to list: those that start on `from` or later, and before `to`.
type eventQuery struct {
	limit  int
	from   string
	to     string
	cursor *string
}

var limitForm = regexp.MustCompile(`^(?:[1-9][0-9]?|100)$`)

func parseEventQuery(raw string) (eventQuery, faults) {
	values := queryValues(raw)
	query := eventQuery{limit: 20}
	var found faults
	if text, ok := values["limit"]; ok {
		if !limitForm.MatchString(text) {
			found.add("limit", rules["limit"])
		}
		query.limit, _ = strconv.Atoi(text)
	}
	date := func(name string) string {
		text, ok := values[name]
		day, valid := parseDate(text)
		if ok && !valid {
			found.add(name, rules[name])
		}
		return day
	}
	query.from, query.to = date("from"), date("to")
	if query.from != "" && query.to != "" && query.to < query.from {
		found.add("to", "must not be before from")
	}
	if text, ok := values["cursor"]; ok {
		query.cursor = &text
	}
	return query, found
}

// queryValues has the last value of each name, and leaves text that is not well escaped as it is, where
// url.ParseQuery leaves it out.
func queryValues(raw string) map[string]string {
	values := map[string]string{}
	for _, pair := range strings.Split(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		values[unescaped(name)] = unescaped(value)
	}
	return values
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// readEvent reads an event from the body of a request.
func readEvent(w http.ResponseWriter, r *http.Request) (event, *problem) {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if strings.ToLower(strings.TrimSpace(mediaType)) != "application/json" {
		return event{}, &wrongMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if tooMany := new(http.MaxBytesError); errors.As(err, &tooMany) {
		return event{}, &tooLarge
	}
	// A map, since encoding/json would take "TITLE" for a field named title.
	var document map[string]any
	if err != nil || json.Unmarshal(body, &document) != nil || document == nil || !wellFormedText(body) {
		return event{}, &badJSON
	}
	read, found := parseEvent(document)
	if len(found) > 0 {
		unprocessable := invalid(found)
		return event{}, &unprocessable
	}
	return read.identified(), nil
}

func parseEvent(document map[string]any) (event, faults) {
	var read event
	var found faults
	text := func(key string, minCharacters, maxCharacters int) string {
		value, ok := document[key].(string)
		if length := utf8.RuneCountInString(value); !ok || length < minCharacters || length > maxCharacters {
			found.add(key, rules[key])
		}
		return value
	}
	timestamp := func(key string) string {
		value, _ := document[key].(string)
		moment, ok := parseTimestamp(value)
		if !ok {
			found.add(key, rules[key])
		}
		return moment
	}

	read.Title = text("title", 1, 200)
	read.Start = timestamp("start")
	read.End = timestamp("end")
	if read.Start != "" && read.End != "" && read.End <= read.Start {
		found.add("end", "must be after start")
	}
	if document["location"] != nil {
		location := text("location", 0, 200)
		read.Location = &location
	}
	if _, ok := document["notes"]; ok {
		read.Notes = text("notes", 0, 2000)
	}
	for key := range document {
		if !slices.Contains(eventKeys, key) {
			found.add(key, "is not a known key")
		}
	}
	return read, found
}

var surrogates = regexp.MustCompile(`(?i)\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(\\ud[89a-f][0-9a-f]{2})`)

// wellFormedText reports whether valid JSON is UTF-8 and escapes no half of a surrogate pair alone. Where it is
// not, encoding/json puts U+FFFD instead.
func wellFormedText(body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	for _, match := range surrogates.FindAllSubmatchIndex(body, -1) {
		if match[2] >= 0 {
			return false
		}
	}
	return true
}
