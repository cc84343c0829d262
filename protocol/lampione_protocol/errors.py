"""What can be wrong with a message or a frame. Attributes are positional, in `args`."""


class ProtocolError(Exception):
    """Root of everything that the protocol refuses."""


class RangeError(ProtocolError):
    """A value does not fit its field: args = (field, value, low, high), in steps."""


class TruncatedError(ProtocolError):
    """Too few bytes: args = (what, expected, got)."""


class TooLongError(ProtocolError):
    """More bytes than allowed: args = (what, limit, got)."""


class VersionError(ProtocolError):
    """The frame is of another wire version: args = (ours, theirs)."""


class EpochError(ProtocolError):
    """The frame belongs to another epoch: args = (ours, theirs)."""


class SealError(ProtocolError):
    """The tag does not fit: forged, damaged, another node's or another key's."""


class ReplayError(ProtocolError):
    """A counter that was accepted before: args = (last accepted, got)."""


class FramingError(ProtocolError):
    """A frame of the serial line is damaged: args = (what,)."""
