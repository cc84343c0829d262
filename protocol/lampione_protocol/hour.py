"""`Hour`, in ten parts: histograms that add up over hours, nodes and streets.

Apart from `schema` since a node that counts no hours need not hold it in memory. Every part
carries the hour's start, its number and the counts; then twelve bins:

    parts 0 to 7   96 bins of 1 dB from 24 dB, of LAF sampled every 125 ms (28,800 an hour);
                   the first holds what is lower too, the last what is higher
    parts 8 and 9  24 bins of 5 km/h from 0, of vehicles; the last holds what is faster; unknown
                   in an hour with fewer than three vehicles, as is V85
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
    + (("spare", "x", 12, 0, 0, 1, "", 1),)
)
