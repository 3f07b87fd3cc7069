"""What can go wrong, one sentence each: what is wrong, with the value; then what to do."""


class SpotterError(Exception):
    """The parent of every error that this package raises on purpose.

    `exit_code` is what the command line ends with: 1 failed while running, 2 bad arguments
    or input, 3 no usable microphone, 4 model unusable.
    """

    exit_code = 1


class BadInputError(SpotterError, ValueError):
    """An argument, a setting or a recording that cannot be used."""

    exit_code = 2


class MicrophoneError(SpotterError):
    """No microphone that can be used: none there, none of that name, or lost."""

    exit_code = 3


class DeviceLostError(MicrophoneError):
    """A microphone that gave audio gives none any more; it may come back."""


class ModelError(SpotterError):
    """A model folder that is missing, incomplete, changed, or not for this version."""

    exit_code = 4
