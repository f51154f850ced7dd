package main

import (
	"cmp"
	"slices"
	"sync"
)

// eventStore has all events, in memory. It is safe to share between goroutines.
type eventStore struct {
	mutex   sync.RWMutex
	byID    map[string]event
	ordered []position
}

func newEventStore() *eventStore {
	return &eventStore{byID: map[string]event{}}
}

func comparePositions(a, b position) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id))
}

// add reports whether the event is new.
func (s *eventStore) add(e event) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, ok := s.byID[e.ID]; ok {
		return false
	}
	s.byID[e.ID] = e
	index, _ := slices.BinarySearchFunc(s.ordered, e.position(), comparePositions)
	s.ordered = slices.Insert(s.ordered, index, e.position())
	return true
}

func (s *eventStore) get(id string) (event, bool) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	found, ok := s.byID[id]
	return found, ok
}

// remove reports whether there was such an event.
func (s *eventStore) remove(id string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.byID[id]
	if !ok {
		return false
	}
	delete(s.byID, id)
	index, _ := slices.BinarySearchFunc(s.ordered, found.position(), comparePositions)
	s.ordered = slices.Delete(s.ordered, index, index+1)
	return true
}

// list has the first count events, by start, that start on the day from or later, before the day to and after a
// position. Empty text and the zero position are no limit.
func (s *eventStore) list(count int, from, to string, after position) []event {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	events := make([]event, 0, count)
	for _, each := range s.ordered[s.firstIndex(from, after):] {
		if len(events) == count || to != "" && each.start >= to {
			break
		}
		events = append(events, s.byID[each.id])
	}
	return events
}

// firstIndex is where the events on the day from or later and after a position begin. A day sorts before its times.
func (s *eventStore) firstIndex(from string, after position) int {
	index, _ := slices.BinarySearchFunc(s.ordered, position{start: from}, comparePositions)
	past, found := slices.BinarySearchFunc(s.ordered, after, comparePositions)
	if found {
		past++
	}
	return max(index, past)
}

// startsInMonth has where the events of a month such as `2026-11` start, in order.
func (s *eventStore) startsInMonth(month string) []position {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	first := s.firstIndex(month, position{})
	// "~" sorts after every other character of a time.
	end := s.firstIndex(month+"~", position{})
	return slices.Clone(s.ordered[first:end])
}
