"""What EPICS base does with puts, as one table that runs against the simulated IOC, EPICS base, and a site's IOC.

The rules are those of dbNotify (put-callbacks to a record wait in its line) and of rsrv (a second put-callback on a
channel blocks the circuit). The client is libca. For a site's IOC, one with two motor records of which the one is moved
forth and back a little: `XRM_TEST_IOC_PREFIX=P: XRM_TEST_IOC_MOTOR=m1 XRM_TEST_IOC_OTHER=m2 XRM_TEST_IOC_TRAVEL=0.1
EPICS_CA_ADDR_LIST=10.0.0.7 pytest tests/simulators/ioc/test_put_rules.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.simulators.ioc import put_bench
from tests.simulators.ioc.circuit import INVALID, NORMAL, PUT_FAILED, UNDEFINED, CaReply
from tests.simulators.ioc.put_bench import OTHER, OWN, Bench

SERVERS = {"caproto": put_bench.caproto, "softioc": put_bench.softioc, "site": put_bench.site}
# For what shall not happen: many round trips.
_A_WHILE_S = 0.3


@dataclass(frozen=True)
class Rule:
    """While a put-callback to the busy record is pending, another put is sent.

    to: VAL or DESC of the busy record, or DESC of another. on: the pending one's channel, another channel of its
    circuit, or another circuit. blocked: after a second put-callback on the pending one's channel.
    acts: at once, or else when the busy record is done. answers: whether the first circuit still answers.
    """

    name: str
    to: str
    on: str
    completion: bool
    acts: bool
    answers: bool = True
    blocked: bool = False


RULES = (
    Rule("a field of the busy record waits", "busy.DESC", "circuit", True, acts=False),
    Rule("the busy record itself waits", "busy", "another channel", True, acts=False),
    Rule("another client's waits too", "busy", "another circuit", True, acts=False),
    Rule("another client's to a field waits too", "busy.DESC", "another circuit", True, acts=False),
    Rule("another record does not wait", "other.DESC", "circuit", True, acts=True),
    Rule("without completion a field does not wait", "busy.DESC", "circuit", False, acts=True),
    Rule("without completion the busy record does not wait", "busy", "channel", False, acts=True),
    Rule("nor does another client's without completion", "busy", "another circuit", False, acts=True),
    Rule("a second on the same channel blocks the circuit", "busy", "channel", True, acts=False, answers=False),
    Rule("without completion it waits behind that", "other.DESC", "circuit", False, False, False, blocked=True),
    Rule("and with completion", "other.DESC", "circuit", True, False, False, blocked=True),
    Rule("but another circuit goes on", "other.DESC", "another circuit", True, True, False, blocked=True),
    Rule("and stops what it likes", "busy.DESC", "another circuit", False, True, False, blocked=True),
)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with SERVERS[request.param]() as bench:
        yield bench


@pytest.fixture
def bench(server: Bench) -> Iterator[Bench]:
    yield server
    server.end()
    server.leave()


def send(bench: Bench, rule: Rule, name: str, value: float | str) -> list[CaReply]:
    circuit = OTHER if rule.on == "another circuit" else OWN
    channel = bench.new_channel(name) if rule.on == "another channel" else bench.channel(name, circuit)
    if rule.completion:
        return [channel.put_callback(value)]
    channel.put(value)
    return []


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_put_while_a_put_callback_is_pending(bench: Bench, rule: Rule) -> None:
    name = getattr(bench, rule.to.partition(".")[0]) + rule.to.removeprefix("busy").removeprefix("other")
    # Channels first: a circuit that is blocked makes none.
    probe = bench.channel(f"{bench.other}.EGU")
    for circuit in (OWN, OTHER):
        bench.channel(name, circuit)
    first = bench.occupy()
    pending = [first]
    if rule.blocked:
        pending.append(bench.channel(bench.busy).put_callback(bench.new_value(bench.busy)))
    value = bench.new_value(name)
    sent = send(bench, rule, name, value)
    read = probe.read()

    if rule.acts:
        assert bench.gets(name, value)
        # Of the busy record itself the completion comes when it is done, whoever asked for it.
        assert all(answer.comes() for answer in sent)
    else:
        assert not any(answer.comes(_A_WHILE_S) for answer in sent)
        assert not bench.has(name, value)
    assert read.comes() if rule.answers else not read.comes(_A_WHILE_S)
    assert not first.comes(0.0), "the first must have been pending all the time"

    bench.end(first)
    if not rule.acts and not rule.blocked:
        assert bench.gets(name, value)
    bench.end(*pending, *sent)
    assert read.comes()
    assert {answer.status for answer in (*pending, *sent, read)} == {NORMAL}


def test_those_that_wait_come_in_their_order(bench: Bench) -> None:
    name = f"{bench.busy}.DESC"
    channels = [bench.new_channel(name, circuit) for circuit in (OTHER, OWN, OTHER, OWN)]
    first = bench.occupy()
    waiting, before = [], bench.channel(name).get()
    for channel in (channels[2], channels[1], channels[3], channels[0]):
        waiting.append(channel.put_callback(value := bench.new_value(name)))
        channel.get()
    assert bench.has(name, before)
    bench.end(first, *waiting)
    assert bench.has(name, value)


@pytest.mark.parametrize("circuit", [OWN, OTHER])
def test_one_that_waits_is_given_up_with_its_channel(bench: Bench, circuit: int) -> None:
    name = f"{bench.busy}.DESC"
    before, leaving = bench.channel(name).get(), bench.new_channel(name, circuit)
    first = bench.occupy()
    leaving.put_callback(bench.new_value(name))
    leaving.get()
    leaving.clear()
    bench.end(first)
    assert not bench.gets(name, "", within_s=_A_WHILE_S)
    assert bench.has(name, before)


@pytest.mark.parametrize("to", ["busy", "busy.DESC"])
@pytest.mark.parametrize("completion", [True, False])
def test_a_disabled_record_refuses_all_but_to_be_enabled(bench: Bench, to: str, completion: bool) -> None:
    name = bench.busy + to.removeprefix("busy")
    target, disable = bench.channel(name), bench.channel(f"{bench.busy}.DISP")
    before = target.get()
    assert (answer := disable.put_callback(1)).comes()
    try:
        if completion:
            refused = target.put_callback(bench.new_value(name))
            assert refused.comes()
            assert refused.status == PUT_FAILED
        else:
            target.put(bench.new_value(name))
        assert target.get() == before
    finally:
        enabled = disable.put_callback(0)
        assert enabled.comes()
    assert answer.status == enabled.status == NORMAL
    value = bench.new_value(f"{bench.busy}.DESC")
    assert bench.channel(f"{bench.busy}.DESC").put_callback(value).comes()
    assert bench.has(f"{bench.busy}.DESC", value)


def test_what_never_had_a_value_is_invalid(bench: Bench) -> None:
    if not bench.undefined:
        pytest.skip("not known of this server")
    read = bench.channel(bench.undefined).read()
    assert read.comes()
    assert (read.value, read.alarm) == ("", (UNDEFINED, INVALID))


@pytest.mark.soak
def test_a_circuit_is_blocked_for_a_minute_at_most() -> None:
    """Then the first is given up, though what it has set off goes on, and the second is taken."""
    with put_bench.caproto() as bench:
        bench.occupy()
        value = bench.new_value(bench.busy)
        bench.channel(bench.busy).put_callback(value)
        assert not bench.gets(bench.busy, value, within_s=30.0)
        assert bench.gets(bench.busy, value, within_s=60.0)
        assert bench.has(f"{bench.busy}.DMOV", 0.0)
