"""The plan of a change: stop what is gone or different, start what is new or different, leave the rest."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Device
from gateway.config.plan import plan

BUS_OF = {"a-driver": "a", "b-driver": "b"}
Spec = dict[str, tuple[str, int]]
devices = st.dictionaries(
    st.sampled_from("pqrst"),
    st.tuples(st.sampled_from(sorted(BUS_OF)), st.integers(0, 2)),
)
buses = st.fixed_dictionaries({"a": st.integers(0, 1), "b": st.integers(0, 1)})


def build(spec: Spec) -> dict[str, Device]:
    return {name: Device(name=name, driver=driver, settings=value) for name, (driver, value) in spec.items()}


@given(devices, devices, buses, buses)
def test_stopping_and_starting_leads_from_one_configuration_to_the_other(
    old: Spec, new: Spec, old_buses: dict[str, int], new_buses: dict[str, int],
) -> None:
    change = plan((old_buses, build(old)), (new_buses, build(new)), BUS_OF)
    running = {name: (spec, old_buses[BUS_OF[spec[0]]]) for name, spec in old.items()}
    for name in change.stop_devices:
        del running[name]
    for name in change.start_devices:
        assert name not in running
        running[name] = (new[name], new_buses[BUS_OF[new[name][0]]])
    assert running == {name: (spec, new_buses[BUS_OF[spec[0]]]) for name, spec in new.items()}


@given(devices, buses)
def test_the_same_configuration_changes_nothing(spec: Spec, settings: dict[str, int]) -> None:
    change = plan((settings, build(spec)), (settings, build(spec)), BUS_OF)
    assert not (change.stop_devices | change.start_devices | change.stop_buses | change.start_buses)
