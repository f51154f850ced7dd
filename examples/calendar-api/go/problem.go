package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// problem is an answer that is an error. All errors have its shape.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Fields  faults `json:"fields"`
}

// fault is a field and what is wrong with it.
type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

type faults []fault

func (f *faults) add(field, message string) {
	*f = append(*f, fault{field, message})
}

// rules is what is said of a field that breaks its rule, whichever way it breaks it.
var rules = map[string]string{
	"cursor":   "must be the `next` of an earlier answer",
	"end":      "must be a time such as 2026-11-05T10:00:00Z",
	"from":     "must be a date such as 2026-11-05",
	"limit":    "must be a whole number from 1 to 100",
	"location": "must be null or text of at most 200 characters",
	"month":    "must be a month such as 2026-11",
	"notes":    "must be text of at most 2000 characters",
	"start":    "must be a time such as 2026-11-05T09:00:00Z",
	"title":    "must be text of 1 to 200 characters",
	"to":       "must be a date such as 2026-11-05",
}

var (
	badJSON          = problem{http.StatusBadRequest, "bad_json", "the body must be a JSON object", faults{}}
	conflict         = problem{http.StatusConflict, "conflict", "there is an event with that start and title", faults{}}
	methodNotAllowed = problem{http.StatusMethodNotAllowed, "method_not_allowed", "method not allowed", faults{}}
	notFound         = problem{http.StatusNotFound, "not_found", "there is nothing here", faults{}}
	tooLarge         = problem{http.StatusRequestEntityTooLarge, "too_large", "the body must be of at most 65536 bytes", faults{}}
	wrongMediaType   = problem{http.StatusUnsupportedMediaType, "unsupported_media_type", "the body must be application/json", faults{}}
)

func invalid(found faults) problem {
	slices.SortFunc(found, func(a, b fault) int { return cmp.Compare(a.Field, b.Field) })
	return problem{http.StatusUnprocessableEntity, "invalid", "the request is not valid", found}
}

func writeProblem(w http.ResponseWriter, p problem) {
	writeJSON(w, p.status, p)
}

// plainSeparators undoes the two escapes that encoding/json cannot be told to leave out. It matches pairs of
// backslashes too, so that text which merely looks like such an escape stays as it is.
var plainSeparators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// writeJSON answers with compact JSON, in which only what must be escaped is.
func writeJSON(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // no value of ours has a part that JSON cannot hold
	}
	text := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	if bytes.Contains(text, []byte(`\u202`)) {
		text = []byte(plainSeparators.Replace(string(text)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
