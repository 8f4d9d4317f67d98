// Package local runs the whole platform on one machine: the management cluster,
// Cluster API, its AWS provider, Flux, the fleet repository's Git server, the
// simulated AWS and KARGO's manager, as processes under one supervisor.
//
// Up brings everything up, step by step. Every step looks at what is there and
// does what is missing, so that a second Up repairs, continues or does nothing.
package local
