package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// ExactArgs demands n arguments; another number is wrong usage.
func ExactArgs(n int) cobra.PositionalArgs { return usage(cobra.ExactArgs(n)) }

// MaxArgs allows at most n arguments.
func MaxArgs(n int) cobra.PositionalArgs { return usage(cobra.MaximumNArgs(n)) }

func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return Usagef("%w\nUsage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// NewGroup makes a command that only holds others: a verb without a noun.
func NewGroup(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := Usagef("unknown command %q for %q", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return WithHint(err, "did you mean %s?", strings.Join(near, ", "))
			}
			return err
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

// CompleteFlag completes a flag's value in the shell.
func CompleteFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("completion of a flag that does not exist: %v", err)) // a mistake in the code, seen by every test
	}
}
