"""A whole lamppost: every part of the bill of materials in one plausible street."""

from lampione_hil.virtual.air import Air, PlausibleDay
from lampione_hil.virtual.devices.ads1115 import Ads1115
from lampione_hil.virtual.devices.cells import Cells
from lampione_hil.virtual.devices.lis3dh import Lis3dh, Pole
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.devices.pzem import Load, Pzem
from lampione_hil.virtual.devices.sps30 import Sps30
from lampione_hil.virtual.devices.veml7700 import Veml7700
from lampione_hil.virtual.dust import Dust
from lampione_hil.virtual.sky import Sky
from lampione_hil.virtual.sound import Street
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_hil.virtual.world import World

ENERGY_UART, RADAR_UART = 0, 1


def lamppost(
    seed: int = 0,
    street: Street | None = None,
    air: Air | None = None,
    *,
    traffic: TrafficStreet | None = None,
    rated_w: float = 60.0,
) -> World:
    """Return the world of one lamppost with all parts that the firmware knows by default.

    Args:
        seed: moves the weather, the dust, the gases and the traffic, so that no two are alike.
        street: what the microphone hears; None: no microphone.
        air: instead of the seed's day.
        traffic: what the radar sees; None: no radar.
        rated_w: of the lamp at full power.
    """
    air = air or PlausibleDay(seed)
    near = 1 + 0.1 * (seed % 5)
    world = World(
        air=air,
        i2c=[
            Sps30(Dust(9 * near, 14 * near, 22 * near, swing=0.3, seed=seed)),
            Ads1115(Cells(air, 18 * near, 25 / near)),
            Veml7700(Sky(air)),
            Lis3dh(Pole(tilt_deg=0.3 * (seed % 4), azimuth_deg=40.0 * seed, sway_deg=0.05)),
        ],
        uarts={ENERGY_UART: Pzem(Load(voltage_v=231.0 + seed % 4), rated_w=rated_w)},
    )
    world.street = street
    if traffic is not None:
        world.uarts[RADAR_UART] = Ops243(traffic)
    return world
