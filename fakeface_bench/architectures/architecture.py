"""One row of the catalogue of networks: apart from the table, for what reads a row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the catalogue.

    Attributes:
        key: Name on the command line.
        application: Class in `keras.applications`; empty for a from-scratch network.
        preprocessing: Key of `PREPROCESSINGS`, applied inside the model to pixels 0 to 255.
        image_size: Side of the input it was made for, in pixels.
        parameters: Number of weights without a head.
        mmacs: Million multiply-accumulates per image at `image_size`, without a head.
        blocks: Layers whose outputs are its blocks, from the input up; the last map comes
            after them and is not named.
        closing_block: Whether what follows the last named block is one more, to be trained as
            such; otherwise, a single convolution, it goes with that block.
        filters: Of each convolution block of a from-scratch network.
        max_pooling: Whether such blocks shrink by MaxPooling2D; by a stride of 2 otherwise.
        imagenet_file: Name of Keras's own weights file in its cache.
        cpu_batch: Images a step at which the frozen backbone runs fastest on a CPU.
        aliases: Further names on the command line.
    """

    key: str
    application: str
    preprocessing: str
    image_size: int
    parameters: int
    mmacs: int
    blocks: tuple[str, ...] = ()
    closing_block: bool = True
    filters: tuple[int, ...] = ()
    max_pooling: bool = False
    imagenet_file: str = ""
    cpu_batch: int = 16
    aliases: tuple[str, ...] = ()

    @property
    def pretrained(self) -> bool:
        """Whether it is a frozen backbone that ImageNet weights exist for."""
        return bool(self.application)

    @property
    def frozen_ends(self) -> tuple[str, ...]:
        """Layers at whose output a frozen part may end, from the input up."""
        return self.blocks if self.closing_block else self.blocks[:-1]
