package main

import (
	"strconv"
	"time"
)

// day is a day and the events that start on it, in UTC.
type day struct {
	Date   string   `json:"date"`
	Count  int      `json:"count"`
	Events []string `json:"events"`
}

// monthView is a month in weeks from Monday to Sunday; null where a day belongs to another month.
type monthView struct {
	Month string    `json:"month"`
	Count int       `json:"count"`
	Weeks [][7]*day `json:"weeks"`
}

// newMonthView has the weeks of the month whose first day is given, with the events that start in it.
func newMonthView(first time.Time, starts []position) monthView {
	ids := map[int][]string{}
	for _, each := range starts {
		number, _ := strconv.Atoi(each.start[8:10])
		ids[number] = append(ids[number], each.id)
	}
	view := monthView{Month: first.Format("2006-01"), Count: len(starts)}
	column := (int(first.Weekday()) + 6) % 7
	var week [7]*day
	last := first.AddDate(0, 1, -1).Day()
	for number := 1; number <= last; number++ {
		events := ids[number]
		if events == nil {
			events = []string{}
		}
		week[column] = &day{first.AddDate(0, 0, number-1).Format(time.DateOnly), len(events), events}
		column++
		if column == 7 || number == last {
			view.Weeks = append(view.Weeks, week)
			week, column = [7]*day{}, 0
		}
	}
	return view
}
