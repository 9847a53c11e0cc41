"""Everything a run needs, read and checked before the first frame: configuration, catalogue, subscribers, programmes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from classifier.catalogue.cached import compiled_catalogue
from classifier.catalogue.folders import builtin_folder
from classifier.catalogue.records import Catalogue, Programme
from classifier.configuration import Configuration, load_configuration
from classifier.errors import ConfigurationError
from classifier.gateway.programme_checks import programme_warnings, unknown_enrolments
from classifier.gateway.watching import AddressWatch, read_secret
from classifier.kernels.ranges import Ranges
from classifier.kernels.signatures import Lookup
from classifier.metering.tables import Limits
from classifier.rating.periods import Periods
from classifier.rating.rate import Rater
from classifier.subscribers.compile import compile_subscribers
from classifier.subscribers.load import Subscriber, load_subscribers
from classifier.validation import did_you_mean, network

ZERO_RATE_PROGRAMME = "zero-rate"
# Earlier than any packet time that an int64 of nanoseconds can hold.
_ALWAYS = date(1677, 9, 23)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is in force: `lookup` and `subscriber_ranges` for the kernels, the rest for rating and reports.

    `notices` are one-line warnings for a person: what is most likely not meant. `secret` seals
    RADIUS accounting.
    """

    configuration: Configuration
    catalogue: Catalogue
    subscribers: tuple[Subscriber, ...]
    programmes: tuple[Programme, ...]
    lookup: Lookup
    subscriber_ranges: Ranges
    limits: Limits
    notices: tuple[str, ...]
    secret: bytes | None = field(default=None, repr=False)

    def watch(self) -> AddressWatch | None:
        """A reader of RADIUS and DHCP with no bindings yet, None where no server is configured."""
        if not self.configuration.binds_addresses:
            return None
        return AddressWatch(self.configuration, self.subscribers, self.secret)

    def rater(self) -> Rater:
        """A rater for these programmes."""
        return Rater(self.programmes, self.catalogue.application_names, self.subscribers, self.periods)

    @property
    def counted(self) -> str:
        """What is in force, in numbers."""
        return (
            f"{len(self.catalogue.applications)} applications, {len(self.programmes)} programmes, "
            f"{len(self.subscribers)} listed subscribers"
        )

    @property
    def periods(self) -> Periods:
        """The operator's days and months."""
        return Periods(self.configuration.gateway.zone, self.configuration.gateway.month_starts_on)


def load_plan(config: str | None, *, zero_rate: Sequence[str] = (), subscriber_networks: Sequence[str] = ()) -> Plan:
    """Read all that the configuration names. Raises ConfigurationError with every problem of the file that has any.

    `zero_rate`: applications that are free for everyone, an offer made up on the spot. `subscriber_networks`: in place of
    the configured ones.
    """
    configuration = load_configuration(config)
    gateway = configuration.gateway
    catalogue, lookup = compiled_catalogue(gateway.signatures, gateway.trusted_resolvers)
    subscribers = ()
    if gateway.subscribers is not None:
        subscribers = load_subscribers(gateway.subscribers, bound=configuration.binds_addresses)
    problems: list[str] = []
    networks = list(gateway.subscriber_networks)
    if subscriber_networks:
        networks = []
        for text in subscriber_networks:
            try:
                networks.append(network(text))
            except ValueError as error:
                problems.append(f"--subscribers: {error}")
    programmes = catalogue.programmes
    if zero_rate:
        problems += _unknown_applications(zero_rate, catalogue)
        programmes = (_zero_rate(zero_rate), *programmes)
    problems += unknown_enrolments(programmes, subscribers, gateway.subscribers)
    if problems:
        raise ConfigurationError(problems)
    flows = configuration.flows
    return Plan(
        configuration=configuration,
        catalogue=catalogue,
        subscribers=tuple(subscribers),
        programmes=tuple(programmes),
        lookup=lookup,
        subscriber_ranges=compile_subscribers(networks, subscribers),
        limits=Limits(
            flows=flows.capacity,
            tcp_idle_seconds=flows.tcp_idle_seconds,
            tcp_transitory_seconds=flows.tcp_transitory_seconds,
            udp_idle_seconds=flows.udp_idle_seconds,
            other_idle_seconds=flows.other_idle_seconds,
            closed_seconds=flows.closed_seconds,
            dns_grace_seconds=gateway.dns_grace_seconds,
        ),
        notices=tuple(programme_warnings(_own(programmes), subscribers, gateway.subscribers)),
        secret=read_secret(configuration.radius.secret_file) if configuration.radius.servers else None,
    )


def _unknown_applications(zero_rate: Sequence[str], catalogue: Catalogue) -> list[str]:
    known = catalogue.application_names[1:]
    return [
        f'--zero-rate: no application is named "{name}"; {did_you_mean(name, known)}'
        for name in zero_rate
        if name not in known
    ]


def _zero_rate(applications: Sequence[str]) -> Programme:
    """The offer of `--zero-rate`: free for everyone, at any time, without limit."""
    return Programme(
        name=ZERO_RATE_PROGRAMME,
        payer="operator",
        applications=tuple(applications),
        starts=_ALWAYS,
        ends=None,
        rate_percent=0,
        allowances=(),
        bonus=None,
        eligible=(),
        enrolment="automatic",
        registered_before=None,
        accept="claimed",
        priority=-1,
        tariff=None,
        file="--zero-rate",
    )


def _own(programmes: Sequence[Programme]) -> list[Programme]:
    """The operator's own offers. Those that ship are examples, and most of them are for other operators' subscribers."""
    builtin = str(builtin_folder())
    return [programme for programme in programmes if not programme.file.startswith(builtin)]
