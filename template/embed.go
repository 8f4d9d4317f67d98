// Package template holds what `kargoctl init fleet` makes a new fleet
// repository from.
package template

import (
	"embed"
	"io/fs"
)

//go:embed all:fleet all:example
var files embed.FS

// Fleet is an empty fleet: flavors, add-ons, environments and no team. The
// charts are not in it, they are put there when a fleet repository is made.
func Fleet() fs.FS { return sub("fleet") }

// Example is put over a fleet for the example: two teams with their accounts.
func Example() fs.FS { return sub("example") }

func sub(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the names are constants and valid
	}
	return sub
}
