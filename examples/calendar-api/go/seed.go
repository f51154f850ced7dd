package main

import (
	"fmt"
	"time"
)

const (
	seedCount   = 500
	seedSpacing = 17*time.Hour + 30*time.Minute
)

var (
	seedFirst     = time.Date(2026, time.January, 1, 8, 0, 0, 0, time.UTC)
	seedTitles    = []string{"Stand-up", "Planning", "Retrospective", "Design review", "Café with Zoë", "On-call handover", "<Ops> & you"}
	seedLocations = []string{"Room Ada", "Room Grace", "", "Zürich 4.02", "Video call"}
	seedMinutes   = []int{15, 30, 60, 90}
)

// seedEvents is what the calendar starts with: 500 events, spread over 2026, the same ones in every process.
func seedEvents() []event {
	events := make([]event, seedCount)
	for number := range events {
		start := seedFirst.Add(time.Duration(number) * seedSpacing)
		end := start.Add(time.Duration(seedMinutes[number%len(seedMinutes)]) * time.Minute)
		var location *string
		if place := seedLocations[number%len(seedLocations)]; place != "" {
			location = &place
		}
		events[number] = event{
			Title:    seedTitles[number%len(seedTitles)],
			Start:    start.Format(timestampLayout),
			End:      end.Format(timestampLayout),
			Location: location,
			Notes:    fmt.Sprintf("Event %d of %d", number+1, seedCount),
		}.identified()
	}
	return events
}
