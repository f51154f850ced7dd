// Command calendar-api is a calendar service: events, a month at a glance, health.
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	store := newEventStore()
	for _, event := range seedEvents() {
		store.add(event)
	}
	signer := cursorSigner{key: []byte(cmp.Or(os.Getenv("CALENDAR_KEY"), "a key for development"))}
	server := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8000"),
		Handler:           newRouter(&api{store: store, signer: signer}),
		ReadHeaderTimeout: 10 * time.Second,
	}

	stopped, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-stopped.Done()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	log.Printf("listening on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
