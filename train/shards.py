"""One global batch in fixed shards, so that any number of replicas learns from the same sequences.

Shard `k` of batch `i` is drawn from (seed, i, k) alone. Each replica draws its own shards and nothing
else; put together they are the same batch on one machine, on two, and after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spotter.errors import BadInputError
from train.batches import Batch, Mixer

SHARDS = 8


@dataclass(frozen=True, slots=True)
class Shards:
    """The batches of a run as `replicas` devices share them.

    Up to 8 replicas there are 8 shards, dealt out in turn. More replicas have one each: as many
    sequences of the same kinds, but other ones than on a smaller cluster.
    """

    mixer: Mixer
    seed: int
    batch: int  # sequences, over all replicas
    replicas: int

    def __post_init__(self) -> None:
        """Refuse replicas that would get nothing."""
        if self.replicas > self.batch:
            raise BadInputError(
                f"a batch of {self.batch} does not go round {self.replicas} replicas; "
                f"set batch to at least {self.replicas} in the recipe"
            )

    @property
    def count(self) -> int:
        """Number of shards in a batch."""
        return max(self.replicas, min(SHARDS, self.batch))

    def sizes(self) -> list[int]:
        """Sequences in each shard; they differ by one at most."""
        return [(self.batch + k) // self.count for k in range(self.count)]

    def draw(self, step: int, replica: int) -> Batch:
        """Draw what one replica learns from in this step."""
        sizes = self.sizes()
        parts = [
            self.mixer.draw(np.random.default_rng([self.seed, step, k]), sizes[k])
            for k in range(replica, self.count, self.replicas)
        ]
        return Batch(np.concatenate([p.frames for p in parts]), np.concatenate([p.codes for p in parts]))
