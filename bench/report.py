"""`python bench/report.py RESULT ... [--pictures DIR] [--readme]`: results as tables and pictures.

A RESULT is a file or a folder of files; several are pooled. Only who asks for pictures needs
matplotlib.
"""

import argparse
import sys
from pathlib import Path

import goals
import tables
from labels import heading
from results import Results, read
from rich.console import Console


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Show benchmark results, several as one.")
    parser.add_argument("results", type=Path, metavar="RESULT", nargs="+")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw pictures there too")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="draw only these pictures")
    parser.add_argument("--readme", action="store_true", help="print README's table, no other")
    options = parser.parse_args(arguments)
    try:
        results = read(options.results)
    except ValueError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 2
    if options.readme:
        print(*tables.readme_rows(results), sep="\n")
    else:
        show(results, tables.new_console())
    if options.pictures:
        from pictures import draw

        draw(results, options.pictures, options.only)
    return 0


def show(results: Results, console: Console) -> None:
    """Print results; what was not measured has no table."""
    found = goals.verdicts(results)
    console.print(heading(results), style="bold")
    console.print(*notes(results), *tables.LEGEND, sep="\n")
    for table in [*tables.all_tables(results, console.width), tables.goals(found)]:
        console.print()
        console.print(table)
    console.print()
    console.print(goals.summary(found), style="bold")


def notes(results: Results) -> list[str]:
    """Return what was written into the result files by hand, each note once."""
    return list(dict.fromkeys(facts["note"] for facts in results.facts if "note" in facts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
