// Command clidocs writes the reference page of kargoctl, made from its commands,
// to the file it is given:
//
//	go run ./hack/clidocs docs/reference/kargoctl.md
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kargo.dev/kargo/internal/cli"
	"kargo.dev/kargo/internal/cli/command"
)

const head = `<!-- Made by hack/clidocs from kargoctl's commands: do not edit. -->
# kargoctl

%s

Results go to stdout, progress and notes to stderr; with ` + "`NO_COLOR`" + ` set, without colours. JSON is stable: ` + "`get -o json`" + ` prints the
objects of the API, several as a Kubernetes List. Errors are one line ` + "`Error: ...`" + ` and, where something can be
done, one line ` + "`Hint: ...`" + `.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage; nothing was touched |
| 3 | differences, or still pending when the time was up |

`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: clidocs FILE")
		os.Exit(2)
	}
	streams, _, _, _ := command.TestIO()
	root := cli.NewCmdRoot(command.New(streams, ""))
	root.InitDefaultCompletionCmd()
	var page bytes.Buffer
	write(&page, root)
	if err := os.WriteFile(os.Args[1], page.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "clidocs:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, root *cobra.Command) {
	long, _, _ := strings.Cut(root.Long, "\n\nExit codes")
	fmt.Fprintf(w, head, long)
	fmt.Fprint(w, "| command | |\n|---|---|\n")
	each(root, func(c *cobra.Command) {
		fmt.Fprintf(w, "| [%s](#%s) | %s |\n", c.CommandPath(), anchor(c), c.Short)
	})
	fmt.Fprint(w, "\n## Flags of all commands\n\n")
	flags(w, root.PersistentFlags())
	each(root, func(c *cobra.Command) { page(w, c) })
}

// each visits the commands that do something, in the order of the help.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	for _, child := range c.Commands() {
		switch {
		case child.Hidden || child.Name() == "help":
		case child.HasAvailableSubCommands() && child.Name() != "completion":
			each(child, visit)
		default:
			visit(child)
		}
	}
}

func page(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "\n## %s\n\n", c.CommandPath())
	text := c.Long
	if text == "" || c.HasAvailableSubCommands() {
		text = c.Short + "."
	}
	fmt.Fprintf(w, "%s\n\n", prose(text))
	fmt.Fprintf(w, "```\n%s\n```\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(w, "\n```sh\n%s\n```\n", unindent(c.Example))
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(w, "\nAlso: %s.\n", strings.Join(c.Aliases, ", "))
	}
	if own := c.NonInheritedFlags(); own.HasAvailableFlags() {
		fmt.Fprintln(w)
		flags(w, own)
	}
}

func flags(w io.Writer, set *pflag.FlagSet) {
	fmt.Fprint(w, "| flag | |\n|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && !strings.Contains(usage, "default") {
			usage += " (default " + d + ")"
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", `\|`))
	})
}

// prose keeps indented lines of a help text as they are.
func prose(text string) string {
	var out []string
	block := false
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t"); indented != block {
			out = append(out, "```")
			block = indented
		}
		out = append(out, line)
	}
	if block {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

// unindent takes the indentation off that Cobra's help wants.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }
