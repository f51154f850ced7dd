package main

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// api answers the requests of the service.
type api struct {
	store  *eventStore
	signer cursorSigner
}

// newRouter has the routes of the service.
func newRouter(a *api) http.Handler {
	router := chi.NewRouter()
	router.Use(decodedPath)
	router.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, notFound) })
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowedMethods(router, r.URL.Path), ", "))
		writeProblem(w, methodNotAllowed)
	})
	router.Get("/healthz", a.health)
	router.Get("/events", a.listEvents)
	router.Post("/events", a.createEvent)
	router.Get("/events/{id}", a.getEvent)
	router.Delete("/events/{id}", a.deleteEvent)
	router.Get("/months/{month}", a.getMonth)
	return router
}

// decodedPath makes chi match the path in its decoded form only.
func decodedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

func allowedMethods(router chi.Router, path string) []string {
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPost} {
		if router.Match(chi.NewRouteContext(), method, path) {
			methods = append(methods, method)
		}
	}
	return methods
}

// health answers once the calendar is open.
func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// eventPage is some events by start, and the cursor that asks for those after them.
type eventPage struct {
	Events []event `json:"events"`
	Next   *string `json:"next"`
}

// listEvents answers a page of events by start.
func (a *api) listEvents(w http.ResponseWriter, r *http.Request) {
	query, faults := parseEventQuery(r.URL.RawQuery)
	var after position
	if len(faults) == 0 && query.cursor != nil {
		var ok bool
		if after, ok = a.signer.parse(*query.cursor); !ok {
			faults.add("cursor", rules["cursor"])
		}
	}
	if len(faults) > 0 {
		writeProblem(w, invalid(faults))
		return
	}
	// One more than asked for, to know whether there are more.
	page := eventPage{Events: a.store.list(query.limit+1, query.from, query.to, after)}
	if len(page.Events) > query.limit {
		page.Events = page.Events[:query.limit]
		next := a.signer.render(page.Events[query.limit-1].position())
		page.Next = &next
	}
	writeJSON(w, http.StatusOK, page)
}

// createEvent keeps an event.
func (a *api) createEvent(w http.ResponseWriter, r *http.Request) {
	created, fault := readEvent(w, r)
	if fault != nil {
		writeProblem(w, *fault)
		return
	}
	if !a.store.add(created) {
		writeProblem(w, conflict)
		return
	}
	w.Header().Set("Location", "/events/"+created.ID)
	writeJSON(w, http.StatusCreated, created)
}

// getEvent answers one event.
func (a *api) getEvent(w http.ResponseWriter, r *http.Request) {
	found, ok := a.store.get(chi.URLParam(r, "id"))
	if !ok {
		writeProblem(w, notFound)
		return
	}
	writeJSON(w, http.StatusOK, found)
}

// deleteEvent forgets an event.
func (a *api) deleteEvent(w http.ResponseWriter, r *http.Request) {
	if !a.store.remove(chi.URLParam(r, "id")) {
		writeProblem(w, notFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getMonth answers a month at a glance.
func (a *api) getMonth(w http.ResponseWriter, r *http.Request) {
	month, ok := parseMonth(chi.URLParam(r, "month"))
	if !ok {
		writeProblem(w, invalid(faults{{"month", rules["month"]}}))
		return
	}
	name := month.Format("2006-01")
	writeJSON(w, http.StatusOK, newMonthView(month, a.store.startsInMonth(name)))
}
