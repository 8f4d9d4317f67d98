// Package command holds what every kargoctl command is built with: the Factory
// that reaches the management cluster, the streams it talks through, the errors
// that carry an exit code and a hint, and the printing of objects.
//
// A command is an options struct, a constructor NewCmdX(f *Factory, runF
// func(*XOptions) error) that fills it from flags, and a run method. Tests pass
// a runF to see the options, or call the run method with a Factory of their own.
package command
