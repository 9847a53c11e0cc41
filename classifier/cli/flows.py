"""`freeflow flows`: the flows of capture files, one a line, in the order in which they began."""

from __future__ import annotations

from argparse import Namespace

from classifier.cli.arguments import add_captures, add_output, add_plan, check_inputs, new_command
from classifier.cli.output import Output, say
from classifier.cli.progress import CompilationNotice, ProgressBar

EXAMPLE = """\
example:
  freeflow flows morning.pcap --json | grep contradicted
      lists the flows whose name does not belong to their address"""


def add_command(commands) -> None:
    """Add `flows` to the commands."""
    parser = new_command(commands, "flows", "list the flows of capture files, with the evidence for each", EXAMPLE)
    add_captures(parser)
    add_plan(parser)
    parser.add_argument("--json", action="store_true", help="a JSON object for each flow, one a line")
    parser.add_argument("--why", action="store_true", help="say of each flow what it was recognised by, or why not")
    add_output(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """List the flows as they end; 1 where a file could not be read to its end."""
    check_inputs(arguments.files)
    with Output(arguments.output, arguments.files) as output:
        from classifier.gateway.plan import load_plan
        from classifier.gateway.replay import list_flows
        from classifier.gateway.why import Why
        from classifier.reports.flow_lines import flow_json_lines, flow_table

        plan = load_plan(arguments.config, zero_rate=arguments.zero_rate, subscriber_networks=arguments.subscribers)
        why = Why(plan.catalogue) if arguments.why else None
        # Lines that come while the bar is drawn would tear it apart.
        with CompilationNotice(), ProgressBar(wanted=not output.is_terminal) as progress:
            listing = list_flows(
                arguments.files,
                plan,
                batch_frames=arguments.batch_frames,
                workers=arguments.workers,
                progress=progress,
            )
            if arguments.json:
                output.write(flow_json_lines(listing, why))
            else:
                output.write_lines(flow_table(listing, output.width if output.is_terminal else None, why))
        for line in listing.problems:
            say(line)
    return 1 if listing.problems else 0
