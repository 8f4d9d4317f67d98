// Package platform holds the verbs of the local platform: up, down, status and
// logs, and the hidden commands that run as its processes.
package platform
