"""The goals, the rows and the table."""

from dataclasses import dataclass

from measure import Found, Setting, Unary

CALLS_RATIO_MIN = {"tcp": 1.5, "unix": 1.2}
CPU_RATIO_MAX = 0.5
P50_ALONE_RATIO_MAX = 0.8
P99_RATIO_MAX = 1.0
STREAM_RATIO_MIN = 1.0
STREAM_TCP_MEGABYTES_MIN = 1500.0


@dataclass(frozen=True)
class Goal:
    """What a ratio, and perhaps our own figure, must reach."""

    ratio_min: float | None = None
    ratio_max: float | None = None
    ours_min: float | None = None

    @property
    def text(self) -> str:
        """For the table."""
        parts = []
        if self.ratio_min is not None:
            parts.append(f">= {self.ratio_min:g}x")
        if self.ratio_max is not None:
            parts.append(f"<= {self.ratio_max:g}x")
        if self.ours_min is not None:
            parts.append(f">= {self.ours_min:g}")
        return " and ".join(parts)

    def is_met(self, ours: float, ratio: float) -> bool:
        """Whether the figures reach it."""
        return (
            (self.ratio_min is None or ratio >= self.ratio_min)
            and (self.ratio_max is None or ratio <= self.ratio_max)
            and (self.ours_min is None or ours >= self.ours_min))


@dataclass(frozen=True)
class Row:
    """One figure of both servers."""

    name: str
    unit: str
    ours: float
    peer: float
    goal: Goal | None = None
    share_of_limit: float | None = None

    @property
    def ratio(self) -> float:
        """Ours to the peer's."""
        return self.ours / self.peer if self.peer else float("inf")

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.goal.is_met(self.ours, self.ratio)

    def as_json(self) -> dict[str, object]:
        """For bench-results; `share` is the name that other parts use."""
        return {
            "name": self.name, "unit": self.unit, "ours": round(self.ours, 3),
            "peer": round(self.peer, 3), "ratio": round(self.ratio, 4),
            "goal": self.goal.text if self.goal else None, "met": self.is_met,
            "share": self.share_of_limit, "share_of_limit": self.share_of_limit}


def rows_of(found: Found) -> list[Row]:
    """A row for each figure."""
    rows = []
    for setting in dict.fromkeys(setting for _, setting in found.unary):
        ours, peer = found.unary["ours", setting], found.unary["peer", setting]
        rows += _unary_rows(setting, ours, peer)
    for transport, shown in (("tcp", "TCP"), ("unix", "Unix")):
        speed, other = found.stream["ours", transport], found.stream["peer", transport]
        least = STREAM_TCP_MEGABYTES_MIN if transport == "tcp" else None
        goal = Goal(ratio_min=STREAM_RATIO_MIN, ours_min=least)
        share = round(speed / found.stream_limit[transport], 3)
        rows.append(Row(f"1 MiB stream {shown}", "MB/s", speed, other, goal, share))
    return rows


def _unary_rows(setting: Setting, ours: Unary, peer: Unary) -> list[Row]:
    is_alone = setting.connections * setting.streams == 1
    calls = None if is_alone else Goal(ratio_min=CALLS_RATIO_MIN[setting.transport])
    cpu = None if is_alone else Goal(ratio_max=CPU_RATIO_MAX)
    p50 = Goal(ratio_max=P50_ALONE_RATIO_MAX) if is_alone else None
    p99 = Goal(ratio_max=P99_RATIO_MAX)
    name = f"unary {setting.name}"
    return [
        Row(f"{name} calls", "1/s", ours.calls_per_second, peer.calls_per_second, calls),
        Row(f"{name} CPU a call", "us", ours.cpu_microseconds, peer.cpu_microseconds, cpu),
        Row(f"{name} p50", "us", ours.p50_microseconds, peer.p50_microseconds, p50),
        Row(f"{name} p99", "us", ours.p99_microseconds, peer.p99_microseconds, p99),
    ]


def print_table(rows: list[Row]) -> None:
    """Prints the figures with ratios and goals."""
    print(f"{'':32} {'ours':>10} {'peer':>10} {'ratio':>7}  {'goal':22} {'of limit':>8}")
    for row in rows:
        verdict = {None: "", True: "met", False: "MISSED"}[row.is_met]
        goal = f"{row.goal.text} {verdict}" if row.goal else ""
        share = "" if row.share_of_limit is None else f"{row.share_of_limit:.0%}"
        name = f"{row.name} ({row.unit})"
        figures = f"{row.ours:10,.1f} {row.peer:10,.1f} {row.ratio:7.2f}"
        print(f"{name:32} {figures}  {goal:22} {share:>8}")
    goals = [row for row in rows if row.goal]
    print(f"{sum(bool(row.is_met) for row in goals)} of {len(goals)} goals met")
