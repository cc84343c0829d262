"""What is said once an hour. Apart from `schema`: a node that counts no hours need not hold it.

`Raw`: means of what the sensors gave before any correction, so that a city can correct anew what
it has stored when it knows better (a calibration, another formula).

`Hour`, in ten parts: histograms that add up over hours, nodes and streets. Every part carries the
hour's start, its number and the counts; then twelve bins:

    parts 0 to 7   96 bins of 1 dB from 24 dB, of LAF sampled every 125 ms (28,800 an hour);
                   the first holds what is lower too, the last what is higher
    parts 8 and 9  24 bins of 5 km/h from 0, of vehicles; the last holds what is faster; unknown
                   in an hour with fewer than three vehicles, as are V85 and occupancy
"""

BINS_A_PART = 12
PARTS = 10
FIRST_SPEED_PART = 8
LEVEL_LOW_DB = 24
SPEED_STEP_KMH = 5

HOUR_FIELDS = (
    (
        ("start", "i", 31, 0, 2147483646, 1, "s", 1),
        ("part", "c", 4, 0, 15, 1, "", 1),
        ("vehicles_toward", "i", 14, 0, 16382, 1, "", 1),
        ("vehicles_away", "i", 14, 0, 16382, 1, "", 1),
        ("v85", "i", 8, 0, 254, 1, "km/h", 1),
        ("v85_too_few", "c", 1, 0, 1, 1, "", 1),
    )
    + tuple(("bin_%d" % n, "i", 15, 0, 32766, 1, "", 1) for n in range(BINS_A_PART))
    + (
        ("occupancy", "i", 7, 0, 100, 1, "%", 2),
        ("clock", "e", 3, 0, 6, 1, "", 2),
        ("spare", "x", 2, 0, 0, 1, "", 1),
    )
)

RAW_FIELDS = (
    ("start", "i", 31, 0, 2147483646, 1, "s", 2),
    ("duration_s", "i", 13, 1, 8190, 1, "s", 2),
    ("clock", "c", 2, 0, 3, 1, "", 2),
    ("pm1", "i", 11, 0, 2046, 2, "µg/m³", 2),
    ("pm2_5", "i", 11, 0, 2046, 2, "µg/m³", 2),
    ("pm10", "i", 11, 0, 2046, 2, "µg/m³", 2),
    ("no2_working", "i", 16, -10000, 55534, 10, "mV", 2),
    ("no2_auxiliary", "i", 16, -10000, 55534, 10, "mV", 2),
    ("o3_working", "i", 16, -10000, 55534, 10, "mV", 2),
    ("o3_auxiliary", "i", 16, -10000, 55534, 10, "mV", 2),
    ("temperature", "i", 10, -400, 622, 10, "°C", 2),
    ("humidity", "i", 7, 0, 100, 1, "%", 2),
    ("spare", "x", 16, 0, 0, 1, "", 2),
)
